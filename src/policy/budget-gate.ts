import type { PolicyBudget, SpentBudget } from '../db/policy-store.js'
import { budgetExceeded } from '../errors.js'
import { costOrNull } from '../recording/batch-totals.js'
import type { BatchEntry, CallRecord } from '../recording/call-record.js'
import { uuidV7 } from '../recording/uuid-v7.js'
import { picoUsdToDecimal } from '../lib/usd.js'
import type { Ceiling } from '../metering/cost-ceiling.js'
import { BlockingBudget } from './blocking-budget.js'
import { UncommittedSpend } from './uncommitted-spend.js'

/** What a call reserves of strict budgets until its cost counts. */
export interface Reservation {
  /** Doing so twice is the same as once. */
  readonly release: () => void
}

const NOTHING_HELD: Reservation = { release: () => {} }
const NONE: readonly BlockingBudget[] = []

/**
 * Keeps calls of spent budgets from going out, without a query. What it knows of a budget's spend comes from three
 * sides:
 *
 * ```
 *   use()       the policy, at every reading           ─┐
 *   learn()     the poll, and each batch's own answer  ─┴▶ what the database has, of all instances
 *   recorded()  a call's cost, from the moment at which its record is made…
 *   settled()   …until its batch is in the database (whose answer came first) or nowhere
 * ```
 *
 * So a call of this instance counts at each moment, and while the database is unavailable the journal counts too.
 * Others' calls count within a second. What an earlier run left in the journal counts as it is replayed.
 */
export class BudgetGate {
  readonly #now: () => number
  /** Records of this run have later ids than this one. */
  readonly #firstId: string
  readonly #uncommitted = new UncommittedSpend()
  #byId = new Map<string, BlockingBudget>()
  #ofAll: readonly BlockingBudget[] = NONE
  #ofType = new Map<string, BlockingBudget[]>()

  /** @param now wall clock, milliseconds since the epoch */
  constructor (now: () => number) {
    this.#now = now
    this.#firstId = uuidV7(now())
  }

  /** Takes the budgets of a reading of the policy. */
  use (budgets: readonly PolicyBudget[]): void {
    const byId = new Map<string, BlockingBudget>()
    for (const policy of budgets) {
      const budget = this.#byId.get(policy.id) ?? new BlockingBudget(policy)
      budget.use(policy)
      byId.set(policy.id, budget)
    }
    this.#byId = byId
    const all = [...byId.values()]
    this.#ofAll = all.filter(({ promptType }) => promptType === null)
    this.#ofType = new Map()
    for (const budget of all) {
      if (budget.promptType === null) continue
      const others = this.#ofType.get(budget.promptType)
      if (others === undefined) this.#ofType.set(budget.promptType, [budget])
      else others.push(budget)
    }
    for (const { promptType, timeMs, picoUsd } of this.#uncommitted) this.#add(promptType, timeMs, picoUsd)
  }

  /** The budgets of a reading with what is spent of them by now. */
  withSpent (budgets: readonly PolicyBudget[]): PolicyBudget[] {
    return budgets.map(policy => ({ ...policy, spent: this.#byId.get(policy.id)?.spent ?? policy.spent }))
  }

  /** Takes what was spent, as the database says. */
  learn (spent: readonly SpentBudget[]): void {
    for (const { budgetId, ...spend } of spent) this.#byId.get(budgetId)?.learn(spend)
  }

  /** A call's record is made: its cost counts from now on. */
  recorded (record: CallRecord): void {
    this.#count(record, 1n)
  }

  /** The database has told what is spent with these, or will never have them. */
  settled (entries: readonly BatchEntry[]): void {
    for (const { record } of entries) if (record.id > this.#firstId) this.#count(record, -1n)
  }

  /** @throws GatewayError 429 `budget_exceeded` */
  check (promptType: string): void {
    const budgets = this.#of(promptType)
    if (budgets.length > 0) this.#check(budgets, promptType, this.#now())
  }

  /** Whether calls of that type have to reserve what they may cost. */
  isStrict (promptType: string): boolean {
    return this.#of(promptType).some(({ isStrict }) => isStrict)
  }

  /**
   * Holds what a call may cost at most, where all strict budgets have that left. They let none through of which that is
   * not known.
   *
   * @throws GatewayError 429 `budget_exceeded`
   */
  reserve (promptType: string, ceiling: Ceiling): Reservation {
    const nowMs = this.#now()
    const budgets = this.#of(promptType)
    this.#check(budgets, promptType, nowMs)
    const strict = budgets.filter(budget => budget.isStrict && !budget.isLifted(promptType, nowMs))
    const [first] = strict
    if (first === undefined) return NOTHING_HELD
    if (typeof ceiling !== 'bigint') throw budgetExceeded(notTold(first, ceiling))
    const ceilingPicoUsd = ceiling
    for (const budget of strict) {
      const left = budget.leftPicoUsd(nowMs)
      if (left < ceilingPicoUsd) throw budgetExceeded(notLeft(budget, ceilingPicoUsd, left, nowMs))
    }
    for (const budget of strict) budget.reserve(ceilingPicoUsd)
    let held = true
    return {
      release: () => {
        if (held) for (const budget of strict) budget.reserve(-ceilingPicoUsd)
        held = false
      }
    }
  }

  #check (budgets: readonly BlockingBudget[], promptType: string, nowMs: number): void {
    for (const budget of budgets) {
      if (budget.isSpent(
        promptType, nowMs
      )) throw budgetExceeded(`The budget ${budget.label}, is spent. Its calls are accepted again ${budget.resetAt(nowMs)}.`)
    }
  }

  #of (promptType: string): readonly BlockingBudget[] {
    const own = this.#ofType.get(promptType)
    if (own === undefined) return this.#ofAll
    return this.#ofAll.length === 0 ? own : [...this.#ofAll, ...own]
  }

  #count ({ promptType, createdAtMs, costPicoUsd }: CallRecord, sign: 1n | -1n): void {
    const cost = costOrNull(costPicoUsd)
    if (cost === null || cost === 0n) return
    this.#uncommitted.add(promptType, createdAtMs, sign * cost)
    this.#add(promptType, createdAtMs, sign * cost)
  }

  #add (promptType: string, timeMs: number, picoUsd: bigint): void {
    for (const budget of this.#of(promptType)) budget.addUncommitted(timeMs, picoUsd)
  }
}

function notLeft (budget: BlockingBudget, ceilingPicoUsd: bigint, left: bigint, nowMs: number): string {
  const usd = (picoUsd: bigint): string => `${picoUsdToDecimal(picoUsd > 0n ? picoUsd : 0n)} USD`
  return `This call may cost up to ${usd(ceilingPicoUsd)}. The budget ${budget.label}, has ${usd(left)} free: calls in flight hold the rest, ` +
    `or it is spent. Lower max_completion_tokens; the budget resets ${budget.resetAt(nowMs)}.`
}

const READABLE = 'Fix the client: name the model, and send JSON in UTF-8, uncompressed or in gzip, deflate, br or zstd.'

function notTold (budget: BlockingBudget, { why, fix = READABLE }: Exclude<Ceiling, bigint>): string {
  return `The cost ceiling of this call is unknown: ${why}. ` +
    `The strict budget ${budget.label}, accepts only calls with a known cost ceiling. ${fix}`
}
