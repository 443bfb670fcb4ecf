import postgres, { type Sql } from 'postgres'
import t, { type Test } from 'tap'
import { createDatabase, databaseKinds, temporaryFolder, testDatabaseOptions } from '../helpers/database.js'
import { checkBooks } from '../helpers/fault-books.js'
import { newTally, startFaultLoad } from '../helpers/fault-load.js'
import { startGatewayProcess } from '../helpers/gateway-process.js'
import { startPlannedUpstream } from '../helpers/planned-calls.js'
import { startTcpProxy } from '../helpers/tcp-proxy.js'
import { until } from '../helpers/until.js'

const ended = { code: 0, signal: null }

for (const kind of databaseKinds) {
  t.test(`a second process on the same DATA_DIR is refused in words, until the first is gone, be it by SIGKILL (${kind})`, async t => {
    const upstreamUrl = await startPlannedUpstream(t)
    const location = await testDatabaseOptions(t, kind)
    const env = { RECORD_WAIT_MS: '60000' }
    const first = await startGatewayProcess(t, { upstreamUrl, location, env })
    const tally = newTally()
    const load = startFaultLoad(t, first.origin, { tally, callers: 10, pauseMs: 50 })
    const message = new RegExp(`\\(1\\):[^]*is in use by another promptmeter \\(process ${first.pid}\\)`)
    await t.rejects(startGatewayProcess(t, { upstreamUrl, location, env }), { message })
    // The folder is what counts, not the database: the journal lies in it.
    const other = { databaseUrl: kind === 'embedded' ? await createDatabase() : null, dataDir: location.dataDir }
    await t.rejects(startGatewayProcess(t, { upstreamUrl, location: other, env }), { message })
    await load.answers(50)
    await load.stop()
    t.same([...tally.failed], [], 'the first goes on')
    first.kill('SIGKILL')
    t.same(await first.exited, { code: null, signal: 'SIGKILL' })

    const next = await startGatewayProcess(t, { upstreamUrl, location, env })
    const more = startFaultLoad(t, next.origin, { tally, callers: 10, pauseMs: 50 })
    await more.answers(50)
    await more.stop()
    t.same(await next.stop(), ended)
    await checkBooks(t, { location, tally })
  })
}

t.test('five processes that start at once on an empty database all serve, and it has its schema once', async t => {
  const upstreamUrl = await startPlannedUpstream(t)
  const databaseUrl = await createDatabase('empty')
  const gateways = await Promise.all(Array.from({ length: 5 }, async () =>
    await startGatewayProcess(t, {
      upstreamUrl,
      location: { databaseUrl, dataDir: temporaryFolder(t) },
      env: { RECORD_WAIT_MS: '60000', LOG_LEVEL: 'warn' }
    })))
  const tally = newTally()
  const loads = gateways.map(({ origin }) => startFaultLoad(t, origin, { tally, callers: 4 }))
  await Promise.all(loads.map(async load => await load.answers(50)))
  await Promise.all(loads.map(async load => await load.stop()))
  t.same([...tally.failed], [])
  t.same(gateways.flatMap(gateway => gateway.log), [], 'no warning, no error')
  const sql = open(t, databaseUrl)
  const [once] = await sql`
    select (select count(*) = count(distinct hash) and count(*) > 0 from drizzle.__drizzle_migrations) as migrations,
      (select count(*)::int from gateway_settings) as settings`
  t.same(once, { migrations: true, settings: 1 })
  await checkBooks(t, { location: { databaseUrl, dataDir: temporaryFolder(t) }, tally })
})

t.test('a database with a newer schema is refused in words and left as it is, also where the gateway may start without it', async t => {
  const upstreamUrl = await startPlannedUpstream(t)
  const databaseUrl = await createDatabase()
  const proxy = await startTcpProxy(t, databaseUrl)
  const location = { databaseUrl: proxy.withPort(databaseUrl), dataDir: temporaryFolder(t) }
  const first = await startGatewayProcess(t, { upstreamUrl, location })
  t.same(await first.stop(), ended)
  const sql = open(t, databaseUrl)
  await sql`insert into drizzle.__drizzle_migrations (hash, created_at) values ('newer', ${Date.UTC(2999, 0)})`
  const before = await contents(sql)

  const newer = /newer promptmeter.*2999-01-01.*nothing was changed/
  await t.rejects(startGatewayProcess(t, { upstreamUrl, location }), { message: /\(1\):/ })
  await t.rejects(startGatewayProcess(t, { upstreamUrl, location }), { message: newer })
  t.same(await contents(sql), before)

  // It comes back with a newer schema while a gateway waits for it: calls go on, into the journal.
  proxy.refuse()
  const waiting = await startGatewayProcess(t, { upstreamUrl, location })
  proxy.restore()
  const tally = newTally()
  const load = startFaultLoad(t, waiting.origin, { tally, callers: 10, pauseMs: 50 })
  await load.answers(50)
  await until(() => JSON.stringify(waiting.log).includes('newer promptmeter'), 20)
  await load.answers(50)
  await load.stop()
  t.same([...tally.failed], [])
  t.match(await waiting.readyz(), {
    status: 'degraded', database: 'degraded', journal: 'in_use', records_pending: tally.answered.size
  })
  t.same(await waiting.stop(), ended)
  t.same(await contents(sql), before)

  // Back to the schema that this build knows: all of it goes in.
  await sql`delete from drizzle.__drizzle_migrations where hash = 'newer'`
  const last = await startGatewayProcess(t, { upstreamUrl, location })
  await until(async () => (await last.readyz()).records_pending === 0, 20)
  t.same(await last.stop(), ended)
  await checkBooks(t, { location, tally })
})

function open (t: Test, databaseUrl: string): Sql {
  const sql = postgres(databaseUrl, { max: 1 })
  t.teardown(() => sql.end())
  return sql
}

/** Every table's columns, every relation, and how often a row was ever written. */
async function contents (sql: Sql): Promise<unknown> {
  const [found] = await sql`
    select (select md5(string_agg(concat_ws(' ', table_schema, table_name, column_name, data_type, column_default), ',' order by table_schema, table_name, ordinal_position))
        from information_schema.columns where table_schema in ('public', 'drizzle')) as columns,
      (select string_agg(relname, ',' order by relname) from pg_class where relnamespace in ('public'::regnamespace, 'drizzle'::regnamespace)) as relations,
      (select to_jsonb(gateway_settings) || jsonb_build_object('written_by', xmin::text) from gateway_settings) as settings,
      (select count(*)::int from usage_logs) + (select count(*)::int from prompt_stats) + (select count(*)::int from recorded_batches) as rows`
  return found
}
