const DAY_MS = 86_400_000

/**
 * The cost of calls that this instance has recorded but the database does not have yet, by prompt type and UTC day.
 * The periods of all budgets consist of UTC days. So its size does not grow with the length of an outage.
 */
export class UncommittedSpend {
  readonly #days = new Map<string, Map<number, bigint>>()

  /** @param picoUsd negative once it is settled */
  add (promptType: string, timeMs: number, picoUsd: bigint): void {
    const dayMs = Math.floor(timeMs / DAY_MS) * DAY_MS
    let days = this.#days.get(promptType)
    if (days === undefined) {
      days = new Map<number, bigint>()
      this.#days.set(promptType, days)
    }
    const sum = (days.get(dayMs) ?? 0n) + picoUsd
    if (sum > 0n) days.set(dayMs, sum)
    else if (days.delete(dayMs) && days.size === 0) this.#days.delete(promptType)
  }

  /** Each sum that is not 0, with a moment of its day. */
  * [Symbol.iterator] (): Generator<{ readonly promptType: string, readonly timeMs: number, readonly picoUsd: bigint }> {
    for (const [promptType, days] of this.#days) {
      for (const [timeMs, picoUsd] of days) yield { promptType, timeMs, picoUsd }
    }
  }
}
