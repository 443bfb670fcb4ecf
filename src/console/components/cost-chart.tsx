import { Group, Paper, Text, Title } from '@mantine/core'
import type { ReactNode } from 'react'
import { useSeriesColor } from '../chart-values.js'
import { money } from '../format.js'
import type { Interval } from '../range.js'
import { Breakable } from './breakable.js'
import { Chart, type Series } from './chart.js'

/** A chart over time with its title, and its series by colour. */
export function CostChart ({ title, times, interval, series, stacked = false, format = money, children }: {
  title: string, times: readonly number[], interval: Interval, series: readonly Series[], stacked?: boolean, format?: (value: number) => string, children?: ReactNode
}) {
  const color = useSeriesColor()
  const hasValues = series.some(({ values }) => values.some(value => value !== null))
  const isUnpriced = hasValues && series.every(one => one.isUnpriced)
  return (
    <Paper withBorder p='sm'>
      <Group justify='space-between' mb='xs'><Title order={2}>{title}</Title>{children}</Group>
      {!hasValues || isUnpriced
        ? (
          <Text size='sm' c='dimmed'>
            {isUnpriced ? 'Unpriced: no price is known for these calls.' : 'No calls in this range.'}
          </Text>
          )
        : <Chart title={title} times={times} interval={interval} series={series} stacked={stacked} format={format} />}
      {series.length > 1 && (
        <Group gap='md' mt='xs' component='ul' style={{ listStyle: 'none', padding: 0, margin: 0 }}>
          {series.map(({ label, values, isUnpriced }, i) => (
            <Group key={label} component='li' gap={6} wrap='nowrap' maw='100%'>
              <span
                aria-hidden style={{ width: 10, height: 10, flexShrink: 0, borderRadius: 2, background: color(i) }}
              />
              <Text size='xs' style={{ overflowWrap: 'anywhere' }}>
                <Breakable text={label} />{' '}
                <Text span inherit c='dimmed'>
                  {isUnpriced === true
                    ? 'unpriced'
                    : format(values.reduce<number>((sum, value) => sum + (value ?? 0), 0))}
                </Text>
              </Text>
            </Group>
          ))}
        </Group>
      )}
    </Paper>
  )
}
