/** The span of time that a page looks at, as the URL names it. Buckets are the books': UTC. */
export interface Range {
  /** RFC 3339 UTC, inclusive. */
  readonly from: string
  /** Exclusive. */
  readonly to: string
  /** What its charts are divided into. */
  readonly interval: 'hour' | 'day' | 'week' | 'month'
}

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

export const RANGES = {
  '24h': { label: 'Last 24 hours', ms: DAY_MS },
  '7d': { label: 'Last 7 days', ms: 7 * DAY_MS },
  '30d': { label: 'Last 30 days', ms: 30 * DAY_MS },
  '90d': { label: 'Last 90 days', ms: 90 * DAY_MS },
  '365d': { label: 'Last 12 months', ms: 365 * DAY_MS }
} as const
export type RangeName = keyof typeof RANGES
export const DEFAULT_RANGE: RangeName = '7d'

const floor = (ms: number, unit: number): number => Math.floor(ms / unit) * unit
const iso = (ms: number): string => new Date(ms).toISOString()

export const isRangeName = (name: string): name is RangeName => Object.hasOwn(RANGES, name)

/** A named range, up to and including the hour that is; or two dates in either order, `2026-11-01..2026-11-15`, the last one included. Anything else is the default. */
export function rangeOf (name: string, nowMs = Date.now()): Range {
  const dates = /^([12]\d{3}-\d\d-\d\d)\.\.([12]\d{3}-\d\d-\d\d)$/.exec(name)?.slice(1).map(date => Date.parse(date)) ?? [NaN]
  if (!dates.some(Number.isNaN)) return spanning(Math.min(...dates), Math.max(...dates) + DAY_MS)
  const { ms } = RANGES[isRangeName(name) ? name : DEFAULT_RANGE]
  const toMs = floor(nowMs, HOUR_MS) + HOUR_MS
  if (ms <= DAY_MS) return spanning(toMs - ms, toMs)
  // A year is twelve calendar months, the one that is included: bills come by the month, and the books' sums do.
  const now = new Date(nowMs)
  return spanning(name === '365d' ? Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - 11) : floor(toMs - ms, DAY_MS), toMs)
}

/** The span of the same length right before. */
export function before (range: Range): Range {
  const fromMs = Date.parse(range.from)
  return { from: iso(fromMs - (Date.parse(range.to) - fromMs)), to: range.from, interval: range.interval }
}

function spanning (fromMs: number, toMs: number): Range {
  const days = (toMs - fromMs) / DAY_MS
  return { from: iso(fromMs), to: iso(toMs), interval: days <= 3 ? 'hour' : days <= 100 ? 'day' : days <= 400 ? 'week' : 'month' }
}
