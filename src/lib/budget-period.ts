/** How long a budget's limit applies: a UTC day, an ISO 8601 week (from Monday), a calendar month, or forever. */
export const BUDGET_PERIODS = ['day', 'week', 'month', 'total'] as const
export type BudgetPeriod = typeof BUDGET_PERIODS[number]

/** Milliseconds since the epoch; a moment belongs to it if `startMs <= moment < endMs`. */
export interface PeriodBounds {
  readonly startMs: number
  /** Null: it does not end. */
  readonly endMs: number | null
}

const DAY_MS = 86_400_000
/** The Monday of the epoch's week: 1970-01-01 was a Thursday. */
const FIRST_MONDAY_MS = -3 * DAY_MS

/** The period that a moment falls into. The one of `total` starts at the epoch. */
export function periodOf (period: BudgetPeriod, timeMs: number): PeriodBounds {
  switch (period) {
    case 'day': return fromStart(Math.floor(timeMs / DAY_MS) * DAY_MS, DAY_MS)
    case 'week': return fromStart(
      FIRST_MONDAY_MS + Math.floor((timeMs - FIRST_MONDAY_MS) / (7 * DAY_MS)) * 7 * DAY_MS, 7 * DAY_MS
    )
    case 'month': {
      const time = new Date(timeMs)
      return {
        startMs: Date.UTC(time.getUTCFullYear(), time.getUTCMonth()),
        endMs: Date.UTC(time.getUTCFullYear(), time.getUTCMonth() + 1)
      }
    }
    case 'total': return { startMs: 0, endMs: null }
  }
}

const fromStart = (startMs: number, lengthMs: number): PeriodBounds => ({ startMs, endMs: startMs + lengthMs })
