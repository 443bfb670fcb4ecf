import { eq } from 'drizzle-orm'
import t from 'tap'
import { POLICY_CHANNEL, announcePolicyChange, loadPolicy, readPolicyPulse } from '../../src/db/policy-store.js'
import {
  budgetLifts, budgetPeriods, budgets, gatewayKeys, gatewaySettings, promptConfigs
} from '../../src/db/schema/index.js'
import { forEachDatabase } from '../helpers/database.js'
import { gate } from '../helpers/gate.js'

forEachDatabase(t, 'the policy of an empty database is the defaults', async (t, database) => {
  t.same(await loadPolicy(database.recording), {
    version: 1, defaults: { trackFullData: false, isActive: true }, configs: [], keys: [], budgets: [], prices: []
  })
  t.same(await readPolicyPulse(database.recording), { version: 1, spent: [] })
})

forEachDatabase(t, 'configs, settings and keys are read as they were written', async (t, database) => {
  const expires = '2026-12-01T10:00:00.250Z'
  await database.operator.insert(promptConfigs)
    .values([{ prompt_type: 'a', track_full_data: true }, { prompt_type: 'b', is_active: false }])
  await database.operator.update(gatewaySettings).set({ default_track_full_data: true, default_is_active: false })
  const first = '019aa7a0-0000-7000-8000-000000000001'
  const second = '019aa7a0-0000-7000-8000-000000000002'
  await database.operator.insert(gatewayKeys).values([
    {
      id: first,
      name: 'one',
      key_sha256: 'aa',
      user_name: 'ann',
      allowed_prompt_types: ['a', 'b"c'],
      expires_at: expires
    },
    { id: second, name: 'two', key_sha256: 'bb', revoked_at: expires }
  ])
  const { configs, keys, defaults } = await loadPolicy(database.recording)
  t.same(defaults, { trackFullData: true, isActive: false })
  t.same(new Set(configs), new Set([
    { promptType: 'a', trackFullData: true, isActive: true }, { promptType: 'b', trackFullData: false, isActive: false }
  ]))
  t.same(new Map(keys.map(key => [key.id, key])), new Map([
    [
      first,
      {
        id: first,
        name: 'one',
        user: 'ann',
        keySha256: 'aa',
        allowedPromptTypes: ['a', 'b"c'],
        expiresAtMs: Date.parse(expires),
        revoked: false
      }
    ],
    [
      second,
      {
        id: second, name: 'two', user: null, keySha256: 'bb', allowedPromptTypes: null, expiresAtMs: null, revoked: true
      }
    ]
  ]))
})

forEachDatabase(t, 'a change is announced when it is committed, and not when it is rolled back', async (
  t, database
) => {
  let heard = 0
  const announced = gate()
  // The first call back says that it listens.
  await database.listen(POLICY_CHANNEL, () => { if (++heard === 2) announced.open() })
  await t.rejects(database.operator.transaction(async tx => {
    await announcePolicyChange(tx)
    throw new Error('changed my mind')
  }), /changed my mind/)
  t.equal((await readPolicyPulse(database.recording)).version, 1)
  await database.operator.transaction(async tx => {
    await tx.insert(promptConfigs).values({ prompt_type: 'a' })
    await announcePolicyChange(tx)
  })
  await announced.passed()
  t.equal((await readPolicyPulse(database.recording)).version, 2)
  t.equal(await database.operator.$count(promptConfigs, eq(promptConfigs.prompt_type, 'a')), 1)
})

forEachDatabase(t, 'blocking budgets are read with their lifts and their latest two periods; the pulse has the latter', async (
  t, database
) => {
  const [blocking, alerting, fresh] = [
    1, 2, 3
  ].map(n => `019aa7a0-0000-7000-8000-00000000000${n}`) as [string, string, string]
  const common = { period: 'day', limit_usd: '12.5', thresholds: [100] }
  await database.operator.insert(budgets).values([
    { ...common, id: blocking, name: 'blocks', action: 'block', prompt_type: 'a', strict: true },
    { ...common, id: alerting, name: 'alerts', action: 'alert' },
    { ...common, id: fresh, name: 'fresh', action: 'block' }
  ])
  const days = ['2026-11-20', '2026-11-21', '2026-11-22'].map(date => `${date}T00:00:00Z`)
  await database.operator.insert(budgetPeriods)
    .values(
      [blocking, alerting].flatMap(id =>
        days.map((start, i) => ({ budget_id: id, period_start: start, spent_usd: `${i + 1}`, revision: i })))
    )
  await database.operator.insert(budgetLifts)
    .values({ budget_id: blocking, prompt_type: 'a', period_start: '2026-11-22T00:00:00Z' })
  const spent = [
    { periodStartMs: Date.parse('2026-11-22'), spentUsd: '3.000000000000', revision: 2 },
    { periodStartMs: Date.parse('2026-11-21'), spentUsd: '2.000000000000', revision: 1 }
  ]
  const policy = await loadPolicy(database.recording)
  t.same(new Map(policy.budgets.map(budget => [budget.name, budget])), new Map([
    [
      'blocks',
      {
        id: blocking,
        name: 'blocks',
        promptType: 'a',
        period: 'day',
        limitUsd: '12.500000000000',
        strict: true,
        spent,
        lifts: [{ promptType: 'a', periodStartMs: Date.parse('2026-11-22') }]
      }
    ],
    [
      'fresh',
      {
        id: fresh,
        name: 'fresh',
        promptType: null,
        period: 'day',
        limitUsd: '12.500000000000',
        strict: false,
        spent: [],
        lifts: []
      }
    ]
  ]))
  const pulse = await readPolicyPulse(database.recording)
  t.same(pulse, { version: 1, spent: spent.map(one => ({ budgetId: blocking, ...one })) })
  await database.operator.insert(budgetPeriods)
    .values({ budget_id: fresh, period_start: '2026-11-22T00:00:00Z', spent_usd: '7' })
  t.equal(
    (await readPolicyPulse(database.recording)).spent.find(({ budgetId }) => budgetId === fresh)?.spentUsd,
    '7.000000000000'
  )
})
