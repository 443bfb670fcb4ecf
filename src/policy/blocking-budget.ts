import { type PeriodBounds, periodOf } from '../lib/budget-period.js'
import type { BudgetSpend, PolicyBudget } from '../db/policy-store.js'
import { decimalToPicoUsd, picoUsdToDecimal } from '../lib/usd.js'

interface Known {
  readonly spentPicoUsd: bigint
  readonly revision: number
}

/**
 * One blocking budget as this instance knows it, amounts in 10⁻¹² USD:
 *
 *     spend    = what the database is known to have + what this instance's recorder has not committed yet
 *     reserved = cost ceilings of calls in flight (strict budgets)
 */
export class BlockingBudget {
  #policy: PolicyBudget
  #limitPicoUsd: bigint
  /** `<period's start> <prompt type>` of those that it does not block. */
  #lifted: ReadonlySet<string>
  #bounds: PeriodBounds = { startMs: 0, endMs: 0 }
  /** By the start of their period. */
  readonly #known = new Map<number, Known>()
  readonly #uncommitted = new Map<number, bigint>()
  #reservedPicoUsd = 0n

  constructor (policy: PolicyBudget) {
    this.#policy = policy
    this.#limitPicoUsd = decimalToPicoUsd(policy.limitUsd)
    this.#lifted = liftsOf(policy)
  }

  get promptType (): string | null { return this.#policy.promptType }
  get isStrict (): boolean { return this.#policy.strict }

  /** The budget was read again. Uncommitted spend has to be added again: its scope and period may have changed. */
  use (policy: PolicyBudget): void {
    if (policy.period !== this.#policy.period) this.#bounds = { startMs: 0, endMs: 0 }
    this.#policy = policy
    this.#limitPicoUsd = decimalToPicoUsd(policy.limitUsd)
    this.#lifted = liftsOf(policy)
    this.#uncommitted.clear()
    // Older periods than a reading has are over. One that has none may be of before the first call.
    const oldestMs = Math.min(...policy.spent.map(({ periodStartMs }) => periodStartMs))
    if (policy.spent.length > 0) {
      for (const startMs of this.#known.keys()) {
        if (startMs < oldestMs) {
          this.#known.delete(
            startMs
          )
        }
      }
    }
    for (const spend of policy.spent) this.learn(spend)
  }

  /** The reading with the higher revision wins; of the same revision, the greater one. */
  learn ({ periodStartMs, spentUsd, revision }: BudgetSpend): void {
    const known = this.#known.get(periodStartMs)
    const spentPicoUsd = decimalToPicoUsd(spentUsd)
    if (known !== undefined &&
      (known.revision > revision || (known.revision === revision && known.spentPicoUsd >= spentPicoUsd))) return
    this.#known.set(periodStartMs, { spentPicoUsd, revision })
  }

  /** @param picoUsd negative once it is in the database, or never will be */
  addUncommitted (timeMs: number, picoUsd: bigint): void {
    const { startMs } = this.#boundsAt(timeMs)
    const sum = (this.#uncommitted.get(startMs) ?? 0n) + picoUsd
    if (sum > 0n) this.#uncommitted.set(startMs, sum)
    else this.#uncommitted.delete(startMs)
  }

  reserve (picoUsd: bigint): void { this.#reservedPicoUsd += picoUsd }

  /** Of the period that is current then: what neither is spent nor may yet be by calls that hold it. */
  leftPicoUsd (nowMs: number): bigint {
    return this.#limitPicoUsd - this.#spentPicoUsd(nowMs) - this.#reservedPicoUsd
  }

  /** Whether it blocks calls of that type. */
  isSpent (promptType: string, nowMs: number): boolean {
    return this.#spentPicoUsd(nowMs) >= this.#limitPicoUsd && !this.isLifted(promptType, nowMs)
  }

  isLifted (promptType: string, nowMs: number): boolean {
    return this.#lifted.size > 0 && this.#lifted.has(`${this.#boundsAt(nowMs).startMs} ${promptType}`)
  }

  /** All known spend, uncommitted too: a start without the database may use it. */
  get spent (): BudgetSpend[] {
    return [...new Set([...this.#known.keys(), ...this.#uncommitted.keys()])].map(periodStartMs => {
      const { spentPicoUsd = 0n, revision = 0 } = this.#known.get(periodStartMs) ?? {}
      return {
        periodStartMs, spentUsd: picoUsdToDecimal(spentPicoUsd + (this.#uncommitted.get(periodStartMs) ?? 0n)), revision
      }
    })
  }

  /** As messages name it: `'chat', 10 USD a day`. */
  get label (): string {
    const { name, period } = this.#policy
    return `'${name}', ${picoUsdToDecimal(this.#limitPicoUsd)} USD ${period === 'total' ? 'in total' : `a ${period}`}`
  }

  /** When it accepts calls again, as the end of a sentence. */
  resetAt (nowMs: number): string {
    const { endMs } = this.#boundsAt(nowMs)
    return endMs === null ? 'when the limit is raised or an operator lifts it' : `at ${new Date(endMs).toISOString()}`
  }

  #spentPicoUsd (nowMs: number): bigint {
    const { startMs } = this.#boundsAt(nowMs)
    return (this.#known.get(startMs)?.spentPicoUsd ?? 0n) + (this.#uncommitted.get(startMs) ?? 0n)
  }

  /** Nearly always the same as the last time. */
  #boundsAt (timeMs: number): PeriodBounds {
    const { startMs, endMs } = this.#bounds
    if (timeMs < startMs || (endMs !== null && timeMs >= endMs)) this.#bounds = periodOf(this.#policy.period, timeMs)
    return this.#bounds
  }
}

const liftsOf = ({ lifts }: PolicyBudget): ReadonlySet<string> =>
  new Set(lifts.map(({ promptType, periodStartMs }) => `${periodStartMs} ${promptType}`))
