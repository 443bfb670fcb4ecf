import { useComputedColorScheme, useMantineTheme } from '@mantine/core'
import type { Series } from './components/chart.js'
import { HOUR_MS, type Interval } from './range.js'

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

/** Each series' own value at one time, and, where they add up to something, their sum. */
export function valueTexts (
  series: readonly Series[], index: number, isSum: boolean, format: (value: number) => string
): {
    values: ReadonlyArray<{ label: string, text: string }>, total: string | null
  } {
  const values = series.map(({ label, values, isUnpriced }) => {
    const value = values[index] ?? null
    return { label, text: isUnpriced === true ? 'unpriced' : value === null ? '–' : format(value) }
  })
  return {
    values,
    total: isSum && series.length > 1 ? format(series.reduce((sum, { values }) => sum + (values[index] ?? 0), 0)) : null
  }
}
