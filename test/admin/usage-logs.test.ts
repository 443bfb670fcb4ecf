import t from 'tap'
import type { Database } from '../../src/db/database.js'
import { createPartitions, monthOf } from '../../src/db/partitions.js'
import { usageLogs } from '../../src/db/schema/index.js'
import { openTestDatabase } from '../helpers/database.js'
import { onEachDatabase } from './each-database.js'
import { usageLogRow, uuidv7 } from './rows.js'
import { allPages, errorOf, messageOf, startAdmin, type Page } from './start-admin.js'

const list = '/admin/api/usage-logs'
const november = monthOf(Date.UTC(2026, 10))
const december = monthOf(Date.UTC(2026, 11))
const key = '2f1de5a4-6f0a-4d5e-9a51-8f1f3d2b7c10'

async function fill (database: Database, rows: Parameters<typeof usageLogRow>[0][]): Promise<void> {
  await createPartitions(database.operator, [november, december])
  await database.operator.insert(usageLogs).values(rows.map(usageLogRow))
}

const types = (page: unknown): string => (page as Page).items.map(item => item['prompt_type']).join(' ')

onEachDatabase(t, 'a row has every field in its JSON type; in lists without prompt and response', async (
  t, database
) => {
  const { call } = await startAdmin(t, database)
  const id = uuidv7('2026-11-22T21:04:05.678Z', 1)
  await fill(database, [{
    id,
    created_at: '2026-11-22T21:04:05.678Z',
    prompt_type: 'a',
    task_description: 'Does it',
    service_tier: 'default',
    user_name: 'someone',
    key_id: key,
    metadata: '{"n":[1]}',
    cached_input_tokens: 3,
    cost: '123.456789012345',
    upstream_request_id: 'req_1',
    prompt: '{"a":1}',
    response: '{"b":2}'
  }])
  const expected = {
    id,
    created_at: '2026-11-22T21:04:05.678Z',
    prompt_type: 'a',
    prompt_config_id: null,
    task_description: 'Does it',
    provider: 'openai',
    endpoint: 'chat/completions',
    request_model: 'gpt-4o',
    response_model: 'gpt-4o-2024-08-06',
    service_tier: 'default',
    user: 'someone',
    key_id: key,
    metadata: { n: [1] },
    stream: false,
    status_code: 200,
    success: true,
    error_type: null,
    error_message: null,
    input_tokens: 10,
    cached_input_tokens: 3,
    output_tokens: 5,
    reasoning_tokens: 0,
    usage_source: 'upstream',
    cost: 123.456789012345,
    cost_reason: null,
    duration_ms: 100,
    time_to_first_byte_ms: 90,
    upstream_request_id: 'req_1',
    request_bytes: 100,
    response_bytes: 200
  }
  const { body } = await call('GET', list)
  t.strictSame(body, { items: [expected], total: 1, next_cursor: null })
  t.strictSame(Object.keys((body as Page).items[0] ?? {}), Object.keys(expected), 'in this order')
  t.strictSame((await call('GET', `${list}/${id}`)).body, { ...expected, prompt: '{"a":1}', response: '{"b":2}' })
  t.match((await call('GET', `${list}/${id.toUpperCase()}`)).body, { id })
})

onEachDatabase(t, 'each filter keeps what it says, and together they all hold', async (t, database) => {
  const { call } = await startAdmin(t, database)
  const day = (number: number) => `2026-11-0${number}T00:00:00Z`
  await fill(database, [
    { prompt_type: 'a', created_at: day(1), user_name: 'u', request_model: 'gpt-4o', response_model: 'gpt-4o-mini' },
    {
      prompt_type: 'b', created_at: day(2), status_code: 429, success: false, cost: null, cost_reason: 'unknown_model'
    },
    { prompt_type: 'c', created_at: day(3), key_id: key, request_model: 'gpt-4o-mini', response_model: null },
    { prompt_type: 'd', created_at: day(4), upstream_request_id: 'req_d', cost: '0' },
    {
      prompt_type: 'e',
      created_at: day(5),
      cost: null,
      cost_reason: 'not_metered',
      input_tokens: null,
      output_tokens: null
    },
    {
      prompt_type: 'f',
      created_at: day(6),
      cost: null,
      cost_reason: 'no_usage',
      success: false,
      input_tokens: null,
      output_tokens: null
    }
  ])
  const found = async (query: string) => {
    const { status, body } = await call('GET', `${list}?${query}`)
    t.equal(status, 200, query)
    t.equal((body as Page).total, (body as Page).items.length, query)
    return types(body)
  }
  t.equal(await found(''), 'f e d c b a', 'newest first')
  t.equal(await found('prompt_type=b'), 'b')
  t.equal(await found('prompt_type=none'), '')
  t.equal(await found('model=gpt-4o-mini'), 'c a', "the response's model or the request's")
  t.equal(await found('model=gpt-4o'), 'f e d b a')
  t.equal(await found('user=u'), 'a')
  t.equal(await found(`key_id=${key}`), 'c')
  t.equal(await found('success=false'), 'f b')
  t.equal(await found('success=true'), 'e d c a')
  t.equal(await found('status_code=429'), 'b')
  t.equal(await found('unpriced=true'), 'b', 'there were tokens, and no price')
  t.equal(
    await found('unpriced=false'), 'f e d c a', 'a cost of nothing is a price, and what is not metered needs none'
  )
  t.equal(await found('upstream_request_id=req_d'), 'd')
  t.equal(await found(`from=${day(2)}`), 'f e d c b', 'inclusive')
  t.equal(await found(`to=${day(2)}`), 'a', 'exclusive')
  t.equal(await found(`from=${day(2)}&to=${day(4)}&success=true`), 'c')
  t.equal(await found('from=2026-11-03T01:00:00%2B01:00&to=2026-11-03T00:00:00.001Z'), 'c')
})

onEachDatabase(t, 'pages neither skip nor repeat, over equal times and over months, nor while calls go on', async (
  t, database
) => {
  const admin = await startAdmin(t, database)
  const times = [
    '2026-11-30T23:59:59.999Z', '2026-11-30T23:59:59.9995Z', '2026-12-01T00:00:00Z', '2026-12-01T00:00:00.000001Z'
  ]
  await fill(database, Array.from({ length: 40 }, (_, i) => ({ created_at: times[i % 4] ?? '', prompt_type: `t${i}` })))
  const whole = (await admin.call('GET', list)).body as Page
  t.equal(whole.total, 40)
  const pages = await allPages(admin, `${list}?limit=7`)
  t.strictSame(pages.map(types).join(' '), types(whole))
  t.equal(new Set(types(whole).split(' ')).size, 40)
  t.strictSame(pages.map(page => page.items.length), [7, 7, 7, 7, 7, 5])
  t.ok(pages.every(page => page.total === 40))

  const first = (await admin.call('GET', `${list}?limit=30`)).body as Page
  await fill(database, [{ created_at: '2026-12-02T00:00:00Z', prompt_type: 'later' }])
  const second = (await admin.call('GET', `${list}?limit=30&cursor=${first.next_cursor ?? ''}`)).body as Page
  t.equal(`${types(first)} ${types(second)}`, types(whole))
  t.equal(second.total, 40, 'the total of the first page')
})

onEachDatabase(t, 'a row is found by its id alone, at the edge of a month and where the id is of another kind', async (
  t, database
) => {
  const { call } = await startAdmin(t, database)
  const random = 'c7b6a1de-30a5-4a41-a3c2-2e2e4e7c9f01'
  const edge = uuidv7('2026-11-30T23:59:59.999Z', 1)
  await fill(database, [
    { id: random, created_at: '2026-11-05T00:00:00Z' },
    { id: edge, created_at: '2026-12-01T00:00:00.000Z' }
  ])
  for (const id of [random, edge]) t.equal((await call('GET', `${list}/${id}`)).status, 200)
  for (const id of [
    uuidv7('2026-11-05T00:00:00Z', 2),
    uuidv7(new Date(2 ** 48 - 1), 2),
    uuidv7(new Date(0), 2),
    'exports',
    'x%00',
    '%27'
  ]) {
    t.equal(
      errorOf(await call('GET', `${list}/${id}`)),
      id === 'x%00' ? '400 invalid_field id' : '404 usage_log_not_found id',
      id
    )
  }
})

t.test('a query parameter that is wrong is refused by name', async t => {
  const { call } = await startAdmin(t, await openTestDatabase(t, 'postgres'))
  for (const [query, error] of [
    ['colour=1', 'unknown_field colour'], ['sort=cost', 'unknown_field sort'], [
      'status_code=ok', 'invalid_field status_code'
    ],
    [
      'status_code=99999999999', 'invalid_field status_code'
    ], ['success=1', 'invalid_field success'], ['unpriced=', 'invalid_field unpriced'],
    ['key_id=5', 'invalid_field key_id'], ['from=now', 'invalid_field from'], [
      'to=2026-13-01T00:00:00Z', 'invalid_field to'
    ],
    ['user=%00', 'invalid_field user'], ['limit=501', 'invalid_field limit'], ['model=a&model=b', 'invalid_field model']
  ] as const) {
    const answer = await call('GET', `${list}?${query}`)
    t.equal(errorOf(answer), `400 ${error}`, query)
    t.match(messageOf(answer), `'${error.split(' ')[1] ?? ''}'`)
  }
})

onEachDatabase(t, 'a cursor that this list did not give is refused', async (t, database) => {
  const { call } = await startAdmin(t, database)
  const encode = (place: unknown) => Buffer.from(JSON.stringify(place)).toString('base64url')
  t.equal((await call('GET', `${list}?cursor=${encode([Number.MAX_SAFE_INTEGER, key, 1, true])}`)).status, 200)
  for (const cursor of [
    '',
    'x',
    encode([]),
    encode([1, 'x', 1, true]),
    encode(['1', key, 1, true]),
    encode([-1, key, 1, true]),
    encode([1, key]),
    encode([1e300, key, 1, true])
  ]) {
    t.equal(errorOf(await call('GET', `${list}?cursor=${cursor}`)), '400 invalid_cursor cursor', cursor)
  }
})
