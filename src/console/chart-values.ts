import { useComputedColorScheme, useMantineTheme } from '@mantine/core'
import type { Series } from './components/chart.js'
import { DAY_MS, HOUR_MS, type Interval, bucketAfter } from './range.js'

const HUES = ['cyan', 'grape', 'orange', 'teal', 'indigo', 'pink', 'lime', 'yellow', 'blue', 'gray'] as const

/** The colour of the n-th series, the same in a chart and in what lists its series. */
export function useSeriesColor (): (index: number) => string {
  const { colors } = useMantineTheme()
  const shade = useComputedColorScheme('light') === 'dark' ? 5 : 7
  return index => colors[HUES.at(index % HUES.length) ?? 'gray'][shade]
}

const FORMATS: Record<Interval, Intl.DateTimeFormatOptions> = {
  hour: { day: 'numeric', month: 'short', year: 'numeric' },
  day: { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' },
  week: { day: 'numeric', month: 'short', year: 'numeric' },
  month: { month: 'long', year: 'numeric' }
}

/** Which time a value of a chart is of: `Wed, 18 Nov 2026 (UTC)`, `18 Nov 2026, 14:00 to 15:00 UTC`. */
export function bucketText (seconds: number, interval: Interval): string {
  const date = new Date(seconds * 1000)
  const text = date.toLocaleDateString('en-GB', { timeZone: 'UTC', ...FORMATS[interval] })
  const hour = (ms: number): string => new Date(ms).toISOString().slice(11, 16)
  if (interval === 'hour') return `${text}, ${hour(date.getTime())} to ${hour(date.getTime() + HOUR_MS)} UTC`
  return interval === 'week' ? `The week from ${text} (UTC)` : `${text} (UTC)`
}

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
  return date.toLocaleDateString('en-GB', { timeZone: 'UTC', month: 'short', ...interval === 'month' ? { year: 'numeric' } : { day: 'numeric' } })
}

/** What an axis reaches from and to, so that each bucket has its whole place around its own time; seconds. */
export function reach (times: readonly number[], interval: Interval): [from: number, to: number] {
  const [first = 0, last = first] = [times[0], times.at(-1)]
  const half = (seconds: number): number => (bucketAfter(seconds * 1000, interval) / 1000 - seconds) / 2
  return [first - half(first), last + half(last)]
}

/** Each series' own value at one time, and, where they add up to something, their sum. */
export function valueTexts (series: readonly Series[], index: number, isSum: boolean, format: (value: number) => string): {
  values: ReadonlyArray<{ label: string, text: string }>, total: string | null
} {
  const values = series.map(({ label, values, isUnpriced }) => {
    const value = values[index] ?? null
    return { label, text: isUnpriced === true ? 'unpriced' : value === null ? '–' : format(value) }
  })
  return { values, total: isSum && series.length > 1 ? format(series.reduce((sum, { values }) => sum + (values[index] ?? 0), 0)) : null }
}
