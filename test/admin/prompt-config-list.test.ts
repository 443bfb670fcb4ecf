import t from 'tap'
import type { Database } from '../../src/db/database.js'
import { promptConfigs, promptStats } from '../../src/db/schema/index.js'
import { openTestDatabase } from '../helpers/database.js'
import { onEachDatabase } from './each-database.js'
import { allPages, errorOf, messageOf, startAdmin, type Page } from './start-admin.js'
import type { PromptStatsRow } from './rows.js'

const list = '/admin/api/prompt-configs'

type Config = typeof promptConfigs.$inferInsert

async function fill (database: Database, configs: Config[], stats: PromptStatsRow[] = []): Promise<void> {
  await database.operator.insert(promptConfigs).values(configs)
  if (stats.length > 0) await database.operator.insert(promptStats).values(stats)
}

const names = (page: unknown): unknown[] => (page as Page).items.map(item => item['prompt_type'])

onEachDatabase(t, 'an empty list is an empty page', async (t, database) => {
  const { call } = await startAdmin(t, database)
  t.strictSame((await call('GET', list)).body, { items: [], total: 0, next_cursor: null })
})

onEachDatabase(t, 'each filter keeps what it says, and together they all hold', async (t, database) => {
  const { call } = await startAdmin(t, database)
  await fill(database, [
    { prompt_type: 'alpha', description: 'Reads 100% of it', created_at: '2026-01-01T00:00:00Z' },
    { prompt_type: 'beta', description: 'reads_all', track_full_data: true, created_at: '2026-01-02T00:00:00Z' },
    { prompt_type: 'gamma', description: 'ALPHA too', is_active: false, created_at: '2026-01-03T00:00:00Z' },
    {
      prompt_type: 'delta',
      description: 'back\\slash',
      track_full_data: true,
      is_active: false,
      created_at: '2026-01-04T00:00:00Z'
    }
  ])
  const found = async (query: string) => {
    const { status, body } = await call('GET', `${list}?sort=prompt_type&${query}`)
    t.equal(status, 200, query)
    t.equal((body as Page).total, (body as Page).items.length)
    return names(body).join(' ')
  }
  t.equal(await found(''), 'alpha beta delta gamma')
  t.equal(await found('search=alph'), 'alpha gamma', 'in the type or the description, in any case')
  t.equal(await found('search=READS'), 'alpha beta')
  t.equal(await found('search=0%25'), 'alpha', 'a wildcard is a plain character')
  t.equal(await found('search=s_a'), 'beta')
  t.equal(await found('search=k%5Cs'), 'delta')
  t.equal(await found('search='), 'alpha beta delta gamma')
  t.equal(await found('track_full_data=true'), 'beta delta')
  t.equal(await found('track_full_data=false'), 'alpha gamma')
  t.equal(await found('is_active=false'), 'delta gamma')
  t.equal(await found('blocked=false'), 'alpha beta delta gamma')
  t.equal(await found('blocked=true'), '')
  t.equal(await found('created_after=2026-01-02T00:00:00Z'), 'beta delta gamma', 'inclusive')
  t.equal(await found('created_before=2026-01-02T00:00:00Z'), 'alpha', 'exclusive')
  t.equal(await found('created_after=2026-01-02T01:00:00%2B02:00&created_before=2026-01-04T00:00:00Z'), 'beta gamma')
  t.equal(await found('created_before=2999-12-31T23:59:59%2B14:00'), 'alpha beta delta gamma')
  t.equal(await found('track_full_data=true&is_active=true'), 'beta')
})

onEachDatabase(t, 'the order is by cost unless another is asked for, and configs without a value come last', async (
  t, database
) => {
  const { call } = await startAdmin(t, database)
  await fill(database, ['a', 'b', 'c', 'd'].map(name => ({ prompt_type: name, created_at: '2026-01-01T00:00:00Z' })), [
    { prompt_type: 'b', total_calls: 2, total_cost: '1', last_model: 'm', last_called_at: '2026-02-01T00:00:00Z' },
    { prompt_type: 'c', total_calls: 1, total_cost: '1', last_model: 'n', last_called_at: '2026-02-02T00:00:00Z' },
    { prompt_type: 'd', total_calls: 10, total_cost: '0.000000000002', last_model: 'm' }
  ])
  const order = async (sort: string) => names((await call('GET', `${list}?sort=${sort}`)).body).join('')
  t.equal(names((await call('GET', list)).body).join(''), 'bcda')
  t.equal(await order('total_cost'), 'adbc')
  t.equal(await order('-prompt_type'), 'dcba')
  t.equal(await order('total_calls'), 'acbd')
  t.equal(await order('-avg_cost_per_call'), 'cbda')
  t.equal(await order('avg_cost_per_call'), 'dbca')
  t.equal(await order('-last_called_at'), 'cbad')
  t.equal(await order('last_called_at'), 'bcad')
  t.equal(await order('-last_model'), 'cbda')
  t.equal(await order('is_active'), 'abcd')
})

onEachDatabase(t, 'pages neither skip nor repeat, over ties and missing values, in every order', async (
  t, database
) => {
  const admin = await startAdmin(t, database)
  const configs = Array.from({ length: 23 }, (_, i) => ({
    prompt_type: `type-${i}`,
    track_full_data: i % 2 === 0,
    created_at: `2026-01-01T00:00:00.00000${i % 3}Z`
  }))
  const stats = configs.flatMap(({ prompt_type: promptType }, i) => i % 4 === 3
    ? []
    : [{
        prompt_type: promptType,
        total_calls: i % 3,
        total_cost: `${i % 5}.000000000001`,
        last_cost: i % 2 === 0 ? null : '0.1',
        last_model: i % 5 === 0 ? null : `m${i % 2}`,
        last_called_at: i % 7 === 0 ? null : `2026-01-01T00:00:00.00000${i % 4}Z`
      }])
  await fill(database, configs, stats)
  const { parameters } = ((await admin.call('GET', '/admin/api/openapi.json')).body as
    {
      paths: Record<string, { get: { parameters: { name: string, schema: { enum: string[] } }[] } }>
    }).paths[list]?.get ?? {}
  const sorts = parameters?.find(({ name }) => name === 'sort')?.schema.enum ?? []
  t.ok(sorts.length >= 40)
  for (const sort of sorts) {
    const whole = names((await admin.call('GET', `${list}?sort=${sort}`)).body)
    const pages = await allPages(admin, `${list}?sort=${sort}&limit=5`)
    t.strictSame(pages.flatMap(names), whole, sort)
    t.equal(new Set(whole).size, 23)
    t.strictSame(pages.map(page => page.items.length), [5, 5, 5, 5, 3])
    t.ok(pages.every(page => page.total === 23))
  }
})

onEachDatabase(t, 'a page that just holds all is the last', async (t, database) => {
  const admin = await startAdmin(t, database)
  await fill(database, ['a', 'b'].map(name => ({ prompt_type: name })))
  t.equal((await allPages(admin, `${list}?limit=2`)).length, 1)
  t.equal((await allPages(admin, `${list}?limit=1`)).length, 2)
})

t.test('a query parameter that is wrong is refused by name', async t => {
  const { call } = await startAdmin(t, await openTestDatabase(t, 'postgres'))
  const refused = async (query: string) => await call('GET', `${list}?${query}`)
  t.equal(errorOf(await refused('colour=1')), '400 unknown_field colour')
  t.match(messageOf(await refused('colour=1')), 'query parameter')
  for (const [query, name] of [
    ['limit=0', 'limit'], ['limit=501', 'limit'], ['limit=', 'limit'], ['limit=1.5', 'limit'], ['limit=1e2', 'limit'],
    ['limit=0x10', 'limit'], ['limit=5&limit=6', 'limit'], ['is_active=yes', 'is_active'], ['is_active=', 'is_active'],
    ['is_active=1', 'is_active'], ['sort=colour', 'sort'], ['sort=--total_cost', 'sort'], ['sort=constructor', 'sort'],
    ['created_after=yesterday', 'created_after'], ['created_after=2026-01-01', 'created_after'],
    [
      'created_before=2026-01-01T00:00:00+02:00', 'created_before'
    ], ['created_before=0000-01-01T00:00:00Z', 'created_before'],
    ['created_before=2026-02-30T00:00:00Z', 'created_before'], ['search=a%00b', 'search']
  ] as const) {
    t.equal(errorOf(await refused(query)), `400 invalid_field ${name}`, query)
    t.match(messageOf(await refused(query)), `'${name}'`)
  }
})

onEachDatabase(t, 'a cursor that this list did not give for this sort is refused', async (t, database) => {
  const { call } = await startAdmin(t, database)
  await fill(database, ['a', 'b'].map(name => ({ prompt_type: name })))
  const { next_cursor: cursor } = (await call('GET', `${list}?limit=1&sort=total_calls`)).body as Page
  t.equal((await call('GET', `${list}?limit=1&sort=total_calls&cursor=${cursor ?? ''}`)).status, 200)
  const encode = (place: unknown) => Buffer.from(JSON.stringify(place)).toString('base64url')
  for (const query of [
    `cursor=${cursor ?? ''}`, `sort=-total_calls&cursor=${cursor ?? ''}`, 'cursor=', 'cursor=x', 'cursor=%F0%9F%98%80',
    `sort=total_calls&cursor=${encode(['total_calls', 'x', 'a'])}`,
    `sort=total_calls&cursor=${encode(['total_calls', '1e400', 'a'])}`,
    `sort=total_calls&cursor=${encode(['total_calls', '1', 'a', 'b'])}`,
    `sort=total_calls&cursor=${encode(['total_calls', '1', "'"])}`,
    `sort=is_active&cursor=${encode(['is_active', '2', 'a'])}`,
    `sort=description&cursor=${encode(['description', '\0', 'a'])}`,
    `sort=total_calls&cursor=${encode({})}`
  ]) {
    t.equal(errorOf(await call('GET', `${list}?${query}`)), '400 invalid_cursor cursor', query)
  }
})
