import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { announcePolicyChange } from '../../src/db/policy-store.js'
import { budgets } from '../../src/db/schema/index.js'
import { openDatabase } from '../../src/db/open-database.js'
import {
  type DatabaseKind, createDatabase, silentLog, temporaryFolder, testDatabaseOptions
} from '../helpers/database.js'
import { type TestGateway, startGateway } from '../helpers/gateway.js'
import { startGatewayProcess } from '../helpers/gateway-process.js'
import { startTcpProxy } from '../helpers/tcp-proxy.js'
import { until } from '../helpers/until.js'
import { json, startUpstream } from '../helpers/upstream.js'

/** A call costs 0.15 USD: gpt-4o-mini's price of a million tokens. */
const answer = json({
  model: 'gpt-4o-mini', choices: [], usage: { prompt_tokens: 1_000_000, completion_tokens: 0, total_tokens: 1_000_000 }
})

async function call (origin: string): Promise<number> {
  const response = await fetch(`${origin}/v1/chat/completions`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"model":"gpt-4o-mini","messages":[]}'
  })
  await response.text()
  return response.status
}

const newBudget = (limitUsd: string): typeof budgets.$inferInsert =>
  ({
    id: randomUUID(),
    name: 'total',
    prompt_type: null,
    period: 'total',
    limit_usd: limitUsd,
    thresholds: [100],
    action: 'block'
  })

/** Sets the limit of the one budget, and has the instance go by it. */
async function setLimit ({ database, admin }: TestGateway, limitUsd: string): Promise<void> {
  await database.operator.transaction(async transaction => {
    const { count } = await transaction.update(budgets).set({ limit_usd: limitUsd })
    if (count === 0) await transaction.insert(budgets).values(newBudget(limitUsd))
    await announcePolicyChange(transaction)
  })
  await admin('PATCH', '/settings', { default_is_active: true })
}

async function spent ({ database }: TestGateway): Promise<unknown> {
  const [row] = await database.operator.execute(sql`
    select spent_usd::float8 as spent, (select sum(cost)::float8 from usage_rollups) as cost, (select sum(blocked_calls)::int from prompt_stats) as blocked from budget_periods`)
  return row
}

async function untilRecorded ({ origin }: TestGateway): Promise<void> {
  await until(async () => {
    const { records_pending: pending, database } = await (await fetch(`${origin}/readyz`)).json() as {
      records_pending: number, database: string
    }
    return pending === 0 && database === 'ok'
  }, 20)
}

async function startBehindProxy (t: Test) {
  const upstream = await startUpstream(t)
  upstream.reply(answer)
  const databaseUrl = await createDatabase()
  const proxy = await startTcpProxy(t, databaseUrl)
  const location = { databaseUrl: proxy.withPort(databaseUrl), dataDir: temporaryFolder(t) }
  return {
    proxy, gateway: await startGateway(t, { upstreamUrl: upstream.url, location, env: { RECORD_WAIT_MS: '50' } })
  }
}

t.test('while the database is away what is spent counts all the same, and once when it is back', async t => {
  const { proxy, gateway } = await startBehindProxy(t)
  await setLimit(gateway, '0.45')
  t.equal(await call(gateway.origin), 200)
  proxy.refuse()
  proxy.cut('all')
  t.equal(await call(gateway.origin), 200)
  t.equal(await call(gateway.origin), 200)
  t.equal(await call(gateway.origin), 429)
  proxy.restore()
  await untilRecorded(gateway)
  t.same(await spent(gateway), { spent: 0.45, cost: 0.45, blocked: 1 })
  t.equal(await call(gateway.origin), 429)
  await setLimit(gateway, '0.75')
  t.same([await call(gateway.origin), await call(gateway.origin), await call(gateway.origin)], [200, 200, 429])
  t.same(await spent(gateway), { spent: 0.75, cost: 0.75, blocked: 3 })
})

t.test('a commit whose answer is lost is spent once', async t => {
  const { proxy, gateway } = await startBehindProxy(t)
  // More than enough: until it has its answer, a batch may count as what the database has and as what is under way.
  await setLimit(gateway, '1.5')
  t.equal(await call(gateway.origin), 200)
  proxy.loseAnswers(/write_batch/, 2)
  t.same([await call(gateway.origin), await call(gateway.origin), await call(gateway.origin)], [200, 200, 200])
  t.ok(proxy.lostAnswers() > 0)
  proxy.restore()
  await untilRecorded(gateway)
  t.same(await spent(gateway), { spent: 0.6, cost: 0.6, blocked: 0 })
  await setLimit(gateway, '0.6')
  t.equal(await call(gateway.origin), 429)
  await setLimit(gateway, '0.9')
  t.same([await call(gateway.origin), await call(gateway.origin), await call(gateway.origin)], [200, 200, 429])
})

for (const kind of ['embedded', 'postgres'] satisfies DatabaseKind[]) {
  t.test(`a gateway that was killed goes by the books when it starts again (${kind})`, async t => {
    const upstream = await startUpstream(t)
    upstream.reply(answer)
    const location = await testDatabaseOptions(t, kind)
    const before = await openDatabase({ ...location, log: silentLog })
    await before.operator.insert(budgets).values(newBudget('0.45'))
    await before.close()
    const first = await startGatewayProcess(t, { upstreamUrl: upstream.url, location })
    t.same([await call(first.origin), await call(first.origin)], [200, 200])
    first.kill('SIGKILL')
    await first.exited
    const second = await startGatewayProcess(t, { upstreamUrl: upstream.url, location })
    t.same([await call(second.origin), await call(second.origin)], [200, 429])
    t.same(await second.stop(), { code: 0, signal: null })
    const after = await openDatabase({ ...location, log: silentLog })
    t.teardown(() => after.close())
    const [books] = await after.operator.execute(
      sql`select spent_usd::float8 as spent, (select sum(total_cost)::float8 from prompt_stats) as cost from budget_periods`
    )
    t.same(books, { spent: 0.45, cost: 0.45 })
  })
}

t.test('a start without the database goes by what was spent in the run before, its journal included', async t => {
  const upstream = await startUpstream(t)
  upstream.reply(answer)
  const databaseUrl = await createDatabase()
  const proxy = await startTcpProxy(t, databaseUrl)
  const location = { databaseUrl: proxy.withPort(databaseUrl), dataDir: temporaryFolder(t) }
  const before = await openDatabase({ databaseUrl, dataDir: temporaryFolder(t), log: silentLog })
  await before.operator.insert(budgets).values(newBudget('0.3'))
  await before.close()
  const first = await startGatewayProcess(t, { upstreamUrl: upstream.url, location })
  t.equal(await call(first.origin), 200)
  proxy.refuse()
  proxy.cut('all')
  t.same([await call(first.origin), await call(first.origin)], [200, 429])
  await first.stop()
  const second = await startGatewayProcess(t, { upstreamUrl: upstream.url, location })
  t.equal(await call(second.origin), 429)
  proxy.restore()
  await until(async () => (await second.readyz()).records_pending === 0, 20)
  t.equal(await call(second.origin), 429)
  await second.stop()
  const after = await openDatabase({ databaseUrl, dataDir: temporaryFolder(t), log: silentLog })
  t.teardown(() => after.close())
  const [period] = await after.operator.execute(sql`select spent_usd::float8 as spent from budget_periods`)
  t.same(period, { spent: 0.3 })
})
