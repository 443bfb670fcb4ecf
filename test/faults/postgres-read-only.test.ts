import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createDatabase } from '../helpers/database.js'
import { untilDegraded } from '../helpers/fault-books.js'
import { administer, endScene, startScene } from '../helpers/fault-scene.js'

t.test('a database that is read-only for a while: no call fails or waits, nothing is set aside, and the books are exact', async t => {
  const databaseUrl = await createDatabase()
  const name = new URL(databaseUrl).pathname.slice(1)
  const elsewhere = Object.assign(new URL(databaseUrl), { pathname: '/postgres' }).href
  const alter = async (setting: string): Promise<void> => {
    await administer(elsewhere, `alter database ${name} ${setting}; select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`)
  }
  const scene = await startScene(t, { databaseUrl })
  await alter('set default_transaction_read_only = on')
  await untilDegraded(scene.gateway)
  await scene.load.answers(1000)
  await alter('reset default_transaction_read_only')
  await endScene(t, scene)
  t.notOk(existsSync(join(scene.location.dataDir, 'rejected.jsonl')))
})
