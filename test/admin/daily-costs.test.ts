import t from 'tap'
import { createPartitions, monthOf } from '../../src/db/partitions.js'
import { promptConfigs, promptStats, usageLogs, usageRollups } from '../../src/db/schema/index.js'
import { onEachDatabase } from './each-database.js'
import { rollupRow } from './rollup-rows.js'
import { usageLogRow } from './rows.js'
import { errorOf, startAdmin } from './start-admin.js'

const now = (): number => Date.parse('2026-11-23T10:30:00Z')

onEachDatabase(t, 'the costs a day of a page of prompt types come in one answer, by the filters and the page of their list', async (
  t, database
) => {
  const admin = await startAdmin(t, database, now)
  const names = Array.from({ length: 60 }, (_, i) => `${'long-name:'.repeat(12)}${String(i).padStart(2, '0')}`)
  await database.operator.insert(promptConfigs)
    .values(names.map(name => ({ prompt_type: name, description: '', track_full_data: false, is_active: true })))
  await database.operator.insert(usageRollups).values([
    rollupRow({ hour: '2026-11-23T09:00:00Z', prompt_type: names[0] ?? '', cost: '0.5' }),
    rollupRow({ hour: '2026-11-23T10:00:00Z', prompt_type: names[0] ?? '', cost: '0.25' }),
    rollupRow({ hour: '2026-11-22T23:00:00Z', prompt_type: names[1] ?? '', cost: '2' }),
    rollupRow({ hour: '2026-11-21T23:00:00Z', prompt_type: names[1] ?? '', cost: '4' }),
    rollupRow({ hour: '2026-11-23T09:00:00Z', prompt_type: names[59] ?? '', cost: '8' })
  ])
  const get = async (query: string) =>
    (await admin.call('GET', `/admin/api/costs/daily?${query}`)).body as {
      items: Array<{ prompt_type: string, costs: number[] }>, days: string[], next_cursor: string | null
    }
  const page = await get('sort=prompt_type&limit=50&days=2')
  t.same(page.days, ['2026-11-22T00:00:00.000Z', '2026-11-23T00:00:00.000Z'])
  t.same(page.items.map(item => item.prompt_type), names.slice(0, 50))
  t.same(page.items.slice(0, 3).map(item => item.costs), [[0, 0.75], [2, 0], [0, 0]])
  const next = await get(`sort=prompt_type&limit=50&days=2&cursor=${page.next_cursor ?? ''}`)
  t.same(next.items.map(item => item.prompt_type), names.slice(50))
  t.same([next.items.at(-1)?.costs, next.next_cursor], [[0, 8], null])
  t.same((await get(`prompt_type=${encodeURIComponent(names[1] ?? '')}`)).items.map(item =>
    item.costs.slice(-3)), [[4, 2, 0]])
  t.same((await get('search=nothing-has-this')).items, [])
  t.equal(errorOf(await admin.call('GET', '/admin/api/costs/daily?days=0')), '400 invalid_field days')
})

onEachDatabase(t, 'movers go up or down, against any period', async (t, database) => {
  const admin = await startAdmin(t, database, now)
  await database.operator.insert(usageRollups).values([
    ['dear', '10', '4'], ['cheap', '1', '0.5'], ['fallen', '1', '9'], ['same', '3', '3']
  ].flatMap(([name = '', cost = '', before = '']) => [
    rollupRow({ hour: '2026-11-20T10:00:00Z', prompt_type: name, cost }), rollupRow({
      hour: '2026-10-20T10:00:00Z', prompt_type: name, cost: before
    })
  ]))
  const periods =
    'from=2026-11-20T00:00:00Z&to=2026-11-21T00:00:00Z&previous_from=2026-10-20T00:00:00Z&previous_to=2026-10-21T00:00:00Z'
  const get = async (query: string) =>
    (await admin.call('GET', `/admin/api/costs/top-movers?${query}`)).body as {
      items: Array<{ group: string, change: number }>, previous_from: string, previous_to: string
    }
  const movers = async (direction: string): Promise<unknown> =>
    (await get(`${periods}&direction=${direction}`)).items.map(({ group, change }) => [group, change])
  t.same(await movers('up'), [['dear', 6], ['cheap', 0.5]])
  t.same(await movers('down'), [['fallen', -8]])
  t.same(await movers('both'), [['fallen', -8], ['dear', 6], ['cheap', 0.5], ['same', 0]])
  const { previous_from: from, previous_to: to } = await get('from=2026-11-20T00:00:00Z&to=2026-11-21T00:00:00Z')
  t.same([from, to], ['2026-11-19T00:00:00.000Z', '2026-11-20T00:00:00.000Z'], 'right before, unless it is said')
  t.equal(
    errorOf(
      await admin.call(
        'GET',
        `/admin/api/costs/top-movers?${periods}&previous_to=2026-10-20T00:00:00Z`.replace(
          '&previous_to=2026-10-21T00:00:00Z', ''
        )
      )
    ),
    '400 invalid_field previous_from'
  )
})

onEachDatabase(t, 'an unpriced model says when its first call began, and which price begins only after that', async (
  t, database
) => {
  const admin = await startAdmin(t, database, now)
  const model = 'our-own-2026-01-01'
  const call = (finishedAt: string, durationMs: number): ReturnType<typeof usageLogRow> =>
    usageLogRow({
      created_at: finishedAt,
      duration_ms: durationMs,
      cost: null,
      cost_reason: 'unknown_model',
      request_model: model,
      response_model: model
    })
  await createPartitions(database.operator, [monthOf(now())])
  await database.operator.insert(usageRollups)
    .values(rollupRow({ hour: '2026-11-20T00:00:00Z', model, unpriced_calls: 2 }))
  await database.operator.insert(usageLogs)
    .values([call('2026-11-20T00:00:05Z', 1000), call('2026-11-20T00:01:00Z', 120_000)])
  const item = async (): Promise<unknown> => ((await admin.call(
    'GET', '/admin/api/unpriced-models'
  )).body as { items: unknown[] }).items[0]
  const first = { model, first_call_at: '2026-11-19T23:59:00.000Z' }
  t.match(await item(), { ...first, later_price: null, has_price: false })
  await admin.call('PUT', '/admin/api/prices/our-own', { input: 1, output: 1, effective_from: '2026-11-22T00:00:00Z' })
  t.match(
    await item(),
    { ...first, later_price: { model: 'our-own', effective_from: '2026-11-22T00:00:00.000Z' }, has_price: true },
    'of its family'
  )
  await admin.call('PUT', '/admin/api/prices/our-own', { input: 1, output: 1, effective_from: '2026-11-19T00:00:00Z' })
  t.match(await item(), { ...first, later_price: null, has_price: true })
  t.equal(await database.operator.$count(promptStats), 0)
})
