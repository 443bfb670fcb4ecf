import { setImmediate as immediate } from 'node:timers/promises'
import { decimalToPicoUsd, picoUsdToDecimal } from '../usd.js'
import { COUNTS, type CostSum } from './queries/cost-sums.js'
import type { CostFigures, Costs } from './schemas/costs.js'

const NOTHING: CostFigures = {
  calls: 0,
  failed_calls: 0,
  blocked_calls: 0,
  unpriced_calls: 0,
  input_tokens: 0,
  cached_input_tokens: 0,
  output_tokens: 0,
  cost: 0,
  avg_cost_per_call: null,
  avg_duration_ms: null
}

/** The figures of a sum; zeros where there were no calls. */
export const figuresOf = (sum: CostSum | undefined): CostFigures => sum === undefined ? NOTHING : figures(countsOf(sum), Number(sum.costUsd))

/** `COUNTS` in their order. */
const countsOf = (sum: CostSum): number[] => sum.counts.split(' ').map(Number)

function figures ([calls = 0, failed = 0, blocked = 0, unpriced = 0, input = 0, cached = 0, output = 0, durationMs = 0]: readonly number[], cost: number): CostFigures {
  return {
    calls,
    failed_calls: failed,
    blocked_calls: blocked,
    unpriced_calls: unpriced,
    input_tokens: input,
    cached_input_tokens: cached,
    output_tokens: output,
    cost,
    avg_cost_per_call: calls === 0 ? null : cost / calls,
    avg_duration_ms: calls === 0 ? null : durationMs / calls
  }
}

const ITEMS_PER_CHUNK = 1000

/**
 * The answer as JSON text: one item for each group and each bucket, with zeros where the sums have a gap, groups in the
 * order of `groups`. It comes in chunks: ten thousands of items at once would hold up the calls beside them.
 *
 * @param totals null: those of the sums
 */
export async function * costsJson (
  sums: readonly CostSum[], groups: readonly string[], buckets: ReadonlyArray<number | null>, isGrouped: boolean,
  totals: CostFigures | null, range: Omit<Costs, 'items' | 'totals'>
): AsyncGenerator<string> {
  const byGroup = new Map<string, Map<number | null, CostSum>>(groups.map(group => [group, new Map()]))
  for (const sum of sums) byGroup.get(sum.group)?.set(sum.bucketMs, sum)
  const starts = buckets.map(bucketMs => bucketMs === null ? null : new Date(bucketMs).toISOString())
  const totalCounts = COUNTS.map(() => 0)
  let totalPicoUsd = 0n
  let items: Costs['items'] = []
  let before = '{"items":['
  const chunk = (): string => {
    const text = `${before}${JSON.stringify(items).slice(1, -1)}`
    before = ','
    items = []
    return text
  }
  for (const [group, byBucket] of byGroup) {
    for (const [i, bucketMs] of buckets.entries()) {
      const sum = byBucket.get(bucketMs)
      const counts = sum === undefined ? [] : countsOf(sum)
      if (totals === null) {
        counts.forEach((count, place) => { totalCounts[place] = count + (totalCounts[place] ?? 0) })
        totalPicoUsd += picoUsdOf(sum)
      }
      items.push({ group: isGrouped ? group : null, bucket: starts[i] ?? null, ...sum === undefined ? NOTHING : figures(counts, Number(sum.costUsd)) })
      if (items.length < ITEMS_PER_CHUNK) continue
      yield chunk()
      await immediate()
    }
  }
  const rest = { totals: totals ?? figures(totalCounts, usdOf(totalPicoUsd)), ...range }
  yield `${items.length > 0 || before !== ',' ? chunk() : ''}],${JSON.stringify(rest).slice(1)}`
}

/** The groups of the sums, the one of the greatest cost first, those of the same by name. */
export function groupsOf (sums: readonly CostSum[]): string[] {
  const costs = new Map<string, number>()
  for (const { group, costUsd } of sums) costs.set(group, (costs.get(group) ?? 0) + Number(costUsd))
  return [...costs].sort(([a, costOfA], [b, costOfB]) => costOfB - costOfA || (a < b ? -1 : 1)).map(([group]) => group)
}

/** What the sums cost, in 10⁻¹² USD: what is subtracted is exact. */
export const picoUsdOf = (sum: CostSum | undefined): bigint => decimalToPicoUsd(sum?.costUsd ?? '0')

/** 10⁻¹² USD as the nearest number of USD. */
export const usdOf = (picoUsd: bigint): number => Number(picoUsdToDecimal(picoUsd))
