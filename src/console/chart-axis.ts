import { DAY_MS, HOUR_MS, type Interval, bucketAfter } from './range.js'

/** How many of an interval's buckets may lie from one tick to the next. */
const STEPS: Record<Interval, readonly number[]> = {
  hour: [1, 2, 3, 4, 6, 12, 24], day: [1, 2, 3, 5, 7, 10, 14], week: [1, 2, 4, 8, 13], month: [1, 2, 3, 6, 12]
}

/** Which of a chart's times have a tick, where `room` of them find place: hours at even times of the day. */
export function ticksAt (times: readonly number[], interval: Interval, room: number): number[] {
  const step = STEPS[interval].find(step => times.length / step <= room) ?? Math.ceil(times.length / Math.max(1, room))
  return times.filter((seconds, i) => (interval === 'hour' ? seconds * 1000 % DAY_MS / HOUR_MS : i) % step === 0)
}

/** A time on the axis, as tables write it: a day's first hour by its date. */
export function tickText (seconds: number, interval: Interval): string {
  const date = new Date(seconds * 1000)
  if (interval === 'hour' && seconds * 1000 % DAY_MS !== 0) return date.toISOString().slice(11, 16)
  const rest = interval === 'month' ? { year: 'numeric' as const } : { day: 'numeric' as const }
  return date.toLocaleDateString('en-GB', { timeZone: 'UTC', month: 'short', ...rest })
}

/** What an axis reaches from and to, so that each bucket has its whole place around its own time; seconds. */
export function reach (times: readonly number[], interval: Interval): [from: number, to: number] {
  const [first = 0, last = first] = [times[0], times.at(-1)]
  const half = (seconds: number): number => (bucketAfter(seconds * 1000, interval) / 1000 - seconds) / 2
  return [first - half(first), last + half(last)]
}
