import { type Spread, spreadOf } from './statistics.js'

/** A figure that was promised, and what came of it. */
export interface Goal {
  readonly figure: string
  readonly goal: string
  readonly measured: string
  readonly met: boolean
}

/** A table whose first column is text and whose others are numbers. */
export function table (header: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(header), line(header.map((_, i) => i === 0 ? '---' : '---:')), ...rows.map(line)].join('\n')
}

export function goalsTable (goals: readonly Goal[]): string {
  const rows = goals.map(({
    figure, goal, measured, met
  }) => `| ${figure} | ${goal} | ${measured} | ${met ? 'met' : '**missed**'} |`)
  return ['| goal | | measured | |', '| --- | --- | --- | --- |', ...rows].join('\n')
}

/** Three significant digits, at most two of them behind the point; thousands with a comma. */
export function format (value: number): string {
  if (!Number.isFinite(value)) return '–'
  const size = Math.abs(value)
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : 2
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

const formatRange = ({ min, max }: Spread): string => `${format(min)}–${format(max)}`

/** `12.3 (11.9–13.0)`: median, least and most. */
export function formatSpread (values: readonly number[]): string {
  const spread = spreadOf(values)
  return values.length === 1 ? format(spread.median) : `${format(spread.median)} (${formatRange(spread)})`
}

export const megabytes = (bytes: number): number => bytes / 1_000_000
