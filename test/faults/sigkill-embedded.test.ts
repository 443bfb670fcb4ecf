import t from 'tap'
import { temporaryFolder } from '../helpers/database.js'
import { KILL_ROUNDS, killRounds } from '../helpers/kill-rounds.js'

t.test(`the gateway killed ${KILL_ROUNDS} times on the embedded database: every answered call is in the books, none twice`, async t => {
  await killRounds(t, { location: { databaseUrl: null, dataDir: temporaryFolder(t) } })
})
