import t from 'tap'
import { eq } from 'drizzle-orm'
import { createPartitions, monthOf } from '../../src/db/partitions.js'
import { promptConfigs, promptStats, usageLogs } from '../../src/db/schema/index.js'
import { openTestDatabase } from '../helpers/database.js'
import { onEachDatabase } from './each-database.js'
import { usageLogRow } from './rows.js'
import { errorOf, messageOf, startAdmin } from './start-admin.js'

const list = '/admin/api/prompt-configs'
const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

onEachDatabase(t, 'a config is created, read, changed and deleted', async (t, database) => {
  const { call, policyChanges } = await startAdmin(t, database)
  const created = await call('POST', list, { prompt_type: 'a:b', description: 'Does it', track_full_data: true })
  t.equal(created.status, 201)
  t.equal(created.headers.get('location'), '/admin/api/prompt-configs/a%3Ab')
  const { created_at: createdAt, updated_at: updatedAt, ...fields } = created.body as Record<string, unknown>
  t.match(createdAt, rfc3339)
  t.equal(updatedAt, createdAt)
  t.strictSame(fields, {
    prompt_type: 'a:b',
    description: 'Does it',
    track_full_data: true,
    is_active: true,
    last_prompt: null,
    last_response: null,
    last_model: null,
    last_input_tokens: null,
    last_output_tokens: null,
    last_cost: null,
    last_user: null,
    last_metadata: null,
    last_called_at: null,
    last_duration_ms: null,
    last_status_code: null,
    last_error: null,
    total_calls: 0,
    failed_calls: 0,
    blocked_calls: 0,
    unpriced_calls: 0,
    total_input_tokens: 0,
    total_output_tokens: 0,
    total_cost: 0,
    avg_cost_per_call: null,
    blocked: null
  })
  t.strictSame((await call('GET', created.headers.get('location') ?? '')).body, created.body)
  t.strictSame((await call('GET', `${list}/a:b`)).body, created.body)

  const changed = await call('PATCH', `${list}/a%3Ab`, { is_active: false })
  t.equal(changed.status, 200)
  const after = changed.body as Record<string, unknown>
  t.strictSame({ ...after, updated_at: updatedAt }, { ...created.body as object, is_active: false })
  t.ok(String(after['updated_at']) >= String(updatedAt))

  const deleted = await call('DELETE', `${list}/a%3Ab`)
  t.equal(deleted.status, 204)
  t.equal(deleted.body, null)
  t.equal(errorOf(await call('GET', `${list}/a%3Ab`)), '404 prompt_config_not_found prompt_type')
  t.equal(policyChanges(), 3)
})

onEachDatabase(t, 'what a new config leaves out starts as the settings say', async (t, database) => {
  const { call } = await startAdmin(t, database)
  await call('PATCH', '/admin/api/settings', { default_track_full_data: true, default_is_active: false })
  t.match((await call('POST', list, { prompt_type: 'a' })).body, {
    track_full_data: true, is_active: false, description: ''
  })
  t.match((await call('POST', list, { prompt_type: 'b', is_active: true })).body, {
    track_full_data: true, is_active: true
  })
})

onEachDatabase(t, 'a second config of the same type is a conflict and changes nothing', async (t, database) => {
  const { call, policyChanges } = await startAdmin(t, database)
  await call('POST', list, { prompt_type: 'a', description: 'first' })
  const second = await call('POST', list, { prompt_type: 'a', description: 'second' })
  t.equal(errorOf(second), '409 prompt_config_exists prompt_type')
  t.match(messageOf(second), 'PATCH')
  t.match((await call('GET', `${list}/a`)).body, { description: 'first' })
  t.equal(policyChanges(), 1)
  t.equal((await call('POST', list, { prompt_type: 'A' })).status, 201, 'names differ by case')
})

onEachDatabase(t, 'statistics and the latest call are exact and in their JSON types', async (t, database) => {
  const { call } = await startAdmin(t, database)
  await call('POST', list, { prompt_type: 'a' })
  await database.operator.insert(promptStats).values({
    prompt_type: 'a',
    total_calls: 3,
    failed_calls: 1,
    unpriced_calls: 1,
    total_input_tokens: 9_007_199_254_740_991,
    total_output_tokens: 7,
    total_cost: '0.300000000001',
    last_called_at: '2026-11-22 23:04:05.678999+02',
    last_prompt: '{"a":"<\\u0000>"}',
    last_response: '{}',
    last_model: 'gpt-4o',
    last_input_tokens: 5,
    last_output_tokens: 6,
    last_cost: '0.000000000001',
    last_user: 'someone',
    last_metadata: '{"k":{"n":[1,null]}}',
    last_duration_ms: 12,
    last_status_code: 500,
    last_success: false,
    last_error: 'broken'
  })
  const { body } = await call('GET', `${list}/a`)
  t.match(body, {
    total_calls: 3,
    failed_calls: 1,
    blocked_calls: 0,
    unpriced_calls: 1,
    total_input_tokens: 9_007_199_254_740_991,
    total_output_tokens: 7,
    total_cost: 0.300000000001,
    avg_cost_per_call: 0.300000000001 / 3,
    last_called_at: '2026-11-22T21:04:05.678Z',
    last_prompt: '{"a":"<\\u0000>"}',
    last_response: '{}',
    last_cost: 1e-12,
    last_user: 'someone',
    last_metadata: { k: { n: [1, null] } },
    last_duration_ms: 12,
    last_status_code: 500,
    last_error: 'broken'
  })
  t.strictSame(Object.keys(body as object).slice(0, 6),
    ['prompt_type', 'description', 'track_full_data', 'is_active', 'last_prompt', 'last_response'])
  const { last_prompt: _prompt, last_response: _response, ...summary } = body as Record<string, unknown>
  t.strictSame((await call('GET', list)).body, { items: [summary], total: 1, next_cursor: null })
})

onEachDatabase(t, 'deleting a config takes its statistics; its log rows stay and lose the reference', async (
  t, database
) => {
  const { call } = await startAdmin(t, database)
  await call('POST', list, { prompt_type: 'a' })
  const [config] = await database.operator.select().from(promptConfigs)
  await database.operator.insert(promptStats).values({ prompt_type: 'a', total_calls: 1 })
  await createPartitions(database.operator, [monthOf(Date.now())])
  const row = usageLogRow({ prompt_type: 'a', prompt_config_id: config?.id ?? 0 })
  await database.operator.insert(usageLogs).values(row)
  t.match((await call('GET', `/admin/api/usage-logs/${row.id}`)).body, { prompt_config_id: config?.id })

  t.equal((await call('DELETE', `${list}/a`)).status, 204)
  t.equal(await database.operator.$count(promptStats), 0)
  t.match((await call('GET', `/admin/api/usage-logs/${row.id}`)).body, { prompt_type: 'a', prompt_config_id: null })
})

onEachDatabase(t, 'untyped can be changed before its first call, and deleting it resets it', async (t, database) => {
  const { call } = await startAdmin(t, database)
  t.equal(errorOf(await call('GET', `${list}/untyped`)), '404 prompt_config_not_found prompt_type')
  await call('PATCH', '/admin/api/settings', { default_is_active: false })
  t.match((await call('PATCH', `${list}/untyped`, { track_full_data: true })).body, {
    track_full_data: true, is_active: false
  })
  t.match((await call('PATCH', `${list}/untyped`, { is_active: true })).body, {
    track_full_data: true, is_active: true
  })
  t.equal((await call('DELETE', `${list}/untyped`)).status, 204)
  t.equal((await call('GET', `${list}/untyped`)).status, 404)
})

t.test('a config is refused by the name of the field that is wrong', async t => {
  const { call, policyChanges } = await startAdmin(t, await openTestDatabase(t, 'postgres'))
  const post = async (body: unknown) => errorOf(await call('POST', list, body))
  t.equal(await post({}), '400 invalid_field prompt_type')
  t.equal(await post({ prompt_type: 'a', colour: 1 }), '400 unknown_field colour')
  t.equal(await post({ prompt_type: 'a', blocked: null }), '400 unknown_field blocked')
  for (const name of ['', ' a', '-a', 'a b', 'ä', 'a/b', 'a'.repeat(129), 5, null]) {
    t.equal(await post({ prompt_type: name }), '400 invalid_field prompt_type', String(name))
  }
  t.equal(await post({ prompt_type: 'a', description: 5 }), '400 invalid_field description')
  t.equal(await post({ prompt_type: 'a', description: 'x'.repeat(1001) }), '400 invalid_field description')
  t.equal(await post({ prompt_type: 'a', description: 'a\0b' }), '400 invalid_field description')
  t.equal(await post({ prompt_type: 'a', is_active: 'true' }), '400 invalid_field is_active')
  t.equal(errorOf(await call('PATCH', `${list}/a`, { prompt_type: 'b' })), '400 unknown_field prompt_type')
  t.equal(errorOf(await call('PATCH', `${list}/a`, {})), '400 invalid_field')
  t.equal(policyChanges(), 0)
})

onEachDatabase(t, 'any name in the path is answered: a long one, one that is none, an unknown one', async (
  t, database
) => {
  const { call } = await startAdmin(t, database)
  const long = 'a' + ':'.repeat(127)
  t.equal((await call('POST', list, { prompt_type: long })).status, 201)
  t.match((await call('GET', `${list}/${encodeURIComponent(long)}`)).body, { prompt_type: long })
  for (const name of ['none', 'a%20b', 'a%2Fb', '%F0%9F%98%80', "'%3B--"]) {
    for (const method of ['GET', 'DELETE']) {
      t.equal(errorOf(await call(method, `${list}/${name}`)), '404 prompt_config_not_found prompt_type', name)
    }
    t.equal(
      errorOf(await call('PATCH', `${list}/${name}`, { is_active: true })), '404 prompt_config_not_found prompt_type'
    )
  }
  t.equal(errorOf(await call('GET', `${list}/a%00b`)), '400 invalid_field prompt_type')
})

onEachDatabase(t, 'of many who create the same config at once, one does', async (t, database) => {
  const { call } = await startAdmin(t, database)
  const answers = await Promise.all(
    Array.from({ length: 10 }, async () => await call('POST', list, { prompt_type: 'a' }))
  )
  t.strictSame(answers.map(({ status }) => status).sort(), [201, ...Array.from({ length: 9 }, () => 409)])
  t.equal(await database.operator.$count(promptConfigs, eq(promptConfigs.prompt_type, 'a')), 1)
})
