import { DAY_MS, HOUR_MS, type Range, floor, monthStart } from './range.js'

/** Two spans that can be compared: as much of the range as is over, and the same part of the period before. */
export interface Comparison {
  readonly now: Range
  readonly before: Range
  /** The range is not over yet. */
  readonly isPart: boolean
}

/**
 * What a range is compared with. The books are kept by the hour, so of a range that is not over the hours up to this
 * one count, here and in the period before. Null: it has no such hour yet.
 */
export function comparison (range: Range, nowMs: number): Comparison | null {
  const [fromMs, toMs] = [Date.parse(range.from), Date.parse(range.to)]
  const isPart = fromMs <= nowMs && nowMs < toMs
  const endMs = isPart ? floor(nowMs, HOUR_MS) : toMs
  if (endMs <= fromMs) return null
  const { unit, count } = range.period
  const earlier = (ms: number): number => unit === 'day' ? ms - count * DAY_MS : monthsEarlier(ms, count)
  const span = (fromMs: number, toMs: number): Range => ({
    ...range, from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString()
  })
  return { now: span(fromMs, endMs), before: span(earlier(fromMs), earlier(endMs)), isPart }
}

/** The same point of an earlier month, or its end where that month is too short for it. */
function monthsEarlier (ms: number, count: number): number {
  const start = monthStart(ms, -count)
  return Math.min(start + ms - monthStart(ms), monthStart(start, 1))
}

const dateText = (ms: number, options: Intl.DateTimeFormatOptions = {}): string =>
  new Date(ms).toLocaleDateString('en-GB', { timeZone: 'UTC', day: 'numeric', month: 'short', ...options })
const hourText = (ms: number): string => new Date(ms).toISOString().slice(11, 16)

/** `11 Nov to 17 Nov`, both included; where it does not end with a day, `11 Nov, 00:00 to 17 Nov, 14:00`. All UTC. */
export function spanText ({ from, to }: { from: string, to: string }): string {
  const [fromMs, toMs] = [Date.parse(from), Date.parse(to)]
  const isOtherYear = new Date(fromMs).getUTCFullYear() !== new Date(toMs - 1).getUTCFullYear()
  const date = (ms: number): string => dateText(ms, isOtherYear ? { year: 'numeric' } : {})
  if (fromMs % DAY_MS !== 0 ||
    toMs % DAY_MS !== 0) return `${date(fromMs)}, ${hourText(fromMs)} to ${date(toMs)}, ${hourText(toMs)} UTC`
  return toMs - fromMs === DAY_MS ? `${date(fromMs)} (UTC)` : `${date(fromMs)} to ${date(toMs - 1)} (UTC)`
}

/** Until when the period before is looked at: `14:00 UTC`, with the day where that is another than its first. */
export function untilText ({ from, to }: { from: string, to: string }): string {
  const [fromMs, toMs] = [Date.parse(from), Date.parse(to)]
  if (toMs - fromMs <= DAY_MS) return `${toMs % DAY_MS === 0 ? '24:00' : hourText(toMs)} UTC`
  return toMs % DAY_MS === 0 ? `the end of ${dateText(toMs - 1)} UTC` : `${dateText(toMs)}, ${hourText(toMs)} UTC`
}
