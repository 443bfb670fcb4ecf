import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { createDatabase } from '../helpers/database.js'
import { untilDegraded } from '../helpers/fault-books.js'
import { endScene, startOwnPostgres, startScene } from '../helpers/fault-scene.js'
import { startTcpProxy } from '../helpers/tcp-proxy.js'

const FROZEN_MS = 30_000

t.test('PostgreSQL frozen for 30 s and thawed: no call fails or waits, and the books are exact', async t => {
  const server = await startOwnPostgres(t)
  t.teardown(() => server.kill('SIGCONT'))
  // A hundred calls a second: half a minute at full speed would prove no more.
  const scene = await startScene(t, { databaseUrl: server.url(), pauseMs: 1000 })
  server.kill('SIGSTOP')
  const frozen = sleep(FROZEN_MS)
  await untilDegraded(scene.gateway)
  await frozen
  t.match(await scene.gateway.readyz(), { status: 'degraded', database: 'degraded', journal: 'in_use' })
  server.kill('SIGCONT')
  await endScene(t, scene)
})

t.test('a network that passes nothing on, while the database is well: no call fails or waits, and the books are exact', async t => {
  const databaseUrl = await createDatabase()
  const proxy = await startTcpProxy(t, databaseUrl)
  const scene = await startScene(t, { databaseUrl, gatewayUrl: proxy.withPort(databaseUrl) })
  proxy.freeze()
  await untilDegraded(scene.gateway)
  await scene.load.answers(1000)
  t.match(await scene.gateway.readyz(), { status: 'degraded', journal: 'in_use' })
  proxy.restore()
  await endScene(t, scene)
})
