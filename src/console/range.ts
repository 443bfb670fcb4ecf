/** The span of time that a page looks at, as the URL names it. All of it is UTC, as the books are. */
export interface Range {
  /** RFC 3339 UTC, inclusive. */
  readonly from: string
  /** Exclusive. */
  readonly to: string
  /** What its charts are divided into. */
  readonly interval: Interval
  /** How long it is once it is over: the period before lies so far back. */
  readonly period: Period
}

export type Interval = 'hour' | 'day' | 'week' | 'month'
export interface Period { readonly unit: 'day' | 'month', readonly count: number }

export const HOUR_MS = 3_600_000
export const DAY_MS = 24 * HOUR_MS

export const RANGES = {
  today: 'Today',
  week: 'This week',
  month: 'This month',
  '24h': 'Last 24 hours',
  '7d': 'Last 7 days',
  '30d': 'Last 30 days',
  '90d': 'Last 90 days',
  '365d': 'Last 12 months'
} as const
export type RangeName = keyof typeof RANGES
export const DEFAULT_RANGE: RangeName = '7d'

export const floor = (ms: number, unit: number): number => Math.floor(ms / unit) * unit
const iso = (ms: number): string => new Date(ms).toISOString()

/** The start of the UTC month into which a moment falls, or of one that many months later. */
export function monthStart (ms: number, later = 0): number {
  const time = new Date(ms)
  return Date.UTC(time.getUTCFullYear(), time.getUTCMonth() + later)
}

const days = (count: number): Period => ({ unit: 'day', count })
const months = (count: number): Period => ({ unit: 'month', count })

export const isRangeName = (name: string): name is RangeName => Object.hasOwn(RANGES, name)

/**
 * A named range, up to and including the hour that is; or two dates in either order, `2026-11-01..2026-11-15`, the last
 * one included. Anything else is the default. `7d` are seven UTC days, of which the last is today.
 */
export function rangeOf (name: string, nowMs = Date.now()): Range {
  const dates = /^([12]\d{3}-\d\d-\d\d)\.\.([12]\d{3}-\d\d-\d\d)$/.exec(name)?.slice(1).map(date => Date.parse(date)) ??
    [NaN]
  if (!dates.some(Number.isNaN)) return ofDates(Math.min(...dates), Math.max(...dates) + DAY_MS, nowMs)
  const toMs = floor(nowMs, HOUR_MS) + HOUR_MS
  const today = floor(nowMs, DAY_MS)
  switch (isRangeName(name) ? name : DEFAULT_RANGE) {
    case 'today': return spanning(today, toMs, days(1))
    case 'week': return spanning(bucketStart(nowMs, 'week'), toMs, days(7))
    case 'month': return spanning(monthStart(nowMs), toMs, months(1))
    case '24h': return spanning(toMs - DAY_MS, toMs, days(1))
    case '7d': return spanning(today - 6 * DAY_MS, toMs, days(7))
    case '30d': return spanning(today - 29 * DAY_MS, toMs, days(30))
    case '90d': return spanning(today - 89 * DAY_MS, toMs, days(90))
    // Twelve calendar months, the one that is included: bills come by the month, and the books' sums do.
    case '365d': return spanning(monthStart(nowMs, -11), toMs, months(12))
  }
}

/** The start of the bucket into which a moment falls. Weeks begin on Monday; the epoch was a Thursday. */
function bucketStart (ms: number, interval: Interval): number {
  if (interval === 'month') return monthStart(ms)
  if (interval === 'week') return floor(ms + 3 * DAY_MS, 7 * DAY_MS) - 3 * DAY_MS
  return floor(ms, interval === 'day' ? DAY_MS : HOUR_MS)
}

/** The start of the bucket that many after the one that starts then. */
export function bucketAfter (startMs: number, interval: Interval, later = 1): number {
  if (interval === 'month') return monthStart(startMs, later)
  return startMs + later * { hour: HOUR_MS, day: DAY_MS, week: 7 * DAY_MS }[interval]
}

/** The starts of all buckets of a range, those without calls included. */
export function bucketsOf ({ from, to, interval }: Pick<Range, 'from' | 'to' | 'interval'>): number[] {
  const buckets: number[] = []
  for (let ms = bucketStart(
    Date.parse(from), interval
  ); ms < Date.parse(to); ms = bucketAfter(ms, interval)) buckets.push(ms)
  return buckets
}

/** From the first of a month to the end of one, or to today: then it counts in months. Anything else counts in days. */
function ofDates (fromMs: number, toMs: number, nowMs: number): Range {
  const isToDate = toMs === floor(nowMs, DAY_MS) + DAY_MS
  const isMonths = fromMs === monthStart(fromMs) && (toMs === monthStart(toMs) || isToDate)
  const [first, last] = [new Date(fromMs), new Date(toMs - 1)]
  const touched = (last.getUTCFullYear() - first.getUTCFullYear()) * 12 + last.getUTCMonth() - first.getUTCMonth() + 1
  return spanning(fromMs, toMs, isMonths ? months(touched) : days((toMs - fromMs) / DAY_MS))
}

function spanning (fromMs: number, toMs: number, period: Period): Range {
  const days = (toMs - fromMs) / DAY_MS
  return {
    from: iso(fromMs),
    to: iso(toMs),
    interval: days <= 3 ? 'hour' : days <= 100 ? 'day' : days <= 400 ? 'week' : 'month',
    period
  }
}
