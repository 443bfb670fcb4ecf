import { useComputedColorScheme } from '@mantine/core'
import { useElementSize, useMergedRef } from '@mantine/hooks'
import { type KeyboardEvent, type PointerEvent, useEffect, useMemo, useRef, useState } from 'react'
import Plot, { type AlignedData } from 'uplot'
import { reach, tickText, ticksAt } from '../chart-axis.js'
import { bucketText, useSeriesColor, valueTexts } from '../chart-values.js'
import type { Interval } from '../range.js'
import { ChartReadout } from './chart-readout.js'

export interface Series {
  readonly label: string
  /** One value for each time; null where there is none. */
  readonly values: ReadonlyArray<number | null>
  /** They are costs, and not known. */
  readonly isUnpriced?: boolean
}

export interface ChartProps {
  /** What it shows, for those who do not see it; a table of the same figures belongs beside it. */
  readonly title: string
  /** Seconds since the epoch, ascending: the starts of buckets. */
  readonly times: readonly number[]
  readonly interval: Interval
  readonly series: readonly Series[]
  readonly stacked?: boolean
  readonly height?: number
  readonly format: (value: number) => string
}

/** Pixels that a tick of the time axis needs. */
const TICK_WIDTH = 54
/** A bar for each bucket: most of its place, and 48 px at most. */
const bars = Plot.paths.bars?.({ size: [0.8, 48] })

/** One of a chart's times, and where it stands: pixels from the chart's left. */
interface Cursor { readonly index: number, readonly left: number }

/**
 * Values over time, as bars on top of one another or as lines. Those under the cursor are shown beside it: with the
 * mouse, a finger, or the arrow keys once the chart has the focus.
 */
export function Chart (props: ChartProps) {
  const { title, times, interval, series, stacked = false, height = 220, format } = props
  const { ref: sizeRef, width } = useElementSize<HTMLDivElement>()
  const place = useRef<HTMLDivElement>(null)
  const [cursor, setCursor] = useState<Cursor | null>(null)
  const plot = usePlot(place, width, props, setCursor)
  // A finger's way is not the mouse's: a chart would hear of its taps only.
  const follow = ({ pointerType, clientX }: PointerEvent): void => {
    const over = plot.current?.over.getBoundingClientRect()
    if (pointerType !== 'mouse' && over !== undefined) {
      plot.current?.setCursor({
        left: Math.max(0, Math.min(clientX - over.left, over.width - 1)), top: 0
      })
    }
  }
  const moveTo = (index: number | null): void => {
    plot.current?.setCursor(
      index === null ? { left: -10, top: -10 } : { left: plot.current.valToPos(times[index] ?? 0, 'x'), top: 0 }
    )
  }
  return (
    <div className='chart' onPointerDown={follow} onPointerMove={follow}>
      <div
        ref={useMergedRef(sizeRef, place)} role='img' aria-label={title} style={{ width: '100%', minHeight: height }}
      />
      <ChartKeys
        {...{ title, times, interval, series, format }} isSum={stacked} index={cursor?.index ?? null} onMove={moveTo}
      />
      {cursor !== null && cursor.index < times.length && (
        <ChartReadout {...{ times, interval, series, format, width }} {...cursor} isSum={stacked} />
      )}
    </div>
  )
}

/** Draws the chart anew whenever it changes, and tells where its cursor is. */
function usePlot (
  place: { readonly current: HTMLDivElement | null },
  width: number,
  props: ChartProps,
  onCursor: (cursor: Cursor | null) => void
) {
  const { times, interval, series, stacked = false, height = 220, format } = props
  const plot = useRef<Plot | null>(null)
  const color = useSeriesColor()
  const dark = useComputedColorScheme('light') === 'dark'
  const data = useMemo(() => chartData(times, series, stacked), [times, series, stacked])
  useEffect(() => {
    const element = place.current
    if (element === null || width === 0) return
    const ink = dark ? '#adb5bd' : '#495057'
    const axis = {
      stroke: ink,
      grid: { stroke: dark ? '#373a40' : '#e9ecef', width: 1 },
      ticks: { show: false },
      font: '11px system-ui'
    }
    // The last of a stack is drawn first, so that those below it cover it.
    const order = series.map((_, i) => stacked ? series.length - 1 - i : i)
    const drawn = new Plot({
      width,
      height,
      padding: [8, 28, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false } },
      hooks: {
        setCursor: [
          ({ cursor: { idx, left }, over }) => {
            onCursor(
              typeof idx === 'number' && left !== undefined && left >= 0
                ? { index: idx, left: left + over.offsetLeft }
                : null
            )
          }
        ]
      },
      // The books' days are UTC's.
      tzDate: seconds => Plot.tzDate(new Date(seconds * 1000), 'UTC'),
      scales: {
        x: { range: () => reach(times, interval) }, y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.08 : 1] }
      },
      axes: [
        {
          ...axis,
          grid: { show: false },
          size: 36,
          gap: 8,
          splits: plot => ticksAt(times, interval, Math.floor(plot.bbox.width / Plot.pxRatio / TICK_WIDTH)),
          values: (_plot, values) => values.map(seconds => tickText(seconds, interval))
        },
        { ...axis, size: 64, values: (_plot, values) => values.map(format) }
      ],
      series: [{}, ...order.map(i => ({
        label: series[i]?.label ?? '',
        stroke: color(i),
        width: stacked ? 0 : 1.5,
        points: { show: false, filter: (plot: Plot, index: number) => alone(plot.data[index] ?? []) },
        // Opaque: those below cover those above, whose bars reach down to zero.
        ...(stacked && bars !== undefined ? { fill: color(i), paths: bars } : {})
      }))]
    }, [data[0], ...order.map(i => data[i + 1] ?? [])] as AlignedData, element)
    plot.current = drawn
    return () => {
      plot.current = null
      onCursor(null)
      drawn.destroy()
    }
  }, [width, height, data, times, interval, series, stacked, dark, format, onCursor])
  return plot
}

/** What the arrow keys move through a chart's times: a slider as big as the chart, which lets the mouse through. */
function ChartKeys ({
  title, times, interval, series, format, isSum, index, onMove
}: Pick<ChartProps, 'title' | 'times' | 'interval' | 'series' | 'format'> & {
  isSum: boolean, index: number | null, onMove: (index: number | null) => void
}) {
  const last = times.length - 1
  const at = Math.min(index ?? last, last)
  const { values, total } = valueTexts(series, at, isSum, format)
  const texts = [
    ...(total === null ? [] : [`total ${total}`]),
    ...values.map(({ label, text }) => series.length === 1 ? text : `${label} ${text}`)
  ]
  const move = (event: KeyboardEvent): void => {
    const steps: Readonly<Record<string, number | null>> = {
      ArrowLeft: at - 1, ArrowRight: at + 1, PageUp: at - 10, PageDown: at + 10, Home: 0, End: last, Escape: null
    }
    const to = steps[event.key]
    if (to === undefined) return
    event.preventDefault()
    onMove(to === null ? null : Math.max(0, Math.min(to, last)))
  }
  return (
    <div
      className='chart-keys' role='slider' tabIndex={0} aria-label={`${title}, by time`}
      aria-valuemin={0} aria-valuemax={last} aria-valuenow={at} aria-valuetext={`${bucketText(times[at] ?? 0, interval)}: ${texts.join(', ')}`}
      onKeyDown={move} onFocus={() => { onMove(at) }} onBlur={() => { onMove(null) }}
    />
  )
}

/** Which values have none beside them: no line leads to them, so they are points. */
const alone = (values: ArrayLike<number | null | undefined>): number[] =>
  Array.from(values)
    .flatMap((value, i) =>
      typeof value === 'number' && typeof values[i - 1] !== 'number' && typeof values[i + 1] !== 'number' ? [i] : [])

function chartData (
  times: readonly number[], series: readonly Series[], stacked: boolean
): Array<Array<number | null>> {
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
  const points = values.map((value, i) => `${(2 + i * step).toFixed(1)},${(22 - value / max * 20).toFixed(1)}`)
    .join(' ')
  return (
    <svg width={100} height={24} role='img' aria-label={label}>
      <polyline points={points} fill='none' stroke={color(0)} strokeWidth={1.5} strokeLinejoin='round' />
    </svg>
  )
}
