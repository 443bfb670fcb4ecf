import t from 'tap'
import { sql } from 'drizzle-orm'
import { createServer } from 'node:net'
import { once } from 'node:events'
import postgres from 'postgres'
import { openDatabase } from '../../src/db/open-database.js'
import { migrate } from '../../src/db/migrate.js'
import { openPool } from '../../src/db/pool.js'
import { createDatabase, openTestDatabase, silentLog, temporaryFolder } from '../helpers/database.js'

t.test('five instances that open an empty database at once migrate it once', async t => {
  const databaseUrl = await createDatabase('empty')
  const databases = await Promise.all(Array.from({ length: 5 }, async () =>
    await openDatabase({ databaseUrl, dataDir: temporaryFolder(t), log: silentLog })))
  t.teardown(async () => { await Promise.all(databases.map(async database => await database.close())) })
  const first = databases[0]
  if (first === undefined) throw new Error('no database')
  const [settings] = await first.recording.execute(sql`select count(*)::int as rows from gateway_settings`)
  t.same(settings, { rows: 1 })
})

t.test('one data folder is one instance\'s, with PostgreSQL too', async t => {
  const databaseUrl = await createDatabase()
  const dataDir = temporaryFolder(t)
  const first = await openDatabase({ databaseUrl, dataDir, log: silentLog })
  await t.rejects(
    openDatabase({ databaseUrl: await createDatabase(), dataDir, log: silentLog }), /in use by another promptmeter/
  )
  await first.close()
  const second = await openDatabase({ databaseUrl, dataDir, log: silentLog })
  await second.close()
})

t.test('a database that a newer build migrated is refused, and left as it is', async t => {
  const databaseUrl = await createDatabase()
  const client = postgres(databaseUrl, { max: 1 })
  t.teardown(async () => await client.end())
  await client`insert into drizzle.__drizzle_migrations (hash, created_at) values ('newer', ${Date.UTC(2999, 0)})`
  await t.rejects(
    openDatabase({ databaseUrl, dataDir: temporaryFolder(t), log: silentLog }), /newer promptmeter.*2999-01-01/
  )
})

t.test('migrating again changes nothing', async t => {
  const client = postgres(await createDatabase(), { max: 1, onnotice: () => {} })
  t.teardown(async () => await client.end())
  await migrate(openPool(client))
  const [row] = await client`select count(*)::int as settings from gateway_settings`
  t.same(row, { settings: 1 })
})

t.test('an unreachable server is named, with what to do, and without the password', async t => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  server.close()
  await once(server, 'close')
  const databaseUrl = `postgres://me:secret-word@127.0.0.1:${address.port}/books`
  const error: unknown = await openDatabase({ databaseUrl, dataDir: temporaryFolder(t), log: silentLog })
    .catch((e: unknown) => e)
  t.match(error, { message: new RegExp(`database 'books' at 127.0.0.1:${address.port}.*ECONNREFUSED.*Check that`) })
  t.notMatch(JSON.stringify(error) + String(error), 'secret-word')
})

t.test('a URL that cannot be read is refused without repeating it', async t => {
  const error: unknown = await openDatabase({
    databaseUrl: 'postgres://me:secret word@[oops', dataDir: temporaryFolder(t), log: silentLog
  })
    .catch((e: unknown) => e)
  t.match(error, { message: /DATABASE_URL is '…', but must be a URL such as/ })
  t.notMatch(JSON.stringify(error) + String(error), 'secret word')
})

t.test('an operator’s query is stopped by its time-out, a commit is not under it', async t => {
  const database = await openTestDatabase(t, 'postgres')
  const timeout = sql`select current_setting('statement_timeout') as value`
  t.same(await database.operator.execute(timeout), [{ value: '15s' }])
  t.same(await database.recording.execute(timeout), [{ value: '0' }])
})

t.test('an operator’s query takes one core', async t => {
  const database = await openTestDatabase(t, 'postgres')
  t.same(await database.operator.execute(
    sql`select current_setting('max_parallel_workers_per_gather') as workers, current_setting('jit') as jit`
  ),
  [{ workers: '0', jit: 'off' }])
})

t.test('a listener is called when it begins, at a notification, and after a reconnect', async t => {
  const database = await openTestDatabase(t, 'postgres')
  let calls = 0
  let called = (): void => {}
  const next = async (): Promise<void> => await new Promise(resolve => { called = resolve })
  const began = next()
  await database.listen('news', () => { calls++; called() })
  await began
  const notified = next()
  await database.operator.execute(sql`notify news`)
  await notified
  t.equal(calls, 2)
  const reconnected = next()
  await database.recording.execute(sql`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and query like 'listen%'`)
  await reconnected
  t.equal(calls, 3)
})

t.test('a ping is answered while the database is there and rejected once it is closed', async t => {
  const database = await openTestDatabase(t, 'postgres')
  await t.resolves(database.ping())
  await database.close()
  await t.rejects(database.ping())
})
