import t from 'tap'
import { sql } from 'drizzle-orm'
import type { Database } from '../../src/db/database.js'
import { auditLog, budgetAlerts, budgetLifts, budgets, usageRollups } from '../../src/db/schema/index.js'
import { openTestDatabase } from '../helpers/database.js'
import { onEachDatabase } from './each-database.js'
import { allPages, errorOf, messageOf, type Page, startAdmin } from './start-admin.js'

const list = '/admin/api/budgets'
const unknownId = '5b0f6f0e-2d0c-4d62-8a53-0f3c1b3a9c11'
const plain = { name: 'all of it', period: 'day', limit_usd: 10 }

/** Calls of a prompt type that cost so much in an hour, as the books have them. */
async function spend (database: Database, hour: string, promptType: string, cost: string): Promise<void> {
  await database.operator.insert(usageRollups).values({
    hour,
    prompt_type: promptType,
    model: 'm',
    user_name: 'u',
    calls: 1,
    failed_calls: 0,
    blocked_calls: 0,
    unpriced_calls: 0,
    input_tokens: 1,
    cached_input_tokens: 0,
    output_tokens: 1,
    reasoning_tokens: 0,
    cost,
    duration_ms: 1
  })
}

type Budget = Record<string, unknown> & { id: string }

onEachDatabase(t, 'a budget is made with what is left out, read, listed, changed field by field and deleted', async (t, database) => {
  let now = '2026-11-22T21:04:05.678Z'
  const { call, policyChanges } = await startAdmin(t, database, () => Date.parse(now), { email: true, privateWebhooks: false })
  const made = await call('POST', list, plain)
  t.equal(made.status, 201)
  const budget = made.body as Budget
  t.equal(made.headers.get('location'), `${list}/${budget.id}`)
  t.strictSame(budget, {
    id: budget.id,
    name: 'all of it',
    prompt_type: null,
    period: 'day',
    limit_usd: 10,
    thresholds: [50, 80, 100],
    action: 'alert',
    strict: false,
    webhook_url: null,
    email: null,
    created_at: now,
    updated_at: now,
    spent_usd: 0,
    period_start: '2026-11-22T00:00:00.000Z',
    period_end: '2026-11-23T00:00:00.000Z',
    state: 'ok'
  })
  const path = `${list}/${budget.id}`
  t.strictSame((await call('GET', path)).body, budget)
  t.strictSame((await call('GET', list)).body, { items: [budget], total: 1, next_cursor: null, sends_email: true })
  now = '2026-11-22T22:00:00.000Z'
  const changes = {
    name: 'images',
    prompt_type: 'not:yet',
    limit_usd: 0.000000000001,
    thresholds: [1000, 1, 70],
    action: 'block',
    strict: true,
    webhook_url: 'https://hooks.slack.com/services/T/B/secret?x=1',
    email: 'ops+alerts@example.com'
  }
  let expected: Budget = { ...budget, updated_at: now }
  for (const [name, value] of Object.entries(changes)) {
    expected = { ...expected, [name]: name === 'thresholds' ? [1, 70, 1000] : value }
    t.strictSame((await call('PATCH', path, { [name]: value })).body, expected, name)
  }
  t.strictSame((await call('PATCH', path, { period: 'total', prompt_type: null, webhook_url: null, email: null })).body,
    { ...expected, period: 'total', prompt_type: null, webhook_url: null, email: null, period_start: '1970-01-01T00:00:00.000Z', period_end: null })
  const [row] = await database.operator.select().from(budgets)
  t.equal(row?.limit_usd, '0.000000000001')
  t.equal((await call('DELETE', path)).status, 204)
  t.equal(errorOf(await call('GET', path)), '404 budget_not_found id')
  t.equal(policyChanges(), 11)
})

onEachDatabase(t, 'a new budget counts what was spent already, and thresholds that are reached fire at once', async (t, database) => {
  const { call } = await startAdmin(t, database, () => Date.parse('2026-11-22T12:00:00Z'), { email: true, privateWebhooks: false })
  await spend(database, '2026-11-22T00:00:00Z', 'a', '4.000000000001')
  await spend(database, '2026-11-22T11:00:00Z', 'b', '4')
  await spend(database, '2026-11-21T23:00:00Z', 'a', '100')
  const state = async (body: object): Promise<unknown[]> => {
    const answer = (await call('POST', list, { ...plain, ...body })).body as Budget
    return [answer['spent_usd'], answer['state']]
  }
  t.strictSame(await state({}), [8.000000000001, 'warning'])
  t.strictSame(await state({ prompt_type: 'a' }), [4.000000000001, 'ok'])
  t.strictSame(await state({ prompt_type: 'b', limit_usd: 4 }), [4, 'exceeded'])
  t.strictSame(await state({ prompt_type: 'b', limit_usd: 4.000000000001 }), [4, 'warning'])
  t.strictSame(await state({ prompt_type: 'b', limit_usd: 5, thresholds: [] }), [4, 'ok'])
  t.strictSame(await state({ prompt_type: 'b', limit_usd: 4, thresholds: [] }), [4, 'exceeded'])
  t.strictSame(await state({ prompt_type: 'b', limit_usd: 3, thresholds: [200] }), [4, 'exceeded'])
  t.strictSame(await state({ prompt_type: 'b', limit_usd: 5, thresholds: [80] }), [4, 'warning'])
  t.strictSame(await state({ prompt_type: 'c' }), [0, 'ok'])
  t.strictSame(await state({ period: 'week', prompt_type: 'a' }), [104.000000000001, 'exceeded'])
  t.strictSame(await state({ period: 'month', limit_usd: 1000 }), [108.000000000001, 'ok'])
  t.strictSame(await state({ period: 'total', limit_usd: 200 }), [108.000000000001, 'warning'])
  const fired = await database.operator.select({ threshold: budgetAlerts.threshold }).from(budgetAlerts)
    .where(sql`period = 'day' and prompt_type is null`).orderBy(budgetAlerts.threshold)
  t.strictSame(fired, [{ threshold: 50 }, { threshold: 80 }])
})

onEachDatabase(t, 'the period is the one of the clock: midnight, a leap day, a month\'s end, ISO week 53', async (t, database) => {
  let now = ''
  const { call } = await startAdmin(t, database, () => Date.parse(now))
  now = '2026-12-31T12:00:00Z'
  const ids = new Map<string, string>()
  for (const period of ['day', 'week', 'month', 'total']) ids.set(period, ((await call('POST', list, { ...plain, period })).body as Budget).id)
  const bounds = async (period: string, moment: string): Promise<string> => {
    now = moment
    const budget = (await call('GET', `${list}/${ids.get(period) ?? ''}`)).body as Budget
    return `${String(budget['period_start'])} ${String(budget['period_end'])}`.replaceAll('T00:00:00.000Z', '')
  }
  t.equal(await bounds('day', '2028-02-28T23:59:59.999Z'), '2028-02-28 2028-02-29')
  t.equal(await bounds('day', '2028-02-29T00:00:00.000Z'), '2028-02-29 2028-03-01')
  t.equal(await bounds('month', '2028-02-29T23:59:59.999Z'), '2028-02-01 2028-03-01')
  t.equal(await bounds('month', '2026-12-31T23:59:59.999Z'), '2026-12-01 2027-01-01')
  t.equal(await bounds('month', '2027-01-01T00:00:00Z'), '2027-01-01 2027-02-01')
  t.equal(await bounds('week', '2027-01-03T23:59:59.999Z'), '2026-12-28 2027-01-04', 'ISO week 53')
  t.equal(await bounds('week', '2027-01-04T00:00:00Z'), '2027-01-04 2027-01-11')
  t.equal(await bounds('total', '2027-01-04T00:00:00Z'), '1970-01-01 null')
})

onEachDatabase(t, 'spend of one period is not spend of the next', async (t, database) => {
  let now = '2028-02-29T23:59:59.999Z'
  const { call } = await startAdmin(t, database, () => Date.parse(now))
  await spend(database, '2028-02-29T23:00:00Z', 'a', '10')
  const { id, ...made } = (await call('POST', list, plain)).body as Budget
  t.match(made, { spent_usd: 10, state: 'exceeded' })
  now = '2028-03-01T00:00:00Z'
  t.match((await call('GET', `${list}/${id}`)).body, { spent_usd: 0, state: 'ok', period_start: '2028-03-01T00:00:00.000Z' })
  t.match((await call('GET', list)).body, { items: [{ id, spent_usd: 0, state: 'ok' }] })
})

onEachDatabase(t, 'another scope or period counts again; another limit or other thresholds fire what is reached, once', async (t, database) => {
  const { call } = await startAdmin(t, database, () => Date.parse('2026-11-22T12:00:00Z'))
  await spend(database, '2026-11-22T10:00:00Z', 'a', '4')
  await spend(database, '2026-11-20T10:00:00Z', 'b', '5')
  const { id } = (await call('POST', list, { ...plain, limit_usd: 100 })).body as Budget
  const change = async (body: object): Promise<unknown[]> => {
    const { spent_usd: spentUsd, state } = (await call('PATCH', `${list}/${id}`, body)).body as Budget
    const fired = await database.operator.select({ threshold: budgetAlerts.threshold }).from(budgetAlerts).orderBy(budgetAlerts.created_at, budgetAlerts.threshold)
    return [spentUsd, state, fired.map(alert => alert.threshold).join()]
  }
  t.strictSame(await change({ period: 'month' }), [9, 'ok', ''])
  t.strictSame(await change({ prompt_type: 'b' }), [5, 'ok', ''])
  t.strictSame(await change({ prompt_type: 'b', name: 'other' }), [5, 'ok', ''])
  t.strictSame(await change({ limit_usd: 10 }), [5, 'warning', '50'])
  t.strictSame(await change({ thresholds: [20, 50, 60] }), [5, 'warning', '20,50'])
  t.strictSame(await change({ limit_usd: 5 }), [5, 'exceeded', '20,50,60'])
  t.strictSame(await change({ limit_usd: 100 }), [5, 'ok', '20,50,60'])
  t.strictSame(await change({ limit_usd: 5 }), [5, 'exceeded', '20,50,60'], 'none a second time')
})

onEachDatabase(t, 'a raised limit opens what it blocked, and a changed one ends what was lifted', async (t, database) => {
  const { call } = await startAdmin(t, database, () => Date.parse('2026-11-22T12:00:00Z'))
  await call('POST', '/admin/api/prompt-configs', { prompt_type: 'a' })
  await spend(database, '2026-11-22T10:00:00Z', 'a', '10')
  const { id } = (await call('POST', list, { ...plain, action: 'block' })).body as Budget
  const blocked = async (): Promise<unknown> => ((await call('GET', '/admin/api/prompt-configs/a')).body as Record<string, unknown>)['blocked']
  t.strictSame(await blocked(), { budget_id: id, since: '2026-11-22T12:00:00.000Z', until: '2026-11-23T00:00:00.000Z' })
  await call('PATCH', `${list}/${id}`, { limit_usd: 11 })
  t.equal(await blocked(), null)
  await call('PATCH', `${list}/${id}`, { limit_usd: 9 })
  t.match(await blocked(), { budget_id: id })
  await call('POST', '/admin/api/prompt-configs/a/unblock')
  await call('PATCH', `${list}/${id}`, { name: 'same limit', limit_usd: 9 })
  t.equal(await blocked(), null)
  await call('PATCH', `${list}/${id}`, { limit_usd: 8 })
  t.match(await blocked(), { budget_id: id })
  t.strictSame(await database.operator.select().from(budgetLifts), [])
  await call('PATCH', `${list}/${id}`, { action: 'alert' })
  t.equal(await blocked(), null)
})

onEachDatabase(t, 'each change is in the audit log, a webhook only by its host and fingerprint', async (t, database) => {
  const { call } = await startAdmin(t, database, () => Date.parse('2026-11-22T12:00:00Z'))
  const url = 'https://hooks.example.com/T000/very-secret?token=very-secret'
  const { id } = (await call('POST', list, { ...plain, webhook_url: url })).body as Budget
  await call('PATCH', `${list}/${id}`, { webhook_url: `${url}2` })
  await call('PATCH', `${list}/${id}`, { webhook_url: `${url}2` })
  await call('PATCH', `${list}/${id}`, { webhook_url: null, limit_usd: 0.5 })
  await call('PATCH', `${list}/${id}`, { strict: true })
  await call('DELETE', `${list}/${id}`)
  const entries = await database.operator.select().from(auditLog).orderBy(auditLog.id)
  t.strictSame(entries.map(({ action, target }) => [action, target]),
    [['budget.create', id], ['budget.update', id], ['budget.update', id], ['budget.delete', id]])
  t.notMatch(JSON.stringify(entries), 'very-secret')
  t.match(entries.map(({ before, after }) => [before, after].map(text => text === null ? null : JSON.parse(text) as unknown)), [
    [null, { name: 'all of it', limit_usd: 10, webhook_url: /^https:\/\/hooks\.example\.com\/… \(SHA-256 [\da-f]{8}…\)$/ }],
    [{ webhook_url: /^https/ }, { webhook_url: /^https/ }],
    [{ limit_usd: 10, webhook_url: /^https/ }, { limit_usd: 0.5, webhook_url: null }],
    [{ limit_usd: 0.5, action: 'alert' }, null]
  ])
})

onEachDatabase(t, 'the list is newest first, and its pages neither skip nor repeat', async (t, database) => {
  let now = Date.parse('2026-11-22T12:00:00Z')
  const admin = await startAdmin(t, database, () => now)
  for (let i = 0; i < 7; i++) {
    now += i % 2
    await admin.call('POST', list, { ...plain, name: `b${i}`, prompt_type: i < 2 ? 'a' : null })
  }
  const pages = await allPages(admin, `${list}?limit=2`)
  const names = (page: Page): unknown[] => page.items.map(item => item['name'])
  t.strictSame([...pages.flatMap(names)].sort(), ['b0', 'b1', 'b2', 'b3', 'b4', 'b5', 'b6'])
  t.strictSame(pages.map(page => page.items.length), [2, 2, 2, 1])
  t.ok(pages.every(page => page.total === 7))
  const times = pages.flatMap(page => page.items.map(item => String(item['created_at'])))
  t.strictSame(times, times.toSorted().reverse())
  t.match((await admin.call('GET', `${list}?prompt_type=a`)).body, { total: 2, items: [{ name: 'b1' }, { name: 'b0' }] })
  t.equal(errorOf(await admin.call('GET', `${list}?cursor=x`)), '400 invalid_cursor cursor')
  t.equal(errorOf(await admin.call('GET', `${list}?name=x`)), '400 unknown_field name')
})

t.test('a budget is refused by the name of the field that is wrong', async t => {
  const database = await openTestDatabase(t, 'postgres')
  const { call, policyChanges } = await startAdmin(t, database)
  const post = async (body: object): Promise<string> => errorOf(await call('POST', list, { ...plain, ...body }))
  t.equal(errorOf(await call('POST', list, {})), '400 invalid_field name')
  t.equal(await post({ spent_usd: 1 }), '400 unknown_field spent_usd')
  for (const name of ['', 'x'.repeat(101), 5, null, 'a\nb', 'a\r\nBcc: x@example.com', 'a\0', 'a\u2028b', '\u0085']) t.equal(await post({ name }), '400 invalid_field name')
  for (const type of ['', 'a b', '-a', 'x'.repeat(129), 1]) t.equal(await post({ prompt_type: type }), '400 invalid_field prompt_type')
  for (const period of ['year', '', null, 'Day']) t.equal(await post({ period }), '400 invalid_field period')
  for (const limit of [0, -1, 1e-13, 0.1234567890123, 1_000_000_000.01, 123456789.0123456, '10', null]) {
    t.equal(await post({ limit_usd: limit }), '400 invalid_field limit_usd', String(limit))
  }
  for (const thresholds of [[50, 50], 'all', null, Array.from({ length: 21 }, (_, i) => i + 1)]) t.equal(await post({ thresholds }), '400 invalid_field thresholds')
  for (const threshold of [0, -1, 1001, 50.5, '50', null]) t.equal(await post({ thresholds: [threshold] }), '400 invalid_field thresholds.0')
  for (const action of ['stop', null]) t.equal(await post({ action }), '400 invalid_field action')
  t.equal(await post({ strict: true }), '400 invalid_field strict')
  t.equal(await post({ strict: 'true', action: 'block' }), '400 invalid_field strict')
  for (const url of ['hooks.slack.com', 'ftp://a/', 'javascript:alert(1)', 'https://me:secret@example.com/', 'https://me@example.com/', '', 5, `https://a/${'x'.repeat(2000)}`]) {
    t.equal(await post({ webhook_url: url }), '400 invalid_field webhook_url', String(url))
  }
  for (const id of [unknownId, 'x', '%27']) {
    t.equal(errorOf(await call('GET', `${list}/${id}`)), '404 budget_not_found id')
    t.equal(errorOf(await call('PATCH', `${list}/${id}`, { name: 'b' })), '404 budget_not_found id')
    t.equal(errorOf(await call('DELETE', `${list}/${id}`)), '404 budget_not_found id')
  }
  t.equal(errorOf(await call('PATCH', `${list}/${unknownId}`, {})), '400 invalid_field')
  t.equal(policyChanges(), 0)
  const { id } = (await call('POST', list, { ...plain, action: 'block', strict: true })).body as Budget
  t.equal(errorOf(await call('PATCH', `${list}/${id}`, { action: 'alert' })), '400 invalid_field strict', 'the two are one decision')
})

t.test('a target that this gateway cannot deliver to is refused, and the setting is named', async t => {
  const database = await openTestDatabase(t, 'postgres')
  const bare = await startAdmin(t, database)
  const open = await startAdmin(t, database, Date.now, { email: true, privateWebhooks: true })
  const { id } = (await bare.call('POST', list, plain)).body as Budget
  const email = await bare.call('PATCH', `${list}/${id}`, { email: 'ops@example.com' })
  t.equal(errorOf(email), '400 invalid_field email')
  t.match(messageOf(email), 'SMTP_URL')
  t.equal((await open.call('PATCH', `${list}/${id}`, { email: 'ops@example.com' })).status, 200)
  t.equal((await bare.call('PATCH', `${list}/${id}`, { name: 'its e-mail stays' })).status, 200)
  for (const address of ['', 'ops', 'a@b, c@d', 'a b@c', '"a"@b', 'A <a@b>', 'a@b\r\nBcc: c@d', 'a@-b', 'a@b..c']) {
    t.equal(errorOf(await open.call('PATCH', `${list}/${id}`, { email: address })), '400 invalid_field email', address)
  }
  for (const url of ['http://127.0.0.1/', 'http://2130706433/', 'https://[::1]/', 'http://10.1.2.3:80/x', 'http://169.254.169.254/latest', 'http://localhost:3000/', 'http://a.localhost/',
    'http://[::ffff:127.0.0.1]/']) {
    const refused = await bare.call('PATCH', `${list}/${id}`, { webhook_url: url })
    t.equal(errorOf(refused), '400 invalid_field webhook_url', url)
    t.match(messageOf(refused), 'WEBHOOK_ALLOW_PRIVATE')
    t.equal((await open.call('PATCH', `${list}/${id}`, { webhook_url: url })).status, 200)
  }
  t.equal((await bare.call('PATCH', `${list}/${id}`, { webhook_url: 'https://1.1.1.1/x' })).status, 200)
})
