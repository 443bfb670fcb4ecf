import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { announcePolicyChange } from '../../src/db/policy-store.js'
import { budgetLifts, budgets } from '../../src/db/schema/index.js'
import { databaseKinds, temporaryFolder, testDatabaseOptions } from '../helpers/database.js'
import { type TestGateway, startGateway } from '../helpers/gateway.js'
import { until } from '../helpers/until.js'
import { json, startUpstream, type Upstream } from '../helpers/upstream.js'
import { RawCaller, logRows } from './raw-caller.js'

/** No answer overtakes its record, however slow the machine: what is asked of the books after it is there. */
const env = { RECORD_WAIT_MS: '60000' }

/** A call costs 0.15 USD: gpt-4o-mini's price of a million tokens. */
const answer = json({
  model: 'gpt-4o-mini', choices: [], usage: { prompt_tokens: 1_000_000, completion_tokens: 0, total_tokens: 1_000_000 }
})

interface Refused { readonly message: string, readonly type: string, readonly param: string | null, readonly code: string }
interface Answer { readonly status: number, readonly headers: Headers, readonly error: Refused | undefined }

async function call (
  gateway: TestGateway, promptType: string, path = 'chat/completions', body: object = {}
): Promise<Answer> {
  const get = path === 'models'
  const response = await fetch(`${gateway.origin}/prompt-types/${promptType}/v1/${path}`, {
    method: get ? 'GET' : 'POST',
    ...(get
      ? {}
      : {
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ model: 'gpt-4o-mini', messages: [], ...body })
        })
  })
  const { error } = await response.json() as { error?: Refused }
  return { status: response.status, headers: response.headers, error }
}

type NewBudget = typeof budgets.$inferInsert

/** Makes a budget as the operator's API does, and has this instance go by it. */
async function addBudget (gateway: TestGateway, wanted: Partial<NewBudget>): Promise<string> {
  const id = randomUUID()
  await gateway.database.operator.transaction(async transaction => {
    await transaction.insert(budgets)
      .values(
        {
          id,
          name: 'nightly',
          prompt_type: null,
          period: 'day',
          limit_usd: '0.3',
          thresholds: [50, 100],
          action: 'block',
          ...wanted
        }
      )
    await transaction.execute(sql`select recount_budget(${id}, ${new Date().toISOString()})`)
    await announcePolicyChange(transaction)
  })
  await refresh(gateway)
  return id
}

/** Any change by the API has its instance read the policy before it answers. */
const refresh = async (gateway: TestGateway): Promise<void> => {
  await gateway.admin('PATCH', '/settings', { default_is_active: true })
}

async function blockedCalls (gateway: TestGateway): Promise<unknown> {
  return await gateway.database.operator.execute(sql`
    select prompt_type, total_calls::int, failed_calls::int, blocked_calls::int, last_status_code from prompt_stats order by prompt_type`)
}

for (const kind of databaseKinds) {
  t.test(`calls of a spent budget are refused before upstream sees them, until its period ends (${kind})`, async t => {
    const upstream = await startUpstream(t)
    upstream.reply(answer)
    let nowMs = Date.parse('2026-12-31T23:00:00Z')
    const gateway = await startGateway(t, { upstreamUrl: upstream.url, env, kind, now: () => nowMs })
    await addBudget(gateway, { prompt_type: 'a', period: 'week' })
    t.equal((await call(gateway, 'a')).status, 200)
    t.equal((await call(gateway, 'a')).status, 200, 'the limit is reached by the second call')
    const refused = await call(gateway, 'a')
    t.equal(refused.status, 429)
    t.match(refused.error, { type: 'insufficient_quota', param: null, code: 'budget_exceeded' })
    t.match(refused.error?.message, /'nightly', 0\.3 USD a week, is spent\..* 2027-01-04T00:00:00\.000Z/)
    t.equal(refused.headers.get('x-should-retry'), 'false')
    t.equal((await call(gateway, 'a', 'images/generations')).status, 429, 'one that may cost something')
    t.equal((await call(gateway, 'a', 'moderations')).status, 200, 'a free one')
    t.equal((await call(gateway, 'a', 'models')).status, 200, 'one that reads')
    t.equal((await call(gateway, 'b')).status, 200, 'another type')
    t.equal(upstream.requests.length, 5)
    nowMs = Date.parse('2027-01-03T23:59:59.999Z')
    t.equal((await call(gateway, 'a')).status, 429)
    nowMs++
    t.equal((await call(gateway, 'a')).status, 200)
    t.same(await blockedCalls(gateway), [
      { prompt_type: 'a', total_calls: 3, failed_calls: 0, blocked_calls: 3, last_status_code: 200 },
      { prompt_type: 'b', total_calls: 1, failed_calls: 0, blocked_calls: 0, last_status_code: 200 }
    ])
    const rows = (await logRows(gateway)).filter(row => row['status_code'] === '429' || row['status_code'] === 429)
    t.equal(rows.length, 3)
    t.match(rows[0], {
      prompt_type: 'a', error_type: 'budget_exceeded', cost: null, cost_reason: 'not_metered', input_tokens: null
    })
    const fired = await gateway.database.operator.execute(
      sql`select threshold from budget_alerts order by period_start, threshold`
    )
    t.same(fired.map(({ threshold }) => threshold), [50, 100, 50], 'the new week has its own')
  })
}

t.test('a budget of all traffic without an end refuses a type that is new, and makes its config; raised or lifted it opens', async t => {
  const upstream = await startUpstream(t)
  upstream.reply(answer)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env })
  const id = await addBudget(gateway, { period: 'total', limit_usd: '0.15' })
  t.equal((await call(gateway, 'a')).status, 200)
  const refused = await call(gateway, 'new')
  t.match(refused.error?.message, 'when the limit is raised or an operator lifts it')
  t.match((await gateway.admin('GET', '/prompt-configs/new')).body, {
    prompt_type: 'new', total_calls: 0, blocked_calls: 1
  })
  await gateway.database.operator.insert(budgetLifts)
    .values({ budget_id: id, prompt_type: 'new', period_start: new Date(0).toISOString() })
  await refresh(gateway)
  t.equal((await call(gateway, 'new')).status, 200)
  t.equal((await call(gateway, 'a')).status, 429)
  await gateway.database.operator.execute(sql`update budgets set limit_usd = 0.45`)
  await refresh(gateway)
  t.equal((await call(gateway, 'a')).status, 200)
  t.equal((await call(gateway, 'a')).status, 429)
})

t.test('a budget counts what was spent before it was made', async t => {
  const upstream = await startUpstream(t)
  upstream.reply(answer)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env })
  await Promise.all([call(gateway, 'a'), call(gateway, 'a'), call(gateway, 'b')])
  await addBudget(gateway, { prompt_type: 'a' })
  t.equal((await call(gateway, 'a')).status, 429)
  t.equal((await call(gateway, 'b')).status, 200)
})

t.test('a refused call\'s body need not come first', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env })
  await addBudget(gateway, { limit_usd: '0' })
  const caller = new RawCaller(t, gateway.origin).send(
    'POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n{"model":'
  )
  t.equal((await caller.answer()).status, 429)
  t.equal(upstream.requests.length, 0)
})

/** So many gateways on one PostgreSQL. */
async function startGateways (t: Test, upstream: Upstream, count: number): Promise<TestGateway[]> {
  const { databaseUrl } = await testDatabaseOptions(t, 'postgres')
  return await Promise.all(Array.from({ length: count }, async () =>
    await startGateway(t, { upstreamUrl: upstream.url, env, location: { databaseUrl, dataDir: temporaryFolder(t) } })))
}

t.test('what one instance spends blocks the others', async t => {
  const upstream = await startUpstream(t)
  upstream.reply(answer)
  const [here, there] = await startGateways(t, upstream, 2) as [TestGateway, TestGateway]
  await addBudget(here, {})
  await refresh(there)
  await call(here, 'a')
  await call(here, 'a')
  const spentAtMs = performance.now()
  await until(async () => (await call(there, 'a')).status === 429)
  t.pass(`after ${(performance.now() - spentAtMs).toFixed()} ms, by a poll every half second`)
})

t.test('five instances cross a threshold at once, and one alert is fired', async t => {
  const upstream = await startUpstream(t)
  upstream.reply(answer)
  const gateways = await startGateways(t, upstream, 5)
  const [first] = gateways as [TestGateway]
  await addBudget(first, {
    limit_usd: '6', thresholds: [50, 100], action: 'alert', webhook_url: 'https://example.com/'
  })
  await Promise.all(Array.from({ length: 40 }, async (_, i) => await call(gateways[i % 5] ?? first, `type-${i % 3}`)))
  const { database: { operator } } = first
  const fired = await operator.execute(
    sql`select threshold, (select count(*)::int from alert_deliveries where alert_id = alert.id) as deliveries from budget_alerts alert order by threshold`
  )
  t.same(fired, [{ threshold: 50, deliveries: 1 }, { threshold: 100, deliveries: 1 }])
  const [period] = await operator.execute(
    sql`select spent_usd::float8 as spent, exceeded_at is not null as exceeded from budget_periods`
  )
  t.same(period, { spent: 6, exceeded: true })
})

t.test('two hundred callers at once spend no more than a strict budget for fifty calls', async t => {
  const upstream = await startUpstream(t)
  upstream.reply(
    json({
      model: 'gpt-4o-mini', choices: [], usage: { prompt_tokens: 10, completion_tokens: 1000, total_tokens: 1010 }
    })
  )
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env })
  const costPicoUsd = 10n * 150_000n + 1000n * 600_000n
  const limit = 50n * costPicoUsd
  await addBudget(gateway, { strict: true, limit_usd: `${Number(limit) / 1e12}` })
  const ask = async () => await call(gateway, 'a', 'chat/completions', {
    messages: [{ role: 'user', content: 'Tell me a story.' }], max_completion_tokens: 1000, service_tier: 'default'
  })
  const answers = await Promise.all(Array.from({ length: 200 }, ask))
  const passed = answers.filter(({ status }) => status === 200).length
  const refused = answers.filter(({ status }) => status === 429)
  t.ok(passed > 40 && passed <= 50, `${passed} were let through`)
  t.equal(passed + refused.length, 200)
  t.match(refused[0]?.error?.message, 'calls in flight hold the rest')
  t.equal(upstream.requests.length, passed)
  t.match(await blockedCalls(gateway), [{ total_calls: passed, blocked_calls: refused.length }])
  const left = 50 - passed
  for (let i = 0; i < left; i++) await ask()
  const [period] = await gateway.database.operator.execute<{ pico: string }>(
    sql`select (spent_usd * 1000000000000)::bigint::text as pico from budget_periods`
  )
  t.ok(BigInt(period?.pico ?? '') <= limit, 'never more than the limit')
  t.equal((await ask()).status, 429)
})
