import t from 'tap'
import { sql } from 'drizzle-orm'
import { inSnapshot } from '../../src/admin/costs/cost-sums.js'
import type { Database } from '../../src/db/database.js'
import { gatewaySettings, staleDays, usageRollups, usageSummaries } from '../../src/db/schema/index.js'
import { openTestDatabase } from '../helpers/database.js'
import { onEachDatabase } from './each-database.js'
import { rollupRow, type RollupRow } from './rollup-rows.js'
import { errorOf, messageOf, startAdmin, type Admin } from './start-admin.js'

interface Item { group: string | null, bucket: string | null, calls: number, input_tokens: number, cost: number, avg_cost_per_call: number | null, avg_duration_ms: number | null }
interface Costs { items: Item[], totals: Item, from: string, to: string }

const costs = '/admin/api/costs'
const now = (): number => Date.parse('2026-11-23T10:30:00Z')

async function fill (database: Database, ...rows: RollupRow[]): Promise<void> {
  await database.operator.execute(sql`truncate ${usageRollups}, ${usageSummaries}, ${staleDays}`)
  await database.operator.update(gatewaySettings).set({ summarised_to: null })
  if (rows.length > 0) await database.operator.insert(usageRollups).values(rows)
}

async function get (admin: Admin, query: string): Promise<Costs> {
  const answer = await admin.call('GET', `${costs}?${query}`)
  if (answer.status !== 200) throw new Error(messageOf(answer))
  return answer.body as Costs
}

/** `a 2026-11-01: 3`: group, bucket and calls of each item. */
const calls = ({ items }: Costs): string[] =>
  items.map(({
    group, bucket, calls
  }) => `${group ?? '-'} ${bucket?.replace(/T00:00:00.000Z|:00:00.000Z/, '') ?? '-'}: ${calls}`)

onEachDatabase(t, 'costs are summed exactly, with averages; without calls there are none', async (t, database) => {
  const admin = await startAdmin(t, database, now)
  await fill(database)
  const nothing = {
    calls: 0, failed_calls: 0, blocked_calls: 0, unpriced_calls: 0, input_tokens: 0, cached_input_tokens: 0, output_tokens: 0, cost: 0, avg_cost_per_call: null, avg_duration_ms: null
  }
  t.strictSame(await get(admin, ''), {
    items: [
      { group: null, bucket: null, ...nothing }
    ],
    totals: nothing,
    from: '2026-10-25T00:00:00.000Z',
    to: '2026-11-23T11:00:00.000Z'
  })
  await fill(database,
    rollupRow({ cost: '0.1', duration_ms: 30 }), rollupRow({
      model: 'n', cost: '0.2', duration_ms: 31, failed_calls: 1, blocked_calls: 2, unpriced_calls: 1
    }))
  const figures = {
    calls: 2, failed_calls: 1, blocked_calls: 2, unpriced_calls: 1, input_tokens: 20, cached_input_tokens: 2, output_tokens: 4, cost: 0.3, avg_cost_per_call: 0.15, avg_duration_ms: 30.5
  }
  const { items, totals } = await get(admin, '')
  t.strictSame(items, [{ group: null, bucket: null, ...figures }])
  t.strictSame(totals, figures)
  for (const query of [
    'group_by=model', 'group_by=model&interval=hour', 'group_by=model&limit=1', 'interval=day'
  ]) t.strictSame((await get(admin, query)).totals, figures, query)
})

onEachDatabase(t, 'groups come in the order of their cost, their buckets in order, gaps filled with zeros', async (
  t, database
) => {
  const admin = await startAdmin(t, database, now)
  await fill(database,
    rollupRow({ hour: '2026-11-01T05:00:00Z', prompt_type: 'cheap', user_name: 'u' }),
    rollupRow({ hour: '2026-11-03T05:00:00Z', prompt_type: 'dear', model: '', cost: '5' }),
    rollupRow({ hour: '2026-11-03T06:00:00Z', prompt_type: 'dear', calls: 2 }))
  const period = 'from=2026-11-01T00:00:00Z&to=2026-11-04T00:00:00Z'
  t.strictSame(calls(await get(admin, `group_by=prompt_type&interval=day&${period}`)), [
    'dear 2026-11-01: 0', 'dear 2026-11-02: 0', 'dear 2026-11-03: 3', 'cheap 2026-11-01: 1', 'cheap 2026-11-02: 0', 'cheap 2026-11-03: 0'
  ])
  t.strictSame(calls(await get(admin, `interval=day&${period}`)), [
    '- 2026-11-01: 1', '- 2026-11-02: 0', '- 2026-11-03: 3'
  ])
  t.strictSame(
    calls(await get(admin, `group_by=model&${period}`)), [' -: 1', 'm -: 3'], "calls that name no model are ''"
  )
  t.strictSame(calls(await get(admin, `group_by=user&${period}`)), [' -: 3', 'u -: 1'])
  t.strictSame(calls(await get(admin, `group_by=user&prompt_type=cheap&${period}`)), ['u -: 1'])
  t.strictSame(calls(await get(admin, `group_by=prompt_type&prompt_type=cheap&${period}`)), ['cheap -: 1'])
  t.strictSame(calls(
    await get(admin, `prompt_type=cheap&interval=day&${period}`)
  ), ['- 2026-11-01: 1', '- 2026-11-02: 0', '- 2026-11-03: 0'])
  t.strictSame(calls(await get(admin, `prompt_type=none&group_by=model&interval=day&${period}`)), [])
  const hours = await get(admin, 'group_by=prompt_type&interval=hour&from=2026-11-03T04:00:00Z&to=2026-11-03T07:00:00Z')
  t.strictSame(calls(hours), ['dear 2026-11-03T04: 0', 'dear 2026-11-03T05: 1', 'dear 2026-11-03T06: 2'])
  const greatest = await get(admin, `group_by=prompt_type&limit=1&interval=day&${period}`)
  t.strictSame(calls(greatest), ['dear 2026-11-01: 0', 'dear 2026-11-02: 0', 'dear 2026-11-03: 3'])
  t.equal(greatest.totals.calls, 4, 'totals are of all groups')
})

onEachDatabase(t, 'buckets are UTC: leap days, ISO weeks over the turn of the year, months of any length', async (
  t, database
) => {
  const admin = await startAdmin(t, database, now)
  await fill(database,
    rollupRow({
      hour: '2028-02-28T23:00:00Z'
    }), rollupRow({
      hour: '2028-02-29T00:00:00Z'
    }), rollupRow({ hour: '2028-02-29T23:00:00Z' }), rollupRow({ hour: '2028-03-01T00:00:00Z' }),
    // 2026 has 53 ISO weeks: the last begins on 28 December.
    rollupRow({
      hour: '2026-12-27T23:00:00Z'
    }), rollupRow({
      hour: '2026-12-28T00:00:00Z'
    }), rollupRow({ hour: '2027-01-03T23:00:00Z' }), rollupRow({ hour: '2027-01-04T00:00:00Z' }))
  t.strictSame(calls(
    await get(admin, 'interval=day&from=2028-02-28T00:00:00Z&to=2028-03-02T00:00:00Z')
  ), ['- 2028-02-28: 1', '- 2028-02-29: 2', '- 2028-03-01: 1'])
  t.strictSame(calls(
    await get(admin, 'interval=month&from=2028-02-01T00:00:00Z&to=2028-04-01T00:00:00Z')
  ), ['- 2028-02-01: 3', '- 2028-03-01: 1'])
  t.strictSame(calls(
    await get(admin, 'interval=week&from=2026-12-21T00:00:00Z&to=2027-01-11T00:00:00Z')
  ), ['- 2026-12-21: 1', '- 2026-12-28: 2', '- 2027-01-04: 1'])
  t.strictSame(
    calls(await get(admin, 'interval=month&from=2026-12-15T00:00:00Z&to=2027-02-01T00:00:00Z')),
    ['- 2026-12-01: 2', '- 2027-01-01: 2'],
    'a bucket that the period cuts keeps its start'
  )
})

onEachDatabase(t, 'a moment within an hour stands for the whole hour, and what lies outside is not counted', async (
  t, database
) => {
  const admin = await startAdmin(t, database, now)
  await fill(database, ...['09', '10', '11', '12'].map(hour => rollupRow({ hour: `2026-11-02T${hour}:00:00Z` })))
  const exact = await get(admin, 'from=2026-11-02T10:00:00Z&to=2026-11-02T12:00:00Z')
  t.strictSame([exact.totals.calls, exact.from, exact.to], [2, '2026-11-02T10:00:00.000Z', '2026-11-02T12:00:00.000Z'])
  const within = await get(admin, 'from=2026-11-02T10:59:59Z&to=2026-11-02T11:00:00.001Z')
  t.strictSame([within.totals.calls, within.from, within.to], [
    2, '2026-11-02T10:00:00.000Z', '2026-11-02T12:00:00.000Z'
  ])
  const zoned = await get(admin, 'interval=day&from=2026-11-02T00:00:00%2B02:00&to=2026-11-02T12:00:00Z')
  t.strictSame(
    calls(zoned), ['- 2026-11-01: 0', '- 2026-11-02: 3'], 'the bucket of the first is cut, and keeps its start'
  )
})

onEachDatabase(t, 'any name, and counts up to the greatest that JSON holds exactly, come back as they are, in an answer of many parts', async (
  t, database
) => {
  const admin = await startAdmin(t, database, now)
  const names = Array.from({ length: 501 }, (_, n) => `"${n}" \\ \u2028 é 😀 </script>`)
  await fill(database,
    ...names.map((name, n) => rollupRow({ user_name: name, cost: String(1000 - n) })),
    ...names.map(name =>
      rollupRow({ user_name: name, hour: '2026-11-02T11:00:00Z', input_tokens: 2 ** 53 - 11, cost: '0' })))
  const { items, totals } = await get(admin, 'group_by=user')
  t.strictSame(items.map(({ group }) => group), names)
  t.ok(items.every(({ calls, input_tokens: tokens }) => calls === 2 && tokens === Number.MAX_SAFE_INTEGER))
  t.strictSame([totals.calls, totals.cost], [2 * 501, 501 * 750])
})

t.test('what cannot be answered is refused by name', async t => {
  const admin = await startAdmin(t, await openTestDatabase(t, 'postgres'), now)
  for (const [query, error] of [
    [
      'group_by=colour', 'invalid_field group_by'
    ], [
      'interval=year', 'invalid_field interval'
    ], ['from=yesterday', 'invalid_field from'], ['colour=1', 'unknown_field colour'],
    [
      'from=2026-11-02T00:00:00Z&to=2026-11-02T00:00:00Z', 'invalid_field from'
    ], ['from=2027-01-01T00:00:00Z', 'invalid_field from'], ['limit=0', 'invalid_field limit'],
    ['interval=hour&from=2010-01-01T00:00:00Z', 'too_many_items']
  ] as const) t.equal(errorOf(await admin.call('GET', `${costs}?${query}`)), `400 ${error}`, query)
  t.match(
    messageOf(await admin.call('GET', `${costs}?interval=hour&from=2010-01-01T00:00:00Z`)), /shorter period.*'limit'/
  )
})

t.test('groups times buckets are bounded, too', async t => {
  const database = await openTestDatabase(t, 'postgres')
  const admin = await startAdmin(t, database, now)
  await database.operator.execute(sql`insert into ${usageRollups}
    select '2026-11-02T10:00:00Z', 'type-' || n, 'm', '', 1, 0, 0, 0, 10, 0, 1, 0, n, 5 from generate_series(1, 300) as n`)
  const year = 'group_by=prompt_type&interval=day&from=2025-11-23T00:00:00Z'
  t.equal(errorOf(await admin.call('GET', `${costs}?${year}`)), '400 too_many_items')
  t.equal((await get(admin, `${year}&limit=3`)).items.length, 3 * 366)
  t.equal((await get(admin, `${year}&limit=3`)).items[0]?.group, 'type-300')
})

onEachDatabase(t, 'questions about costs take turns, and one that fails holds up nobody', async (t, database) => {
  let [underWay, most] = [0, 0]
  const ask = async (query: string): Promise<void> => await inSnapshot(database.operator, async snapshot => {
    most = Math.max(most, ++underWay)
    try {
      await snapshot.execute(sql.raw(query))
    } finally {
      underWay--
    }
  })
  const asked = await Promise.allSettled(['select 1', 'select nothing', 'select 1', 'select 1'].map(ask))
  t.same(asked.map(({ status }) => status), ['fulfilled', 'rejected', 'fulfilled', 'fulfilled'])
  t.equal(most, 1)
})
