import t from 'tap'
import { sql } from 'drizzle-orm'
import type { Database } from '../../src/db/database.js'
import { auditLog, budgetLifts, promptConfigs } from '../../src/db/schema/index.js'
import { budgetId, budgetRow, insertBudgets } from './budget-rows.js'
import { onEachDatabase } from './each-database.js'
import { type Admin, errorOf, startAdmin, type Page } from './start-admin.js'

const configs = '/admin/api/prompt-configs'

async function start (t: Parameters<typeof startAdmin>[0], database: Database, now: string | (() => number)): Promise<Admin> {
  await database.operator.insert(promptConfigs).values(['a', 'b', 'c'].map(name => ({ prompt_type: name })))
  return await startAdmin(t, database, typeof now === 'string' ? () => Date.parse(now) : now)
}

const blockedOf = async ({ call }: Admin, name: string): Promise<unknown> =>
  ((await call('GET', `${configs}/${name}`)).body as { blocked: unknown }).blocked

/** Which configs the filter finds, and which say so themselves: the two must agree. */
async function blockedNames ({ call }: Admin): Promise<string> {
  const list = async (query: string): Promise<Page> =>
    (await call('GET', `${configs}?sort=prompt_type&${query}`)).body as Page
  const names = (page: Page, isBlocked: boolean): string =>
    page.items.filter(item => (item['blocked'] !== null) === isBlocked).map(item => item['prompt_type']).join('')
  const [all, blocked, open] = [await list(''), await list('blocked=true'), await list('blocked=false')]
  if (names(all, true) !== names(blocked, true) ||
    names(all, false) !== names(open, false)) return 'the filter and the configs disagree'
  if (blocked.total !== blocked.items.length || open.total !== open.items.length) return 'the total is wrong'
  return names(blocked, true)
}

onEachDatabase(t, 'a config says which budget stops its calls now, since when and until when', async (t, database) => {
  let now = '2028-02-29T12:00:00Z'
  const admin = await start(t, database, () => Date.parse(now))
  await insertBudgets(database, [
    budgetRow(1, { prompt_type: 'a', period: 'day' }),
    budgetRow(2, { prompt_type: 'a', period: 'month' }),
    budgetRow(3, { prompt_type: 'b', period: 'month', action: 'alert' }),
    budgetRow(4, { prompt_type: 'b', period: 'week', limit_usd: '10.000000000001' }),
    budgetRow(5, { prompt_type: 'c', period: 'total' }),
    budgetRow(6, { prompt_type: 'unknown', period: 'total' })
  ], [
    { budget: 1, start: '2028-02-29T00:00:00Z', usd: '10', since: '2028-02-29T11:00:00.123456Z' },
    { budget: 2, start: '2028-02-01T00:00:00Z', usd: '11', since: '2028-02-29T11:30:00Z' },
    { budget: 3, start: '2028-02-01T00:00:00Z', usd: '11' },
    { budget: 4, start: '2028-02-28T00:00:00Z', usd: '10' },
    { budget: 5, start: '1970-01-01T00:00:00Z', usd: '10', since: '2027-01-01T00:00:00Z' },
    { budget: 6, start: '1970-01-01T00:00:00Z', usd: '10' }
  ])
  t.strictSame(await blockedOf(admin, 'a'), {
    budget_id: budgetId(1), since: '2028-02-29T11:00:00.123Z', until: '2028-03-01T00:00:00.000Z'
  })
  t.equal(await blockedOf(admin, 'b'), null, 'an alert stops nothing, nor does a limit that is missed by 10⁻¹² USD')
  t.strictSame(await blockedOf(admin, 'c'), { budget_id: budgetId(5), since: '2027-01-01T00:00:00.000Z', until: null })
  t.equal(await blockedNames(admin), 'ac')
  now = '2028-02-29T23:59:59.999Z'
  t.equal(await blockedNames(admin), 'ac')
  now = '2028-03-01T00:00:00Z'
  t.equal(await blockedNames(admin), 'c', 'the day and the month are over')
  now = '2028-02-28T12:00:00Z'
  t.strictSame(await blockedOf(admin, 'a'), {
    budget_id: budgetId(2), since: '2028-02-29T11:30:00.000Z', until: '2028-03-01T00:00:00.000Z'
  })
})

onEachDatabase(t, 'of several blocks the one that ends last is shown, and a week crosses the year', async (
  t, database
) => {
  const admin = await start(t, database, '2026-12-31T23:00:00Z')
  await insertBudgets(database, [
    budgetRow(1, { prompt_type: 'a', period: 'month' }),
    budgetRow(2, { period: 'week' }),
    budgetRow(3, { period: 'day' }),
    budgetRow(4, { prompt_type: 'b', period: 'total' })
  ], [
    { budget: 1, start: '2026-12-01T00:00:00Z', usd: '10' },
    { budget: 2, start: '2026-12-28T00:00:00Z', usd: '10' },
    { budget: 3, start: '2026-12-31T00:00:00Z', usd: '10' },
    { budget: 4, start: '1970-01-01T00:00:00Z', usd: '10' }
  ])
  t.strictSame(
    await blockedOf(admin, 'a'),
    { budget_id: budgetId(2), since: '2026-12-28T00:00:00.000Z', until: '2027-01-04T00:00:00.000Z' },
    'ISO week 53'
  )
  t.match(await blockedOf(admin, 'b'), { budget_id: budgetId(4), until: null })
  t.match(await blockedOf(admin, 'c'), { budget_id: budgetId(2) })
  t.equal(await blockedNames(admin), 'abc')
})

onEachDatabase(t, 'an operator lifts every block of one prompt type until the next period', async (t, database) => {
  let now = '2026-11-30T22:00:00Z'
  const admin = await start(t, database, () => Date.parse(now))
  await insertBudgets(database, [
    budgetRow(1, { prompt_type: 'a', period: 'month' }), budgetRow(2), budgetRow(3, { limit_usd: '99' })
  ], [
    { budget: 1, start: '2026-11-01T00:00:00Z', usd: '10' },
    { budget: 2, start: '2026-11-30T00:00:00Z', usd: '10' },
    { budget: 3, start: '2026-11-30T00:00:00Z', usd: '10' },
    { budget: 2, start: '2026-12-01T00:00:00Z', usd: '10' }
  ])
  t.equal(await blockedNames(admin), 'abc')
  const { status, body } = await admin.call('POST', `${configs}/a/unblock`)
  t.equal(status, 200)
  t.match(body, { prompt_type: 'a', blocked: null, total_calls: 0 })
  t.equal(await blockedNames(admin), 'bc', 'for this type only')
  t.match(await database.operator.select({ id: budgetLifts.budget_id, type: budgetLifts.prompt_type }).from(budgetLifts)
    .orderBy(budgetLifts.budget_id),
  [{ id: budgetId(1), type: 'a' }, { id: budgetId(2), type: 'a' }])
  t.equal((await admin.call('POST', `${configs}/a/unblock`)).status, 200, 'a second time it changes nothing')
  t.strictSame((await database.operator.select()
    .from(auditLog)).map(({ action, target, before, after }) => ({ action, target, before, after })), [{
    action: 'prompt_config.unblock',
    target: 'a',
    before: JSON.stringify({
      blocked_by: [budgetId(1), budgetId(2)]
    }),
    after: '{"blocked_by":[]}'
  }])
  await admin.call('POST', `${configs}/b/unblock`)
  t.equal(await blockedNames(admin), 'c')
  now = '2026-12-01T00:00:00Z'
  t.equal(await blockedNames(admin), 'abc', 'the next day is spent too')
  t.equal(errorOf(await admin.call('POST', `${configs}/none/unblock`)), '404 prompt_config_not_found prompt_type')
})

t.test('ten thousand types and a thousand spent budgets are filtered and listed in well under the statement time-out', async t => {
  const { openTestDatabase } = await import('../helpers/database.js')
  const database = await openTestDatabase(t, 'postgres')
  await database.operator.execute(
    sql`insert into ${promptConfigs} (prompt_type) select 'type-' || i from generate_series(1, 10000) as i`
  )
  await insertBudgets(database, Array.from({ length: 1000 }, (_, i) =>
    budgetRow(i, { prompt_type: i % 2 === 0 ? null : `type-${i}` })),
  Array.from({ length: 1000 }, (_, i) => ({ budget: i, start: '2026-11-30T00:00:00Z', usd: '10' })))
  const { call } = await startAdmin(t, database, () => Date.parse('2026-11-30T12:00:00Z'))
  await call('POST', `${configs}/type-2/unblock`)
  for (const [query, total] of [['blocked=true', 9999], ['blocked=false', 1], ['limit=500', 10_000]] as const) {
    const started = performance.now()
    t.equal(((await call('GET', `${configs}?${query}`)).body as Page).total, total)
    const tookMs = performance.now() - started
    t.ok(tookMs < 5000, `${query} took ${Math.round(tookMs)} ms`)
  }
})
