import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { temporaryFolder } from '../helpers/database.js'
import { startOwnPostgres } from '../helpers/fault-scene.js'
import { KILL_ROUNDS, killRounds } from '../helpers/kill-rounds.js'
import { startTcpProxy } from '../helpers/tcp-proxy.js'

/** In turn: the database is there, is away from the start, goes away under load. */
const turns = ['there', 'away', 'leaves'] as const

t.test(`the gateway killed ${KILL_ROUNDS} times, with the database there and away: every answered call is in the books, none twice`, async t => {
  const server = await startOwnPostgres(t)
  const proxy = await startTcpProxy(t, server.url())
  const location = { databaseUrl: server.url(), dataDir: temporaryFolder(t) }
  const leave = (): void => {
    proxy.refuse()
    proxy.cut('all')
  }
  await killRounds(t, {
    location,
    gatewayUrl: proxy.withPort(server.url()),
    beforeStart: round => {
      // Killed before it has kept a policy, the gateway could not start without the database.
      const canStartAlone = existsSync(join(location.dataDir, 'policy.json'))
      if (round < KILL_ROUNDS && turns[round % turns.length] === 'away' && canStartAlone) leave()
      else proxy.restore()
    },
    underLoad: round => { if (turns[round % turns.length] === 'leaves') leave() }
  })
})
