import { setImmediate as immediate } from 'node:timers/promises'
import { decimalToPicoUsd, picoUsdToNumber } from '../../lib/usd.js'
import type { CostFigures, Costs } from '../schemas/costs.js'
import { COUNTS, type CostSum } from './cost-sums.js'

/** The figures of a sum; zeros where there were no calls. */
export const costFigures = (sum: CostSum | undefined): CostFigures =>
  sum === undefined ? figures([], 0) : figures(sum.counts.split(' ').map(Number), Number(sum.costUsd))

function figures (
  [calls = 0, failed = 0, blocked = 0, unpriced = 0, input = 0, cached = 0, output = 0, durationMs = 0]: readonly number[],
  cost: number
): CostFigures {
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

/**
 * What an item says after its bucket, as JSON: `figures` without the objects, which take half as long again. The counts
 * go from the database into the answer as the text they are.
 */
function figuresText (
  [calls = '0', failed = '0', blocked = '0', unpriced = '0', input = '0', cached = '0', output = '0', durationMs = '0']: readonly string[],
  costUsd: string
): string {
  const cost = Number(costUsd)
  const isNone = calls === '0'
  return `,"calls":${calls},"failed_calls":${failed},"blocked_calls":${blocked},"unpriced_calls":${unpriced},"input_tokens":${input},` +
    `"cached_input_tokens":${cached},"output_tokens":${output},"cost":${cost},` +
    `"avg_cost_per_call":${isNone ? 'null' : cost / Number(calls)},"avg_duration_ms":${isNone ? 'null' : Number(durationMs) / Number(calls)}}`
}

const NOTHING = `,${JSON.stringify(figures([], 0)).slice(1)}`

/** A group's sums, each at its bucket's place, and the USD of all of them. */
export interface CostGroup {
  readonly sums: Array<CostSum | undefined>
  costUsd: number
}

/** The sums by group: the named groups in that order, or else by descending cost, groups of equal cost by name. */
export function costGroups (
  sums: readonly CostSum[], buckets: ReadonlyArray<number | null>, names: readonly string[] | null
): ReadonlyMap<string, CostGroup> {
  const groups = new Map<string, CostGroup>(names?.map(name => [name, { sums: [], costUsd: 0 }]))
  const places = new Map(buckets.map((bucketMs, place) => [bucketMs, place]))
  for (const sum of sums) {
    let group = groups.get(sum.group)
    if (group === undefined) {
      group = { sums: [], costUsd: 0 }
      groups.set(sum.group, group)
    }
    const place = places.get(sum.bucketMs)
    if (place !== undefined) group.sums[place] = sum
    group.costUsd += Number(sum.costUsd)
  }
  return names !== null
    ? groups
    : new Map(
      [...groups].sort(([a, { costUsd: costOfA }], [b, { costUsd: costOfB }]) => costOfB - costOfA || (a < b ? -1 : 1))
    )
}

/** With more, an item takes a third longer: its pieces have left the processor's cache when they are put together. */
const ITEMS_PER_CHUNK = 100
/** Then the calls beside it have their turn. */
const CHUNKS_AT_ONCE = 5

/**
 * The answer as JSON text: one item for each group and bucket, with zeros where there are no sums. It comes in chunks,
 * because ten thousands of items at once would delay concurrent calls.
 *
 * @param totals null: those of the sums
 */
export async function * costsJson (
  groups: ReadonlyMap<string, CostGroup>, buckets: ReadonlyArray<number | null>, isGrouped: boolean, totals: CostFigures | null, range: Omit<Costs, 'items' | 'totals'>
): AsyncGenerator<Buffer> {
  const total = COUNTS.map(() => 0)
  let totalPicoUsd = 0n
  const starts =
    buckets.map(bucketMs => `,"bucket":${bucketMs === null ? 'null' : `"${new Date(bucketMs).toISOString()}"`}`)
  let chunk = '{"items":['
  let before = ''
  let items = 0
  for (const [name, { sums }] of groups) {
    const group = `{"group":${isGrouped ? JSON.stringify(name) : 'null'}`
    for (const [place, start] of starts.entries()) {
      const sum = sums[place]
      const counts = sum?.counts.split(' ') ?? []
      chunk += before + group + start + (sum === undefined ? NOTHING : figuresText(counts, sum.costUsd))
      before = ','
      if (sum !== undefined && totals === null) {
        for (let i = 0; i < counts.length; i++) total[i] = Number(counts[i]) + (total[i] ?? 0)
        totalPicoUsd += picoUsdOf(sum)
      }
      if (++items % ITEMS_PER_CHUNK !== 0) continue
      yield Buffer.from(chunk)
      chunk = ''
      if (items % (ITEMS_PER_CHUNK * CHUNKS_AT_ONCE) === 0) await immediate()
    }
  }
  const end = { totals: totals ?? figures(total, picoUsdToNumber(totalPicoUsd)), ...range }
  yield Buffer.from(`${chunk}],${JSON.stringify(end).slice(1)}`)
}

/** What the sums cost, in 10⁻¹² USD: what is subtracted is exact. */
export const picoUsdOf = (sum: CostSum | undefined): bigint => decimalToPicoUsd(sum?.costUsd ?? '0')
