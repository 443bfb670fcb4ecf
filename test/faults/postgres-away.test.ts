import t from 'tap'
import { untilDegraded } from '../helpers/fault-books.js'
import { administer, endScene, startOwnPostgres, startScene } from '../helpers/fault-scene.js'
import type { PostgresServer } from '../helpers/postgres-server.js'

const outages: ReadonlyArray<{ readonly name: string, readonly fault: (server: PostgresServer) => unknown }> = [
  { name: 'stopped (fast)', fault: server => server.stop('fast') },
  { name: 'stopped (immediate)', fault: server => server.stop('immediate') },
  { name: 'killed with SIGKILL', fault: server => server.kill('SIGKILL') }
]

for (const [index, { name, fault }] of outages.entries()) {
  t.test(`PostgreSQL ${name} under load and started again: no call fails or waits, and the books are exact`, async t => {
    const server = await startOwnPostgres(t)
    await administer(server.url(), `create database books_${index}`)
    const scene = await startScene(t, { databaseUrl: server.url(`books_${index}`) })
    await fault(server)
    await untilDegraded(scene.gateway)
    await scene.load.answers(1500)
    t.match(await scene.gateway.readyz(), { status: 'degraded', database: 'degraded', journal: 'in_use' })
    await server.start()
    await endScene(t, scene)
  })
}

t.test('PostgreSQL that comes and goes three times', async t => {
  const server = await startOwnPostgres(t)
  const scene = await startScene(t, { databaseUrl: server.url() })
  for (let outage = 0; outage < 3; outage++) {
    server.kill('SIGKILL')
    await scene.load.answers(300)
    await server.start()
    await scene.load.answers(300)
  }
  await endScene(t, scene)
})
