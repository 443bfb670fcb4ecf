import { createHash } from 'node:crypto'
import t from 'tap'
import { eq } from 'drizzle-orm'
import { gatewayKeys } from '../../src/db/schema/index.js'
import { openTestDatabase } from '../helpers/database.js'
import { onEachDatabase } from './each-database.js'
import { allPages, errorOf, startAdmin, type Page } from './start-admin.js'

const list = '/admin/api/keys'
const uuid = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/
const unknownId = '2f1de5a4-6f0a-4d5e-9a51-8f1f3d2b7c10'

onEachDatabase(t, 'a key is shown once, and only its SHA-256 is kept', async (t, database) => {
  const { call, policyChanges } = await startAdmin(t, database)
  const { status, body } = await call('POST', list, { name: 'importer' })
  t.equal(status, 201)
  const { key, ...shown } = body as { key: string, id: string }
  t.match(key, /^pm_[A-Za-z0-9_-]{43}$/)
  t.match(shown, {
    id: uuid,
    name: 'importer',
    user: null,
    allowed_prompt_types: null,
    expires_at: null,
    created_at: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
    last_used_at: null
  })
  t.strictSame((await call('GET', list)).body, { items: [shown], total: 1, next_cursor: null, accepted: true })
  const [row] = await database.operator.select().from(gatewayKeys)
  t.equal(row?.key_sha256, createHash('sha256').update(key).digest('hex'))
  t.notMatch(JSON.stringify(row), key.slice(3))
  t.equal(policyChanges(), 1)
  t.not(((await call('POST', list, { name: 'importer' })).body as { key: string }).key, key)
})

onEachDatabase(t, 'a key is changed field by field, and null takes a limit away', async (t, database) => {
  const { call, policyChanges } = await startAdmin(t, database)
  const limited = {
    name: 'n'.repeat(100),
    user: 'u',
    allowed_prompt_types: ['a', 'b:c', 'untyped'],
    expires_at: '2999-01-01T02:00:00+02:00'
  }
  const created = await call('POST', list, limited)
  t.match(created.body, { ...limited, expires_at: '2999-01-01T00:00:00.000Z' })
  const { id, key: _key, ...shown } = created.body as Record<string, unknown>
  const path = `${list}/${String(id)}`
  t.strictSame((await call('PATCH', path, { name: 'new' })).body, { id, ...shown, name: 'new' })
  t.strictSame((await call('PATCH', path, { user: null, allowed_prompt_types: null, expires_at: null })).body,
    { id, ...shown, name: 'new', user: null, allowed_prompt_types: null, expires_at: null })
  t.match((await call('PATCH', path, {
    user: 'v', allowed_prompt_types: ['d']
  })).body, { user: 'v', allowed_prompt_types: ['d'] })
  t.match((await call('GET', list)).body, { items: [{ id, user: 'v' }] })
  t.equal(policyChanges(), 4)
})

onEachDatabase(t, 'a revoked key leaves the list for good, and its row stays', async (t, database) => {
  const { call } = await startAdmin(t, database)
  const { id } = (await call('POST', list, { name: 'a' })).body as { id: string }
  t.equal((await call('DELETE', `${list}/${id}`)).status, 204)
  t.strictSame((await call('GET', list)).body, { items: [], total: 0, next_cursor: null, accepted: true })
  t.equal(errorOf(await call('DELETE', `${list}/${id}`)), '404 key_not_found id')
  t.equal(errorOf(await call('PATCH', `${list}/${id}`, { name: 'b' })), '404 key_not_found id')
  const [row] = await database.operator.select().from(gatewayKeys).where(eq(gatewayKeys.id, id))
  t.ok(row?.revoked_at)
})

onEachDatabase(t, 'the list is newest first, and its pages neither skip nor repeat over equal times', async (
  t, database
) => {
  const admin = await startAdmin(t, database)
  const times = ['2026-01-01T00:00:00.000001Z', '2026-01-01T00:00:00.000002Z', '2026-01-02T00:00:00Z']
  await database.operator.insert(gatewayKeys).values(Array.from({ length: 12 }, (_, i) => ({
    id: `00000000-0000-4000-8000-00000000000${i.toString(16)}`,
    name: `k${i}`,
    key_sha256: String(i),
    created_at: times[i % 3] ?? '',
    revoked_at: i === 11 ? '2026-01-03T00:00:00Z' : null
  })))
  const pages = await allPages(admin, `${list}?limit=2`)
  const ids = (page: Page) => page.items.map(item => item['name'])
  t.strictSame(pages.flatMap(ids), ['k8', 'k5', 'k2', 'k10', 'k7', 'k4', 'k1', 'k9', 'k6', 'k3', 'k0'])
  t.ok(pages.every(page => page.total === 11))
  t.equal(errorOf(await admin.call('GET', `${list}?cursor=x`)), '400 invalid_cursor cursor')
  t.equal(errorOf(await admin.call('GET', `${list}?name=x`)), '400 unknown_field name')
})

t.test('a key is refused by the name of the field that is wrong', async t => {
  const { call, policyChanges } = await startAdmin(t, await openTestDatabase(t, 'postgres'))
  const post = async (body: object) => errorOf(await call('POST', list, body))
  t.equal(await post({}), '400 invalid_field name')
  t.equal(await post({ name: 'a', key: 'pm_mine' }), '400 unknown_field key')
  for (const name of ['', 'x'.repeat(101), 5, null]) t.equal(await post({ name }), '400 invalid_field name')
  for (const user of ['', 5, 'x'.repeat(257), 'a\0']) t.equal(await post({ name: 'a', user }), '400 invalid_field user')
  for (const types of [[], 'a', {}]) {
    t.equal(
      await post({ name: 'a', allowed_prompt_types: types }), '400 invalid_field allowed_prompt_types'
    )
  }
  t.equal(await post({ name: 'a', allowed_prompt_types: ['a', 'a'] }), '400 invalid_field allowed_prompt_types')
  t.equal(await post({ name: 'a', allowed_prompt_types: ['a', '{}'] }), '400 invalid_field allowed_prompt_types.1')
  for (const time of ['2020-01-01T00:00:00Z', 'tomorrow', '2999-01-01', 4e12, '']) {
    t.equal(await post({ name: 'a', expires_at: time }), '400 invalid_field expires_at', String(time))
  }
  t.equal(
    errorOf(await call('PATCH', `${list}/${unknownId}`, { expires_at: '2020-01-01T00:00:00Z' })),
    '400 invalid_field expires_at'
  )
  t.equal(errorOf(await call('PATCH', `${list}/${unknownId}`, {})), '400 invalid_field')
  for (const id of [unknownId, 'x', '%27']) {
    t.equal(errorOf(await call('PATCH', `${list}/${id}`, { name: 'b' })), '404 key_not_found id')
    t.equal(errorOf(await call('DELETE', `${list}/${id}`)), '404 key_not_found id')
  }
  t.equal(policyChanges(), 0)
})

t.test("whether an expiry is in the future is the gateway's clock to say", async t => {
  const leapDay = Date.parse('2028-02-29T00:00:00Z')
  const { call } = await startAdmin(t, await openTestDatabase(t, 'postgres'), () => leapDay)
  t.equal(
    errorOf(await call('POST', list, { name: 'a', expires_at: '2028-02-29T00:00:00Z' })), '400 invalid_field expires_at'
  )
  const { id } = (await call('POST', list, {
    name: 'a', expires_at: '2028-02-29T00:00:00.001Z'
  })).body as { id: string }
  t.equal(
    errorOf(await call('PATCH', `${list}/${id}`, { expires_at: '2028-02-28T23:59:59.999Z' })),
    '400 invalid_field expires_at'
  )
})
