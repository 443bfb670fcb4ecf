import { Box, Paper, Text } from '@mantine/core'
import { bucketText, useSeriesColor, valueTexts } from '../chart-values.js'
import type { Interval } from '../range.js'
import type { Series } from './chart.js'

export interface ReadoutProps {
  /** Which of the times. */
  readonly index: number
  /** Where it stands in the chart, and how wide that is; pixels. */
  readonly left: number
  readonly width: number
  readonly times: readonly number[]
  readonly interval: Interval
  readonly series: readonly Series[]
  readonly isSum: boolean
  readonly format: (value: number) => string
}

const GAP = 12
const MIN_WIDTH = 180

/** The values of all series at one time, beside the cursor. Screen readers are told them by the chart's slider. */
export function ChartReadout ({ index, left, width, times, interval, series, isSum, format }: ReadoutProps) {
  const color = useSeriesColor()
  const isLeft = left < width / 2
  const room = Math.max(MIN_WIDTH, (isLeft ? width - left : left) - GAP)
  // Where neither side has room, it covers the cursor rather than leave the chart.
  const place = isLeft
    ? { left: Math.max(0, Math.min(left + GAP, width - room)) }
    : { right: Math.max(0, Math.min(width - left + GAP, width - room)) }
  const { values, total } = valueTexts(series, index, isSum, format)
  return (
    <Paper
      className='readout' aria-hidden withBorder shadow='md' p={8} style={{ ...place, maxWidth: Math.min(room, 320) }}
    >
      <Text size='xs' fw={600} mb={4}>{bucketText(times[index] ?? 0, interval)}</Text>
      <Box className='values'>
        {values.map(({ label, text }, i) => <Line key={label} color={color(i)} label={label} text={text} />)}
        {total !== null && <Line label='Total' text={total} isBold />}
      </Box>
    </Paper>
  )
}

function Line ({ color = 'transparent', label, text, isBold = false }: {
  color?: string, label: string, text: string, isBold?: boolean
}) {
  const weight = isBold ? { fw: 600 } : {}
  return (
    <>
      <span className='swatch' style={{ background: color }} />
      <Text size='xs' truncate {...weight}>{label}</Text>
      <Text size='xs' className='number' {...weight}>{text}</Text>
    </>
  )
}
