import { useComputedColorScheme, useMantineTheme } from '@mantine/core'
import { useElementSize, useMergedRef } from '@mantine/hooks'
import { useEffect, useMemo, useRef } from 'react'
import Plot, { type AlignedData } from 'uplot'

export interface Series {
  readonly label: string
  /** One value for each time; null where there is none. */
  readonly values: ReadonlyArray<number | null>
  /** They are costs, and not known. */
  readonly isUnpriced?: boolean
}

const HUES = ['cyan', 'grape', 'orange', 'teal', 'indigo', 'pink', 'lime', 'yellow', 'blue', 'gray'] as const

/** The colour of the n-th series, the same in a chart and in what lists its series. */
export function useSeriesColor (): (index: number) => string {
  const { colors } = useMantineTheme()
  const shade = useComputedColorScheme('light') === 'dark' ? 5 : 7
  return index => colors[HUES.at(index % HUES.length) ?? 'gray'][shade]
}

export interface ChartProps {
  /** What it shows, for those who do not see it; a table of the same figures belongs beside it. */
  readonly title: string
  /** Seconds since the epoch, ascending. */
  readonly times: readonly number[]
  readonly series: readonly Series[]
  readonly stacked?: boolean
  readonly height?: number
  readonly format: (value: number) => string
}

/** Values over time, as areas on top of one another or as lines. The cursor's values are read out beside it. */
export function Chart ({ title, times, series, stacked = false, height = 220, format }: ChartProps) {
  const { ref: sizeRef, width } = useElementSize<HTMLDivElement>()
  const place = useRef<HTMLDivElement>(null)
  const ref = useMergedRef(sizeRef, place)
  const color = useSeriesColor()
  const dark = useComputedColorScheme('light') === 'dark'
  const data = useMemo(() => chartData(times, series, stacked), [times, series, stacked])
  useEffect(() => {
    const element = place.current
    if (element === null || width === 0) return
    const ink = dark ? '#adb5bd' : '#495057'
    const axis = { stroke: ink, grid: { stroke: dark ? '#373a40' : '#e9ecef', width: 1 }, ticks: { show: false }, font: '11px system-ui' }
    // The last of a stack is drawn first, so that those below it cover it.
    const order = series.map((_, i) => stacked ? series.length - 1 - i : i)
    const plot = new Plot({
      width,
      height,
      padding: [8, 28, 0, 0],
      legend: { show: false },
      cursor: { drag: { x: false, y: false } },
      // The books' days are UTC's.
      tzDate: seconds => Plot.tzDate(new Date(seconds * 1000), 'UTC'),
      scales: { y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.08 : 1] } },
      axes: [{ ...axis, size: 36, gap: 8, values: (_plot, values, _axis, _space, step) => values.map(seconds => timeLabel(seconds, step)) }, { ...axis, size: 64, values: (_plot, values) => values.map(format) }],
      series: [{}, ...order.map(i => ({
        label: series[i]?.label ?? '',
        stroke: color(i),
        width: stacked ? 1 : 1.5,
        points: { show: false, filter: (plot: Plot, index: number) => alone(plot.data[index] ?? []) },
        // Opaque: those below cover those above, whose areas reach down to zero.
        ...(stacked ? { fill: color(i) } : {})
      }))]
    }, [data[0], ...order.map(i => data[i + 1] ?? [])] as AlignedData, element)
    return () => { plot.destroy() }
  }, [width, height, data, series, stacked, dark, format, times.length])
  return <div ref={ref} role='img' aria-label={title} style={{ width: '100%', minHeight: height }} />
}

/** A time on the axis, as tables write it; within days by the hour. */
function timeLabel (seconds: number, stepSeconds: number): string {
  const date = new Date(seconds * 1000)
  const isHour = stepSeconds < 86_400 && seconds % 86_400 !== 0
  return isHour
    ? date.toLocaleTimeString('en-GB', { timeZone: 'UTC', hour: '2-digit', minute: '2-digit' })
    : date.toLocaleDateString('en-GB', { timeZone: 'UTC', day: 'numeric', month: 'short' })
}

/** Which values have none beside them: no line leads to them, so they are points. */
const alone = (values: ArrayLike<number | null | undefined>): number[] =>
  Array.from(values).flatMap((value, i) => typeof value === 'number' && typeof values[i - 1] !== 'number' && typeof values[i + 1] !== 'number' ? [i] : [])

function chartData (times: readonly number[], series: readonly Series[], stacked: boolean): Array<Array<number | null>> {
  const sums = times.map(() => 0)
  return [[...times], ...series.map(({ values }) => times.map((_, i) => {
    const value = values[i] ?? null
    if (!stacked) return value
    sums[i] = (sums[i] ?? 0) + (value ?? 0)
    return sums[i] ?? 0
  }))]
}

/** A series without axes, small enough for a table's cell. */
export function Sparkline ({ values, label }: { values: readonly number[], label: string }) {
  const color = useSeriesColor()
  const max = Math.max(...values, 0)
  if (max === 0) return null
  const step = 96 / Math.max(values.length - 1, 1)
  const points = values.map((value, i) => `${(2 + i * step).toFixed(1)},${(22 - value / max * 20).toFixed(1)}`).join(' ')
  return (
    <svg width={100} height={24} role='img' aria-label={label}>
      <polyline points={points} fill='none' stroke={color(0)} strokeWidth={1.5} strokeLinejoin='round' />
    </svg>
  )
}
