import { sql } from 'drizzle-orm'
import t from 'tap'
import { auditLog } from '../../src/db/schema/index.js'
import { openTestDatabase } from '../helpers/database.js'
import { onEachDatabase } from './each-database.js'
import { allPages, errorOf, messageOf, startAdmin, username, type Admin, type Page } from './start-admin.js'

const list = '/admin/api/audit-log'
const read = async ({ call }: Admin, query = ''): Promise<Page> => (await call('GET', list + query)).body as Page

onEachDatabase(t, 'a change of a prompt config is there with its switches before and after, and without its statistics', async (
  t, database
) => {
  const clock = Date.parse('2028-02-29T23:59:59.999Z')
  const admin = await startAdmin(t, database, () => clock)
  await admin.call('POST', '/admin/api/prompt-configs', { prompt_type: 'a', description: '"é"' })
  await admin.call('PATCH', '/admin/api/prompt-configs/a', { track_full_data: true })
  await admin.call('DELETE', '/admin/api/prompt-configs/a')
  const made = { prompt_type: 'a', description: '"é"', track_full_data: false, is_active: true }
  const { items, total } = await read(admin)
  t.equal(total, 3)
  t.strictSame(items.map(({ id: _id, ...item }) => item), [
    { action: 'prompt_config.delete', before: { ...made, track_full_data: true }, after: null },
    { action: 'prompt_config.update', before: made, after: { ...made, track_full_data: true } },
    { action: 'prompt_config.create', before: null, after: made }
  ].map(
    ({ action, before, after }) => ({
      created_at: '2028-02-29T23:59:59.999Z', username, action, target: 'a', before, after
    })
  ))
  for (const { id } of items) t.match(id, /^[\da-f]{8}-[\da-f]{4}-7/)
})

onEachDatabase(t, "the reserved type's first change makes its config, and says so", async (t, database) => {
  const admin = await startAdmin(t, database)
  for (const isActive of [false, true]) {
    await admin.call('PATCH', '/admin/api/prompt-configs/untyped', {
      is_active: isActive
    })
  }
  t.match((await read(admin)).items, [
    { action: 'prompt_config.update', before: { is_active: false }, after: { is_active: true } },
    { action: 'prompt_config.create', target: 'untyped', before: null, after: { is_active: false } }
  ])
})

onEachDatabase(t, 'a change of the settings or of a key is there, and neither the key nor its hash', async (
  t, database
) => {
  const admin = await startAdmin(t, database)
  await admin.call('PATCH', '/admin/api/settings', { default_is_active: false })
  const { key, id, ...shown } = (await admin.call('POST', '/admin/api/keys', { name: 'importer' })).body as {
    key: string, id: string
  }
  await admin.call('PATCH', `/admin/api/keys/${id}`, { name: 'exporter' })
  await admin.call('DELETE', `/admin/api/keys/${id}`)
  const { items } = await read(admin)
  t.match(items, [
    { action: 'key.revoke', target: id, before: { name: 'exporter' }, after: null },
    { action: 'key.update', target: id, before: { name: 'importer' }, after: { name: 'exporter' } },
    { action: 'key.create', target: id, before: null, after: { id, name: 'importer' } },
    {
      action: 'settings.update',
      target: 'settings',
      before: { default_track_full_data: false, default_is_active: true },
      after: { default_track_full_data: false, default_is_active: false }
    }
  ])
  const { last_used_at: _at, ...decided } = shown as { last_used_at?: unknown }
  t.strictSame(items[2]?.['after'], { id, ...decided }, 'when it was last used is no change')
  const text = JSON.stringify(await database.operator.select().from(auditLog))
  t.notMatch(text, key.slice(3))
  t.notMatch(text, 'sha256')
})

onEachDatabase(t, 'what is refused, rolled back or leaves things as they were is not in it', async (t, database) => {
  const admin = await startAdmin(t, database)
  const { call } = admin
  await call('POST', '/admin/api/prompt-configs', { prompt_type: 'a' })
  const { id } = (await call('POST', '/admin/api/keys', { name: 'k' })).body as { id: string }
  const { total } = await read(admin)
  const answers = [
    await call('POST', '/admin/api/prompt-configs', { prompt_type: 'a' }),
    await call('PATCH', '/admin/api/prompt-configs/none', { is_active: true }),
    await call('DELETE', '/admin/api/prompt-configs/none'),
    await call('PATCH', '/admin/api/settings', { default_is_active: 'no' }),
    await call('PATCH', '/admin/api/prompt-configs/a', { is_active: true }),
    await call('PATCH', '/admin/api/settings', { default_is_active: true }),
    await call('PATCH', `/admin/api/keys/${id}`, { name: 'k', user: null })
  ]
  t.strictSame(answers.map(answer => answer.status), [409, 404, 404, 400, 200, 200, 200])
  t.equal((await read(admin)).total, total)

  await database.operator.execute(
    sql`alter table gateway_settings add constraint broken check (policy_version < 0) not valid`
  )
  try {
    t.equal((await call('PATCH', '/admin/api/prompt-configs/a', { is_active: false })).status, 500)
    t.equal((await call('DELETE', `/admin/api/keys/${id}`)).status, 500)
  } finally {
    await database.operator.execute(sql`alter table gateway_settings drop constraint broken`)
  }
  t.equal((await read(admin)).total, total)
})

onEachDatabase(t, 'it filters by action, target, user and time, newest first, and pages neither skip nor repeat over equal times', async (
  t, database
) => {
  let clock = Date.parse('2026-01-01T00:00:00Z')
  const admin = await startAdmin(t, database, () => clock)
  const names = Array.from({ length: 7 }, (_, i) => `t${i}`)
  for (const name of names) {
    await admin.call('POST', '/admin/api/prompt-configs', { prompt_type: name })
    if (name === 't3') clock += 1000
  }
  clock += 1000
  await admin.call('PATCH', '/admin/api/prompt-configs/t3', { is_active: false })
  const targets = (page: Page) => page.items.map(item => item['target'])
  const newestFirst = ['t3', ...names.toReversed()]
  for (const limit of [1, 2, 3, 8]) {
    const pages = await allPages(admin, `${list}?limit=${limit}`)
    t.strictSame(pages.flatMap(targets), newestFirst)
    t.ok(pages.every(page => page.total === 8))
  }
  const first = await read(admin, '?limit=3')
  await admin.call('PATCH', '/admin/api/prompt-configs/t0', { is_active: false })
  t.strictSame(
    targets(await read(admin, `?cursor=${first.next_cursor ?? ''}`)),
    newestFirst.slice(3),
    'new rows disturb no later page'
  )

  t.strictSame(targets(await read(admin, '?action=prompt_config.update')), ['t0', 't3'])
  t.strictSame(targets(await read(admin, '?target=t3')), ['t3', 't3'])
  t.match(await read(admin, '?target=t3&action=prompt_config.create'), { total: 1 })
  t.match(await read(admin, `?username=${username}`), { total: 9 })
  t.match(await read(admin, '?username=other'), { items: [], total: 0, next_cursor: null })
  t.strictSame(
    targets(await read(admin, '?from=2026-01-01T00:00:01Z&to=2026-01-01T00:00:02Z')),
    ['t6', 't5', 't4'],
    'from is in, to is not'
  )
  t.strictSame(targets(await read(admin, '?from=2026-01-01T02:00:02%2B02:00')), ['t0', 't3'])
})

t.test('what the list cannot read is refused by name', async t => {
  const { call } = await startAdmin(t, await openTestDatabase(t, 'postgres'))
  const cursor = (place: unknown) => Buffer.from(JSON.stringify(place)).toString('base64url')
  for (const place of [
    [],
    [1],
    [-1, '2f1de5a4-6f0a-4d5e-9a51-8f1f3d2b7c10'],
    [1, 'x'],
    ['1', '2f1de5a4-6f0a-4d5e-9a51-8f1f3d2b7c10'],
    null,
    {}
  ]) {
    t.equal(errorOf(await call('GET', `${list}?cursor=${cursor(place)}`)), '400 invalid_cursor cursor')
  }
  for (const time of ['yesterday', '1899-12-31T00:00:00Z', '2016-12-31T23:59:60Z', '2026-01-01T00:00:00%2B16:00']) {
    const answer = await call('GET', `${list}?from=${time}`)
    t.equal(errorOf(answer), '400 invalid_field from', time)
    t.match(messageOf(answer), 'RFC 3339', time)
  }
  t.equal(errorOf(await call('GET', `${list}?who=me`)), '400 unknown_field who')
  t.equal(errorOf(await call('GET', `${list}?target=a%00`)), '400 invalid_field target')
  t.equal(errorOf(await call('GET', `${list}?target=a&target=b`)), '400 invalid_field target')
  t.equal(errorOf(await call('GET', `${list}?limit=501`)), '400 invalid_field limit')
  t.equal(errorOf(await call('DELETE', list)), '404 unknown_route', 'nothing takes a row away')
})
