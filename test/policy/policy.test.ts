import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import type { PolicyBudget, PolicyData, PolicyKey, SpentBudget } from '../../src/db/policy-store.js'
import { GatewayError } from '../../src/errors.js'
import { Policy, type PolicyOptions } from '../../src/policy/policy.js'
import { type Gate, gate } from '../helpers/gate.js'
import { until } from '../helpers/until.js'

const defaults = { trackFullData: false, isActive: true }
const data = (changes: Partial<PolicyData> = {}): PolicyData => ({
  version: 1, defaults, configs: [], keys: [], budgets: [], prices: [], ...changes
})
const config = (
  promptType: string, toggles: Partial<typeof defaults> = {}
): PolicyData['configs'][number] => ({ promptType, ...defaults, ...toggles })

/** A policy over a database that the test plays: what `store` holds when a reading begins is what it reads. */
function policyOver (
  store: { data: PolicyData, spent?: SpentBudget[], away?: boolean }, changes: Partial<PolicyOptions> = {}
): { policy: Policy, warnings: string[], readings: () => number } {
  const warnings: string[] = []
  let readings = 0
  const warn = (_fields: object, message: string): void => { warnings.push(message) }
  const answer = <T>(value: T): Promise<T> =>
    store.away === true ? Promise.reject(new Error('the database is away')) : Promise.resolve(value)
  const policy = new Policy({
    load: () => {
      readings++
      return answer(store.data)
    },
    readPulse: () => answer({ version: store.data.version, spent: store.spent ?? [] }),
    kept: null,
    keep: () => Promise.resolve(),
    maxPromptTypes: 3,
    log: { debug: warn, info: warn, warn, error: warn },
    ...changes
  })
  return { policy, warnings, readings: () => readings }
}

const refusal = (policy: Policy, promptType: string): string => {
  try {
    policy.admit(promptType, null)
    return 'let in'
  } catch (error) {
    if (error instanceof GatewayError) return `${error.statusCode} ${error.code}`
    throw error
  }
}

t.test('a call is admitted by its type\'s switches, and the header overrides one of them', async t => {
  const { policy } = policyOver({
    data: data({ configs: [config('full', { trackFullData: true }), config('off', { isActive: false })] })
  })
  await policy.refresh()
  t.same(policy.admit('full', null), { promptType: 'full', logged: true, storeFullData: true, newConfig: defaults })
  t.equal(policy.admit('full', false).storeFullData, false)
  t.same(policy.admit('off', null), { promptType: 'off', logged: false, storeFullData: false, newConfig: defaults })
  t.equal(policy.admit('off', true).storeFullData, true)
})

t.test('a new type, and untyped, start with the global settings', async t => {
  const settings = { trackFullData: true, isActive: false }
  const { policy } = policyOver({ data: data({ defaults: settings }) })
  await policy.refresh()
  for (const promptType of ['new', 'untyped']) {
    t.same(policy.admit(promptType, null), {
      promptType, logged: false, storeFullData: true, newConfig: settings
    })
  }
})

t.test('a key is found by its hash, until a reading lacks it', async t => {
  const key: PolicyKey = {
    id: 'k', name: 'n', user: null, keySha256: 'ab', allowedPromptTypes: null, expiresAtMs: null, revoked: false
  }
  const store = { data: data({ keys: [key] }) }
  const { policy } = policyOver(store)
  await policy.refresh()
  t.same(policy.findKey('ab'), key)
  t.equal(policy.findKey('AB'), undefined)
  store.data = data()
  await policy.refresh()
  t.equal(policy.findKey('ab'), undefined)
})

t.test('past the limit a new type is refused; those known, and untyped, are not', async t => {
  const store = { data: data({ configs: [config('a')] }) }
  const { policy } = policyOver(store)
  await policy.refresh()
  t.same(['b', 'c', 'd', 'b', 'a', 'untyped', 'd'].map(promptType => refusal(policy, promptType)),
    ['let in', 'let in', '400 prompt_type_limit', 'let in', 'let in', 'let in', '400 prompt_type_limit'])
  store.data = data({ configs: [config('a'), config('b'), config('c')] })
  await policy.refresh()
  t.same(
    ['c', 'd'].map(promptType => refusal(policy, promptType)),
    ['let in', '400 prompt_type_limit'],
    'each counts once when the database has it'
  )
  store.data = data({ configs: [config('a')] })
  await policy.refresh()
  t.equal(refusal(policy, 'd'), 'let in', 'deleted types make room')
})

t.test('a refresh during a reading under way sees what changed after that reading began', async t => {
  const gates: Gate[] = []
  let stored = data()
  const { policy } = policyOver({ data: stored }, {
    load: async () => {
      const read = stored
      const reading = gate()
      gates.push(reading)
      await reading.passed()
      return read
    }
  })
  const first = policy.refresh()
  stored = data({ configs: [config('a', { isActive: false })] })
  let done = 0
  const later = [policy.refresh(), policy.refresh()].map(promise => promise.then(() => { done++ }))
  gates[0]?.open()
  await first
  for (let i = 0; i < 3; i++) await nextTurn()
  t.equal(done, 0)
  t.equal(gates.length, 2, 'one reading serves all who waited')
  gates[1]?.open()
  await Promise.all(later)
  t.equal(policy.admit('a', null).logged, false)
})

t.test('a refresh that waited for a reading that failed reads for itself', async t => {
  const store = { data: data(), away: true }
  const { policy } = policyOver(store)
  const failing = policy.refresh()
  store.away = false
  store.data = data({ configs: [config('a', { isActive: false })] })
  const waiting = policy.refresh()
  await t.rejects(failing, { message: 'the database is away' })
  await waiting
  t.equal(policy.admit('a', null).logged, false)
})

t.test('a start without a policy is no start', async t => {
  await t.rejects(policyOver({ data: data(), away: true }).policy.start(), { message: 'the database is away' })
})

t.test('a start while the database is away goes by the policy of the last run, until the database is back', async t => {
  const store = { data: data({ version: 2 }), away: true }
  const { policy } = policyOver(store, { kept: data({ configs: [config('a', { isActive: false })] }) })
  await policy.start()
  t.teardown(() => policy.close())
  t.equal(policy.fresh, false)
  t.equal(policy.admit('a', null).logged, false)
  store.away = false
  await until(() => policy.fresh)
  t.equal(policy.admit('a', null).logged, true)
})

t.test('what is read is kept for the next run, the latest at the close; that it cannot be kept is no failure', async t => {
  const store = { data: data() }
  const kept: PolicyData[] = []
  const { policy } = policyOver(store, { keep: policy => { kept.push(policy); return Promise.resolve() } })
  await policy.start()
  t.equal(kept.length, 1, 'before there are calls')
  store.data = data({ version: 2 })
  await policy.refresh()
  await policy.refresh()
  t.equal(kept.length, 1, 'many changes in a second are kept once')
  await policy.close()
  t.same(kept.map(({ version }) => version), [1, 2])

  const failing = policyOver(store, { keep: () => Promise.reject(new Error('disk full')) })
  await failing.policy.start()
  await failing.policy.close()
  t.same(failing.warnings.length, 1)
})

t.test('the poll finds a change that no notification told of', async t => {
  const store = { data: data() }
  const { policy, readings } = policyOver(store)
  await policy.start()
  t.teardown(() => policy.close())
  store.data = data({ version: 2, configs: [config('a', { isActive: false })] })
  await until(() => !policy.admit('a', null).logged)
  t.equal(readings(), 2)
})

t.test('while the database is away the last policy holds; when it is back it is read again', async t => {
  const store = { data: data({ configs: [config('a', { isActive: false })] }), away: false }
  const { policy, warnings } = policyOver(store)
  await policy.start()
  t.teardown(() => policy.close())
  t.equal(policy.fresh, true)
  store.away = true
  await until(() => !policy.fresh)
  t.equal(policy.admit('a', null).logged, false)
  store.data = data({ configs: [config('a')] })
  store.away = false
  await until(() => policy.fresh)
  t.equal(policy.admit('a', null).logged, true, 'though the version is the same')
  t.equal(warnings.length, 1)
})

t.test('the poll tells what is spent, and a policy with budgets is kept at the close though nothing else changed', async t => {
  const budget: PolicyBudget = {
    id: 'b', name: 'b', promptType: null, period: 'day', limitUsd: '1', strict: false, spent: [], lifts: []
  }
  const store: { data: PolicyData, spent: SpentBudget[] } = { data: data({ budgets: [budget] }), spent: [] }
  const told: SpentBudget[] = []
  const kept: PolicyData[] = []
  const { policy, readings } = policyOver(store, {
    onSpent: spent => { told.push(...spent) }, keep: policy => { kept.push(policy); return Promise.resolve() }
  })
  await policy.start()
  const spent = { budgetId: 'b', periodStartMs: 0, spentUsd: '1', revision: 0 }
  store.spent = [spent]
  await until(() => told.length > 0)
  t.same(told[0], spent)
  t.equal(readings(), 1, 'the policy is not read again for it')
  await policy.close()
  t.equal(kept.length, 2)
})

/** A poll of which the test says when the database is lost under it. */
function pollThatIsCut (): { readPulse: PolicyOptions['readPulse'], asked: Promise<void>, cut: () => void } {
  const [asked, answer] = [gate(), gate<never>()]
  const readPulse = async (): Promise<never> => {
    asked.open()
    return await answer.passed()
  }
  return { readPulse, asked: asked.passed(), cut: () => answer.fail(new Error('CONNECTION_CLOSED')) }
}

for (const isClosed of [false, true]) {
  t.test(`a reading that is cut ${isClosed ? 'by the close of the database is no fault' : 'is told of'}`, async t => {
    const store = { data: data(), away: false }
    const { readPulse, asked, cut } = pollThatIsCut()
    const { policy, warnings } = policyOver(store, { readPulse })
    await policy.start()
    const alive = setInterval(() => {}, 1000) // The poll's own timer keeps no process.
    await asked
    clearInterval(alive)
    store.away = true
    policy.heard()
    if (isClosed) await policy.close()
    cut()
    await nextTurn()
    t.same(
      warnings.sort(),
      isClosed ? [] : ['the policy cannot be read', 'the policy cannot be read; the last known policy applies to calls']
    )
    await policy.close()
  })
}
