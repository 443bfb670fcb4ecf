import t from 'tap'
import { gatewaySettings } from '../../src/db/schema/index.js'
import { openTestDatabase } from '../helpers/database.js'
import { onEachDatabase } from './each-database.js'
import { errorOf, messageOf, startAdmin } from './start-admin.js'

onEachDatabase(t, 'settings are read and changed, each by itself', async (t, database) => {
  const { call, policyChanges } = await startAdmin(t, database)
  t.strictSame((await call('GET', '/admin/api/settings')).body, {
    default_track_full_data: false, default_is_active: true
  })
  const changed = await call('PATCH', '/admin/api/settings', { default_track_full_data: true })
  t.equal(changed.status, 200)
  t.strictSame(changed.body, { default_track_full_data: true, default_is_active: true })
  await call('PATCH', '/admin/api/settings', { default_is_active: false })
  t.strictSame((await call('GET', '/admin/api/settings')).body, {
    default_track_full_data: true, default_is_active: false
  })
  t.equal(policyChanges(), 2)
})

onEachDatabase(t, 'a change raises the policy version, a refused one does not', async (t, database) => {
  const { call, policyChanges } = await startAdmin(t, database)
  const version = async () => (await database.operator.select().from(gatewaySettings))[0]?.policy_version ?? 0
  const before = await version()
  await call('PATCH', '/admin/api/settings', { default_is_active: false })
  t.equal(await version(), before + 1)
  await call('PATCH', '/admin/api/prompt-configs/none', { is_active: false })
  await call('DELETE', '/admin/api/prompt-configs/none')
  t.equal(await version(), before + 1)
  t.equal(policyChanges(), 1)
})

t.test('unknown fields and wrong types are refused by name', async t => {
  const { call } = await startAdmin(t, await openTestDatabase(t, 'postgres'))
  const refused = async (body: unknown) => await call('PATCH', '/admin/api/settings', body)
  t.equal(errorOf(await refused({ default_is_actve: true })), '400 unknown_field default_is_actve')
  t.match(messageOf(await refused({ default_is_actve: true })), "'default_is_actve'")
  t.equal(errorOf(await refused({ default_is_active: true, policy_version: 1 })), '400 unknown_field policy_version')
  for (const wrong of ['true', 1, null, []]) {
    const answer = await refused({ default_is_active: wrong })
    t.equal(errorOf(answer), '400 invalid_field default_is_active')
    t.match(messageOf(answer), "'default_is_active' must be boolean")
  }
  t.equal(errorOf(await refused({})), '400 invalid_field')
})
