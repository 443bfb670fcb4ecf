import t from 'tap'
import type { BudgetPeriod } from '../../src/lib/budget-period.js'
import type { PolicyBudget, SpentBudget } from '../../src/db/policy-store.js'
import { GatewayError } from '../../src/errors.js'
import { BudgetGate } from '../../src/policy/budget-gate.js'
import { uuidV7 } from '../../src/recording/uuid-v7.js'
import { entry } from '../helpers/batches.js'

const PICO = 10n ** 12n
const blocking = (wanted: Partial<PolicyBudget> = {}): PolicyBudget =>
  ({
    id: 'b',
    name: 'the budget',
    promptType: null,
    period: 'day',
    limitUsd: '10.000000000000',
    strict: false,
    spent: [],
    lifts: [],
    ...wanted
  })

/** A gate whose clock the test sets. */
function gateAt (time: string, ...budgets: PolicyBudget[]): { gate: BudgetGate, set: (time: string) => void } {
  let nowMs = Date.parse(time)
  const gate = new BudgetGate(() => nowMs)
  gate.use(budgets)
  return { gate, set: time => { nowMs = Date.parse(time) } }
}

const refusal = (attempt: () => unknown): string => {
  try {
    attempt()
    return 'let through'
  } catch (error) {
    if (error instanceof GatewayError && error.statusCode === 429) return error.message
    throw error
  }
}
const isOpen = (gate: BudgetGate, promptType = 'a'): boolean => refusal(() => gate.check(promptType)) === 'let through'

/** A call of this run, made at that time. */
const call = (time: string, usd: bigint, promptType = 'a') => {
  const createdAtMs = Date.parse(time)
  return entry({ id: uuidV7(Date.now()), createdAtMs, promptType, costPicoUsd: usd * PICO })
}
const spent = (time: string, spentUsd: string, revision = 0): SpentBudget => ({
  budgetId: 'b', periodStartMs: Date.parse(time), spentUsd, revision
})

const edges: Array<[BudgetPeriod, string, string]> = [
  ['day', '2026-11-23T23:59:59.999Z', '2026-11-24T00:00:00.000Z'],
  ['day', '2028-02-29T23:59:59.999Z', '2028-03-01T00:00:00.000Z'],
  ['week', '2027-01-03T23:59:59.999Z', '2027-01-04T00:00:00.000Z'],
  ['month', '2028-02-29T23:59:59.999Z', '2028-03-01T00:00:00.000Z'],
  ['month', '2026-12-31T23:59:59.999Z', '2027-01-01T00:00:00.000Z']
]
for (const [period, last, next] of edges) {
  t.test(`a ${period}'s budget that is spent at ${last} is open at ${next}`, t => {
    const { gate, set } = gateAt(last, blocking({ period }))
    gate.recorded(call(last, 10n).record)
    t.match(refusal(() => gate.check(
      'a'
    )), `'the budget', 10 USD a ${period}, is spent. Its calls are accepted again at ${next}`)
    set(next)
    t.ok(isOpen(gate))
    gate.recorded(call(next, 9n).record)
    t.ok(isOpen(gate))
    set(last)
    t.notOk(isOpen(gate), 'for a clock that goes back too')
    t.end()
  })
}

t.test('the week of the new year is one: what was spent in December counts in January', t => {
  const { gate, set } = gateAt('2026-12-28T00:00:00Z', blocking({ period: 'week' }))
  gate.recorded(call('2026-12-28T00:00:00Z', 10n).record)
  set('2027-01-01T12:00:00Z')
  t.notOk(isOpen(gate))
  t.end()
})

t.test('a budget without an end says how it opens', t => {
  const { gate } = gateAt(
    '2026-11-23T00:00:00Z',
    blocking({ period: 'total', spent: [{ periodStartMs: 0, spentUsd: '10.000000000000', revision: 0 }] })
  )
  t.match(
    refusal(() => gate.check('a')),
    '\'the budget\', 10 USD in total, is spent. Its calls are accepted again when the limit is raised or an operator lifts it.'
  )
  t.end()
})

t.test('a budget of a type keeps that type out; one of all traffic keeps all out, but for a type that it is lifted for', t => {
  const time = '2026-11-23T12:00:00Z'
  const { gate, set } = gateAt(time, blocking({ promptType: 'a' }))
  gate.recorded(call(time, 10n).record)
  t.notOk(isOpen(gate, 'a'))
  t.ok(isOpen(gate, 'b'))
  const lifts = [{ promptType: 'b', periodStartMs: Date.parse('2026-11-23') }]
  gate.use([blocking({ lifts })])
  t.notOk(isOpen(gate, 'a'), 'what is under way counts in the scope that is new')
  t.ok(isOpen(gate, 'b'))
  set('2026-11-24T12:00:00Z')
  gate.recorded(call('2026-11-24T12:00:00Z', 10n).record)
  t.notOk(isOpen(gate, 'b'), 'a lift ends with its period')
  gate.use([blocking({ lifts, limitUsd: '10.000000000001' })])
  t.ok(isOpen(gate, 'a'), 'so does the block when the limit is raised')
  gate.use([])
  t.ok(isOpen(gate, 'a'))
  t.end()
})

t.test('a call counts once from its record on: under way, then in what the database says', t => {
  const time = '2026-11-23T12:00:00Z'
  const { gate } = gateAt(time, blocking())
  const calls = [call(time, 4n), call(time, 5n)]
  for (const { record } of calls) gate.recorded(record)
  t.ok(isOpen(gate))
  gate.learn([spent('2026-11-23', '9')])
  gate.settled(calls)
  t.ok(isOpen(gate), 'nine of ten')
  gate.recorded(call(time, 1n).record)
  t.notOk(isOpen(gate))
  t.end()
})

t.test('calls that the database will never have count no longer, and those of an earlier run never did', t => {
  const time = '2026-11-23T12:00:00Z'
  const earlier = call(time, 6n)
  const { gate } = gateAt(time, blocking())
  const lost = call(time, 6n)
  gate.recorded(lost.record)
  gate.settled([lost])
  gate.recorded(call(time, 6n).record)
  gate.settled([earlier])
  t.ok(isOpen(gate))
  gate.learn([spent('2026-11-23', '4')])
  t.notOk(isOpen(gate))
  t.end()
})

t.test('of two readings the higher revision counts, else the greater one', t => {
  const { gate } = gateAt('2026-11-23T12:00:00Z', blocking())
  gate.learn([spent('2026-11-23', '10')])
  gate.learn([spent('2026-11-23', '9')])
  t.notOk(isOpen(gate), 'a reading that is late')
  gate.learn([spent('2026-11-23', '9.5', 1)])
  t.ok(isOpen(gate), 'repriced')
  gate.learn([
    spent('2026-11-23', '99', 0), spent('2026-11-22', '99', 7), { ...spent('2026-11-23', '99', 7), budgetId: 'other' }
  ])
  t.ok(isOpen(gate))
  gate.use([blocking({ spent: [spent('2026-11-23', '10', 1)] })])
  t.notOk(isOpen(gate))
  t.end()
})

t.test('a reading of the policy that is older than what a batch told takes nothing back', t => {
  const { gate } = gateAt('2026-11-23T12:00:00Z', blocking())
  gate.learn([spent('2026-11-23', '10')])
  gate.use([blocking()])
  t.notOk(isOpen(gate), 'of before the first call')
  gate.use([blocking({ spent: [spent('2026-11-22', '7'), spent('2026-11-23', '9')] })])
  t.notOk(isOpen(gate))
  t.end()
})

t.test('what is kept for the next run has what is under way in it', t => {
  const { gate } = gateAt(
    '2026-11-23T12:00:00Z', blocking({ spent: [spent('2026-11-22', '3', 2), spent('2026-11-23', '4', 5)] })
  )
  gate.recorded(call('2026-11-23T12:00:00Z', 1n).record)
  gate.recorded(call('2026-11-24T00:00:00Z', 2n).record)
  const [kept] = gate.withSpent([blocking()])
  t.same(kept?.spent.map(({ periodStartMs, spentUsd, revision }) =>
    [new Date(periodStartMs).getUTCDate(), spentUsd, revision]), [[22, '3', 2], [23, '5', 5], [24, '2', 0]])
  t.end()
})

t.test('a call without a cost, or one that was blocked, spends nothing', t => {
  const { gate } = gateAt('2026-11-23T12:00:00Z', blocking({ limitUsd: '0.000000000001' }))
  gate.recorded(entry({ costPicoUsd: null, costReason: 'unknown_model' }).record)
  gate.recorded(entry({ costPicoUsd: 0n }).record)
  t.ok(isOpen(gate))
  t.end()
})

t.test('a strict budget lets calls through as long as what they may cost fits beside all that is under way', t => {
  const time = '2026-11-23T23:59:00Z'
  const { gate, set } = gateAt(
    time, blocking({ strict: true }), blocking({ id: 'wide', limitUsd: '100', promptType: 'a', strict: true })
  )
  t.ok(gate.isStrict('a') && gate.isStrict('b'))
  const first = gate.reserve('a', 6n * PICO)
  t.match(
    refusal(() => gate.reserve('b', 5n * PICO)),
    /up to 5 USD\. The budget 'the budget', 10 USD a day, has 4 USD free: calls in flight hold the rest.*2026-11-24T00:00:00/
  )
  const second = gate.reserve('b', 4n * PICO)
  t.ok(isOpen(gate), 'it is not spent')
  gate.recorded(call(time, 3n).record)
  first.release()
  first.release()
  gate.reserve('a', 3n * PICO)
  t.not(refusal(() => gate.reserve('a', 1n)), 'let through', 'three spent, seven held')
  set('2026-11-24T00:00:00Z')
  t.not(
    refusal(() => gate.reserve('a', 4n * PICO)),
    'let through',
    'calls that are held end in the new day, and count there'
  )
  second.release()
  gate.reserve('a', 7n * PICO)
  t.equal(refusal(() => gate.reserve('a', 0n)), 'let through', 'a call without a price')
  t.end()
})

t.test('a strict budget holds a call back no more once it is lifted, and one that is spent says so', t => {
  const lifts = [{ promptType: 'a', periodStartMs: Date.parse('2026-11-23') }]
  const { gate } = gateAt('2026-11-23T12:00:00Z', blocking({ strict: true, lifts, spent: [spent('2026-11-23', '10')] }))
  t.equal(refusal(() => gate.reserve('a', PICO)), 'let through')
  t.match(refusal(() => gate.reserve('b', 0n)), 'is spent')
  gate.use([blocking({ spent: [spent('2026-11-23', '10')] })])
  t.notOk(gate.isStrict('a'))
  t.end()
})
