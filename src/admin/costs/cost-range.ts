import { invalidField } from '../errors.js'

/** The lengths of the buckets of costs; weeks are ISO 8601's, all are in UTC. */
export const COST_INTERVALS = ['hour', 'day', 'week', 'month', 'none'] as const
export type CostInterval = typeof COST_INTERVALS[number]

/** Milliseconds since the epoch, whole hours: `fromMs` inclusive, `toMs` exclusive. */
export interface CostRange {
  readonly fromMs: number
  readonly toMs: number
}

export const HOUR_MS = 3_600_000
export const DAY_MS = 24 * HOUR_MS
/** The epoch was a Thursday: its week began three days earlier. */
const FIRST_MONDAY_MS = -3 * DAY_MS
const DEFAULT_DAYS = 30

/**
 * The requested period in whole hours, because the books count by the hour. `from` is rounded down to its hour, `to`
 * up. Without `to` it ends with the current hour. Without `from` it begins 29 UTC days before its last day: thirty
 * days, of which the last is today.
 * @throws GatewayError 400 `invalid_field` if it would be empty
 */
export function costRange (from: string | undefined, to: string | undefined, nowMs: number): CostRange {
  const toMs = Math.ceil((to === undefined ? nowMs + 1 : Date.parse(to)) / HOUR_MS) * HOUR_MS
  const fromMs = from === undefined
    ? startOf('day', toMs - 1) - (DEFAULT_DAYS - 1) * DAY_MS
    : Math.floor(Date.parse(from) / HOUR_MS) * HOUR_MS
  if (fromMs >= toMs) throw invalidField("'from' must be before 'to', which is now unless it is given.", 'from')
  return { fromMs, toMs }
}

/**
 * The period to compare with, in whole hours: as requested, or else as long as the range and directly before it.
 * @throws GatewayError 400 `invalid_field` if it would be empty
 */
export function costRangeBefore (range: CostRange, from: string | undefined, to: string | undefined): CostRange {
  const toMs = to === undefined ? range.fromMs : Math.ceil(Date.parse(to) / HOUR_MS) * HOUR_MS
  const fromMs = from === undefined
    ? toMs - (range.toMs - range.fromMs)
    : Math.floor(Date.parse(from) / HOUR_MS) * HOUR_MS
  if (fromMs >= toMs) {
    throw invalidField(
      "'previous_from' must be before 'previous_to', which is 'from' unless it is given.", 'previous_from'
    )
  }
  return { fromMs, toMs }
}

/** The start of the hour, day, week, month or quarter that the moment falls into. */
export function startOf (interval: Exclude<CostInterval, 'none'> | 'quarter', timeMs: number): number {
  switch (interval) {
    case 'hour': return Math.floor(timeMs / HOUR_MS) * HOUR_MS
    case 'day': return Math.floor(timeMs / DAY_MS) * DAY_MS
    case 'week': return FIRST_MONDAY_MS + Math.floor((timeMs - FIRST_MONDAY_MS) / (7 * DAY_MS)) * 7 * DAY_MS
    case 'month': return monthStart(timeMs, 0)
    case 'quarter': return monthStart(timeMs, -(new Date(timeMs).getUTCMonth() % 3))
  }
}

/** The start of the UTC month that the moment falls into, or of one that many months later. */
function monthStart (timeMs: number, monthsLater: number): number {
  const time = new Date(timeMs)
  return Date.UTC(time.getUTCFullYear(), time.getUTCMonth() + monthsLater)
}

/**
 * The starts of all buckets that the range touches; for `none` one, which is null. Null if there are more than `most`.
 */
export function costBuckets (
  interval: CostInterval, { fromMs, toMs }: CostRange, most: number
): ReadonlyArray<number | null> | null {
  if (interval === 'none') return [null]
  const starts: number[] = []
  for (let at = startOf(interval, fromMs); at < toMs; at = nextStart(interval, at)) {
    if (starts.length >= most) return null
    starts.push(at)
  }
  return starts
}

/** The start of the bucket after the one that starts there. */
export function nextStart (interval: Exclude<CostInterval, 'none'> | 'quarter', startMs: number): number {
  switch (interval) {
    case 'hour': return startMs + HOUR_MS
    case 'day': return startMs + DAY_MS
    case 'week': return startMs + 7 * DAY_MS
    case 'month': return monthStart(startMs, 1)
    case 'quarter': return monthStart(startMs, 3)
  }
}

/** The range as the JSON bodies have it. */
export const shownRange = ({ fromMs, toMs }: CostRange): { from: string, to: string } =>
  ({ from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() })
