import { eq } from 'drizzle-orm'
import t from 'tap'
import { POLICY_CHANNEL, announcePolicyChange, loadPolicy, readPolicyVersion } from '../../src/db/policy-store.js'
import { gatewayKeys, gatewaySettings, promptConfigs } from '../../src/db/schema/index.js'
import { forEachDatabase } from '../helpers/database.js'

forEachDatabase(t, 'the policy of an empty database is the defaults', async (t, database) => {
  t.same(await loadPolicy(database.recording), { version: 1, defaults: { trackFullData: false, isActive: true }, configs: [], keys: [] })
  t.equal(await readPolicyVersion(database.recording), 1)
})

forEachDatabase(t, 'configs, settings and keys are read as they were written', async (t, database) => {
  const expires = '2026-12-01T10:00:00.250Z'
  await database.operator.insert(promptConfigs).values([{ prompt_type: 'a', track_full_data: true }, { prompt_type: 'b', is_active: false }])
  await database.operator.update(gatewaySettings).set({ default_track_full_data: true, default_is_active: false })
  const first = '019aa7a0-0000-7000-8000-000000000001'
  const second = '019aa7a0-0000-7000-8000-000000000002'
  await database.operator.insert(gatewayKeys).values([
    { id: first, name: 'one', key_sha256: 'aa', user_name: 'ann', allowed_prompt_types: ['a', 'b"c'], expires_at: expires },
    { id: second, name: 'two', key_sha256: 'bb', revoked_at: expires }
  ])
  const { configs, keys, defaults } = await loadPolicy(database.recording)
  t.same(defaults, { trackFullData: true, isActive: false })
  t.same(new Set(configs), new Set([
    { promptType: 'a', trackFullData: true, isActive: true }, { promptType: 'b', trackFullData: false, isActive: false }
  ]))
  t.same(new Map(keys.map(key => [key.id, key])), new Map([
    [first, { id: first, name: 'one', user: 'ann', keySha256: 'aa', allowedPromptTypes: ['a', 'b"c'], expiresAtMs: Date.parse(expires), revoked: false }],
    [second, { id: second, name: 'two', user: null, keySha256: 'bb', allowedPromptTypes: null, expiresAtMs: null, revoked: true }]
  ]))
})

forEachDatabase(t, 'a change is announced when it is committed, and not when it is rolled back', async (t, database) => {
  let heard = 0
  let notified = (): void => {}
  const announced = new Promise<void>(resolve => { notified = resolve })
  // The first call back says that it listens.
  await database.listen(POLICY_CHANNEL, () => { if (++heard === 2) notified() })
  await t.rejects(database.operator.transaction(async tx => {
    await announcePolicyChange(tx)
    throw new Error('changed my mind')
  }), /changed my mind/)
  t.equal(await readPolicyVersion(database.recording), 1)
  await database.operator.transaction(async tx => {
    await tx.insert(promptConfigs).values({ prompt_type: 'a' })
    await announcePolicyChange(tx)
  })
  await announced
  t.equal(await readPolicyVersion(database.recording), 2)
  t.equal(await database.operator.$count(promptConfigs, eq(promptConfigs.prompt_type, 'a')), 1)
})
