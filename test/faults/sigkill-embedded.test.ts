import t from 'tap'
import { temporaryFolder } from '../helpers/database.js'
import { killRounds } from '../helpers/kill-rounds.js'

t.test('the gateway killed 12 times on the embedded database: every answered call is in the books, none twice', async t => {
  await killRounds(t, { location: { databaseUrl: null, dataDir: temporaryFolder(t) }, rounds: 12 })
})
