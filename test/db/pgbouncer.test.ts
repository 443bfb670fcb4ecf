import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import postgres from 'postgres'
import t, { type Test } from 'tap'
import { openDatabase } from '../../src/db/open-database.js'
import { createDatabase, silentLog, temporaryFolder } from '../helpers/database.js'
import { ADMIN, type TestGateway, startGateway } from '../helpers/gateway.js'
import { call } from '../helpers/http-call.js'
import { pgbouncerProgram, startPgbouncer } from '../helpers/pgbouncer.js'
import { until } from '../helpers/until.js'
import { json, startUpstream } from '../helpers/upstream.js'

const program = pgbouncerProgram()
const skip = program === null ? 'PgBouncer is not installed on this machine (Debian: apt-get install pgbouncer)' : false
const plain = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}'
const usage = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 }

async function behindPgbouncer (
  t: Test, content: 'empty' | 'migrated' = 'migrated', config: readonly string[] = []
): Promise<{ direct: string, pooled: string }> {
  const direct = await createDatabase(content)
  return { direct, pooled: await startPgbouncer(t, program ?? '', direct, config) }
}

async function gatewayAt (t: Test, databaseUrl: string): Promise<TestGateway> {
  const upstream = await startUpstream(t)
  upstream.reply(json({ model: 'gpt-4o-mini', usage }))
  return await startGateway(t, { upstreamUrl: upstream.url, location: { databaseUrl, dataDir: temporaryFolder(t) } })
}

const callOf = async (gateway: TestGateway, type: string): Promise<number> =>
  (await call(`${gateway.origin}/prompt-types/${type}/v1/chat/completions`, { body: plain })).status

t.test('behind PgBouncer an empty database is migrated once, by five instances at once', { skip }, async t => {
  const { pooled } = await behindPgbouncer(t, 'empty')
  const databases = await Promise.all(Array.from({ length: 5 }, async () =>
    await openDatabase({ databaseUrl: pooled, dataDir: temporaryFolder(t), log: silentLog })))
  t.teardown(async () => { await Promise.all(databases.map(async database => await database.close())) })
  t.same(await databases[0]?.operator.execute(sql`select count(*)::int as rows from gateway_settings`), [{ rows: 1 }])
})

t.test('behind PgBouncer calls are recorded and operators served, and nothing is left in its sessions', {
  skip
}, async t => {
  // Two sessions for nine connections: each transaction gets another.
  const { direct, pooled } = await behindPgbouncer(t, 'migrated', ['default_pool_size = 2'])
  const gateway = await gatewayAt(t, pooled)
  const types = Array.from({ length: 60 }, (_, n) => `type-${n % 7}`)
  t.same(new Set(await Promise.all(types.map(async type => await callOf(gateway, type)))), new Set([200]))
  const reads = [
    '/prompt-configs', '/usage-logs?limit=100', '/costs?group_by=prompt_type', '/settings', '/keys', '/budgets',
    '/audit-log', '/prices', '/usage-logs/export'
  ]
  for (let round = 0; round < 3; round++) {
    t.same((await Promise.all(
      reads.map(async path => await fetchStatus(gateway, path))
    )).map((status, n) => `${reads[n] ?? ''} ${status}`),
    reads.map(path => `${path} 200`))
  }
  t.match((await gateway.admin('GET', '/usage-logs')).body, { total: 60 })
  t.equal((await gateway.admin('POST', '/usage-logs/reprice', { only_unpriced: false })).status, 200)
  const ready = await (await fetch(`${gateway.origin}/readyz`)).json()
  t.match(ready, {
    status: 'ok', database: 'ok', database_pools: { recording: 'ok', operator: 'ok' }, journal: 'ok', records_pending: 0
  })
  const own = postgres(pooled, { max: 2, prepare: false })
  t.teardown(async () => await own.end())
  for (let n = 0; n < 10; n++) {
    const [left] = await own.unsafe(`select (select count(*)::int from pg_prepared_statements) as statements,
      (select count(*)::int from pg_listening_channels()) as channels, current_setting('statement_timeout') as timeout, current_setting('jit') as jit`)
    t.same(left, { statements: 0, channels: 0, timeout: '0', jit: 'on' })
  }
  await gateway.close()
  const books = postgres(direct, { max: 1 })
  t.teardown(async () => await books.end())
  t.same(Array.from(await books`select count(*)::int as rows from usage_logs`), [{ rows: 60 }])
})

t.test('behind PgBouncer an operator’s query is stopped by its time-out, a commit is not under it', {
  skip
}, async t => {
  const { pooled } = await behindPgbouncer(t)
  const database = await openDatabase({ databaseUrl: pooled, dataDir: temporaryFolder(t), log: silentLog })
  t.teardown(async () => await database.close())
  const settings = sql`select current_setting('statement_timeout') as timeout, current_setting('lock_timeout') as lock,
    current_setting('max_parallel_workers_per_gather') as workers, current_setting('jit') as jit`
  const own = [{ timeout: '15s', lock: '5s', workers: '0', jit: 'off' }]
  t.same(await database.operator.execute(settings), own)
  t.same(
    await database.operator.transaction(async tx => await tx.execute(settings), {
      isolationLevel: 'repeatable read', accessMode: 'read only'
    }),
    own
  )
  for (let n = 0; n < 5; n++) t.match(await database.recording.execute(settings), [{ timeout: '0', lock: '0' }])
})

t.test('behind PgBouncer a change on one instance holds on another within a second', { skip }, async t => {
  const { pooled } = await behindPgbouncer(t)
  const [first, second] = [await gatewayAt(t, pooled), await gatewayAt(t, pooled)]
  t.equal(await callOf(second, 'a'), 200)
  t.equal((await first.admin('PATCH', '/prompt-configs/a', { is_active: false })).status, 200)
  const changedAtMs = Date.now()
  const logged = async (): Promise<number> => ((await second.admin(
    'GET', '/usage-logs'
  )).body as { total: number }).total
  for (let before = -1, now = await logged(); before !== now; before = now, now = await logged()) {
    await sleep(100)
    t.equal(await callOf(second, 'a'), 200)
  }
  t.comment(`after ${Date.now() - changedAtMs} ms`)
})

t.test('without a pooler a batch is a prepared statement, and a change is heard of', async t => {
  const gateway = await gatewayAt(t, await createDatabase())
  t.equal(await callOf(gateway, 'a'), 200)
  const statements = sql`select count(*)::int as count from pg_prepared_statements where statement like '%write_batch%'`
  const count = async (): Promise<number | undefined> => (await gateway.database.recording.execute<{
    count: number
  }>(statements))[0]?.count
  // The pool's connections take turns.
  await until(async () => await count() === 1)
  t.match(await gateway.database.operator.execute(sql`select count(*)::int as count from pg_stat_activity
    where datname = current_database() and query like 'listen%'`), [{ count: 1 }])
})

t.test('what PgBouncer refuses is told at the start, by name', { skip }, async t => {
  const { pooled } = await behindPgbouncer(t)
  await t.rejects(openDatabase({
    databaseUrl: `${pooled}?options=-c%20jit%3Doff`, dataDir: temporaryFolder(t), log: silentLog
  }),
  /unsupported startup parameter: options/)
})

t.test('told to ignore them, PgBouncer takes options and drops them: a role’s own setting gets through', {
  skip
}, async t => {
  const { direct, pooled } = await behindPgbouncer(t, 'migrated', ['ignore_startup_parameters = options'])
  const url = `${pooled}?options=-c%20work_mem%3D7MB`
  const database = await openDatabase({ databaseUrl: url, dataDir: temporaryFolder(t), log: silentLog })
  t.teardown(async () => await database.close())
  const setting = async (): Promise<unknown> => (await database.recording.execute(sql`show work_mem`))[0]
  t.same(await setting(), { work_mem: '4MB' })
  const owner = postgres(direct, { max: 1 })
  t.teardown(async () => await owner.end())
  await owner.unsafe(`alter role postgres in database ${new URL(direct).pathname.slice(1)} set work_mem = '9MB'`)
  const other = await openDatabase({
    databaseUrl: await startPgbouncer(t, program ?? '', direct), dataDir: temporaryFolder(t), log: silentLog
  })
  t.teardown(async () => await other.close())
  t.same((await other.recording.execute(sql`show work_mem`))[0], { work_mem: '9MB' })
})

async function fetchStatus (gateway: TestGateway, path: string): Promise<number> {
  const authorization = `Basic ${Buffer.from(`${ADMIN.username}:${ADMIN.password}`).toString('base64')}`
  const response = await fetch(`${gateway.origin}/admin/api${path}`, { headers: { authorization } })
  await response.arrayBuffer()
  return response.status
}
