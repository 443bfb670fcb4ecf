import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import postgres from 'postgres'
import t, { type Test } from 'tap'
import type { Database } from '../../src/db/database.js'
import { openDatabase } from '../../src/db/open-database.js'
import { DatabaseUnavailable, isConnectionLost } from '../../src/db/database-errors.js'
import type { Log } from '../../src/log.js'
import { silentLog, temporaryFolder } from '../helpers/database.js'
import { gate } from '../helpers/gate.js'
import { type PostgresServer, startPostgres } from '../helpers/postgres-server.js'
import { until } from '../helpers/until.js'

async function ownServer (t: Test): Promise<PostgresServer> {
  const server = await startPostgres()
  t.teardown(async () => await server.remove())
  return server
}

async function openAway (t: Test, server: PostgresServer, log: Log = silentLog): Promise<Database> {
  const database = await openDatabase({
    databaseUrl: server.url(), dataDir: temporaryFolder(t), mayBeUnavailable: true, log
  })
  t.teardown(async () => await database.close())
  return database
}

const watched = (): { log: Log, told: { fields: object, message: string }[] } => {
  const told: { fields: object, message: string }[] = []
  const tell = (fields: object, message: string): void => { told.push({ fields, message }) }
  return { told, log: { debug: tell, info: tell, warn: tell, error: tell } }
}

t.test('a server that may be away is opened without it, and used once it is there', async t => {
  const server = await ownServer(t)
  await server.stop('fast')
  await t.rejects(
    openDatabase({ databaseUrl: server.url(), dataDir: temporaryFolder(t), log: silentLog }), DatabaseUnavailable
  )
  const { log, told } = watched()
  const database = await openAway(t, server, log)
  t.throws(() => database.recording, DatabaseUnavailable)
  await t.rejects(database.ping())
  const heard = gate()
  void database.listen('news', heard.open)
  await server.start()
  const [row] = await until(async () => {
    try {
      return await database.recording.execute(sql`select count(*)::int as rows from gateway_settings`)
    } catch {
      return null // Not there yet.
    }
  }, 20)
  t.same(row, { rows: 1 })
  await t.resolves(database.ping())
  t.match(told.map(({ message }) => message)
    .filter(message => !message.includes('cannot be opened')), [
    /starting without the database/, /database is available/
  ])
  await heard.passed()
})

t.test('a server at fault is refused, though it might have been away', async t => {
  const server = await ownServer(t)
  await t.rejects(openAway(t, { ...server, url: () => server.url('no_such_database') }), /no_such_database/)
})

t.test('a newer schema that is found late is told and left as it is; nothing is recorded, and nobody is told that it could be', async t => {
  const server = await ownServer(t)
  const first = await openDatabase({ databaseUrl: server.url(), dataDir: temporaryFolder(t), log: silentLog })
  await first.operator.execute(
    sql`insert into drizzle.__drizzle_migrations (hash, created_at) values ('newer', ${Date.UTC(2999, 0)})`
  )
  await first.close()
  await server.stop('fast')
  const { log, told } = watched()
  const database = await openAway(t, server, log)
  await server.start()
  const isTold = (): boolean => told.some(({ fields }) =>
    'err' in fields && /newer promptmeter/.test(String(fields.err)))
  await until(isTold)
  t.throws(() => database.recording, DatabaseUnavailable)
  await t.rejects(database.ping(), DatabaseUnavailable)
  const client = postgres(server.url(), { max: 1 })
  const [row] = await client`select count(*)::int as newer from drizzle.__drizzle_migrations where hash = 'newer'`
  await client.end()
  t.same(row, { newer: 1 })
})

t.test('close is prompt while the server is away', async t => {
  const server = await ownServer(t)
  await server.stop('fast')
  const database = await openAway(t, server)
  const startedAtMs = performance.now()
  await database.close()
  t.ok(performance.now() - startedAtMs < 3000)
})

t.test('reconnect frees a statement on which no answer comes; the next is answered once the server goes on', async t => {
  const server = await ownServer(t)
  const database = await openAway(t, server)
  await database.recording.execute(sql`select 1`)
  server.kill('SIGSTOP')
  const hanging = database.recording.execute(sql`select 2 as two`)
  const pinging = database.ping()
  let freed = false
  const end = hanging.then(() => null, (error: unknown) => { freed = true; return error })
  await sleep(100)
  t.equal(freed, false)
  database.reconnect()
  t.equal(isConnectionLost(await end), true)
  await t.rejects(pinging)
  server.kill('SIGCONT')
  t.same([...await database.recording.execute(sql`select 3 as three`)], [{ three: 3 }])
  await t.resolves(database.ping())
})
