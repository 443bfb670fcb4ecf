import type { Test } from 'tap'
import { openDatabase } from '../../src/db/open-database.js'
import { type Totals, addTo, promptTotals, rollupTotals } from './books.js'
import { silentLog, temporaryFolder } from './database.js'
import { type Tally, promptTypeOf } from './fault-load.js'
import type { GatewayProcess } from './gateway-process.js'
import { plannedCall } from './planned-calls.js'
import { until } from './until.js'

/** What the log says of one call; tokens and money as text, so that no float touches them. */
interface Entry {
  readonly call: number | null
  readonly prompt_type: string
  readonly model: string
  readonly success: boolean
  readonly input: string
  readonly cached: string
  readonly output: string
  readonly reasoning: string
  /** 10⁻¹² USD. */
  readonly cost: string | null
}

export interface BooksOptions {
  readonly location: { readonly databaseUrl: string | null, readonly dataDir: string }
  readonly tally: Tally
  readonly promptType?: (call: number) => string
  /** Calls of the tally that must not be in the books, such as one whose record the database refused, … */
  readonly missing?: ReadonlySet<number>
  /** … and how many other answered calls must not be, where it is not known which. */
  readonly lost?: number
}

/**
 * Holds what callers saw against the books: each answered call is in the log exactly once, with its tokens and its
 * cost; a call that was cut is there at most once; no other call is; and statistics and rollups are the log's sums to
 * the last digit. The embedded database must not be open elsewhere.
 */
export async function checkBooks (
  t: Test, { location, tally, promptType = promptTypeOf, missing = new Set(), lost = 0 }: BooksOptions
): Promise<void> {
  // PostgreSQL is opened from another folder: a running gateway holds its own.
  const dataDir = location.databaseUrl === null ? location.dataDir : temporaryFolder(t)
  const database = await openDatabase({ databaseUrl: location.databaseUrl, dataDir, log: silentLog })
  try {
    const entries = await database.operator.$client.unsafe<Entry[]>(`
      select (metadata::json ->> 'call')::int as call, prompt_type, coalesce(response_model, request_model, '') as model, success,
        coalesce(input_tokens, 0)::text as input, coalesce(cached_input_tokens, 0)::text as cached,
        coalesce(output_tokens, 0)::text as output, coalesce(reasoning_tokens, 0)::text as reasoning,
        (cost * 1000000000000)::numeric(60, 0)::text as cost
      from usage_logs order by id`)
    checkCalls(t, entries, { tally, promptType, missing, lost })
    const { types, rollups } = sums(entries)
    t.strictSame(await promptTotals({ database }), types, 'the statistics are the log\'s sums')
    t.strictSame(await rollupTotals({ database }), rollups, 'the rollups are the log\'s sums')
  } finally {
    await database.close()
  }
}

/**
 * Lists of the calls of which the log says something wrong. They are short in a failure's message: the first few tell
 * enough.
 */
function checkCalls (
  t: Test, entries: readonly Entry[], { tally, promptType, missing, lost }: Required<Omit<BooksOptions, 'location'>>
): void {
  const rows = new Map<number, number>()
  const unknown: Entry[] = []
  const wrong: Entry[] = []
  for (const entry of entries) {
    const { call } = entry
    if (call === null || call >= tally.started || missing.has(call)) {
      unknown.push(entry)
      continue
    }
    rows.set(call, (rows.get(call) ?? 0) + 1)
    const { tokens, cost } = plannedCall(call)
    const right = entry.prompt_type === promptType(call) && entry.success && entry.cost === String(cost) &&
      Number(entry.input) === tokens.input && Number(entry.cached) === tokens.cached &&
      Number(entry.output) === tokens.output && Number(entry.reasoning) === tokens.reasoning
    if (!right && tally.answered.has(call)) wrong.push(entry)
  }
  const absent = [...tally.answered].filter(call => !rows.has(call) && !missing.has(call))
  const twice = [...rows].filter(([, count]) => count > 1)
  t.comment(`${tally.started} calls: ${tally.answered.size} answered, ${tally.failed.size} cut; ${entries.length} in the log; ` +
    `longest wait ${tally.longestWaitMs.toFixed()} ms`)
  if (lost === 0) t.same(absent.slice(0, 10), [], `every answered call is in the log (${absent.length} are not)`)
  else t.equal(absent.length, lost, 'as many answered calls are not in the log as were lost')
  t.same(twice.slice(0, 10), [], `no call is in the log twice (${twice.length} are)`)
  t.same(unknown.slice(0, 10), [], 'no call is in the log that nobody made')
  t.same(wrong.slice(0, 10), [], `the log has the answered calls' tokens and cost (${wrong.length} times not)`)
}

function sums (entries: readonly Entry[]): { types: Map<string, Totals>, rollups: Map<string, Totals> } {
  const types = new Map<string, Totals>()
  const rollups = new Map<string, Totals>()
  for (const { prompt_type: type, model, success, input, cached, output, reasoning, cost } of entries) {
    const call = {
      calls: 1n,
      failed: success ? 0n : 1n,
      unpriced: cost === null
        ? 1n
        : 0n,
      input: BigInt(input),
      output: BigInt(output),
      cost: BigInt(cost ?? 0)
    }
    addTo(types, type, call)
    addTo(rollups, `${type}|${model}|`, { ...call, cached: BigInt(cached), reasoning: BigInt(reasoning) })
  }
  return { types: sorted(types), rollups: sorted(rollups) }
}

const sorted = <Value>(map: ReadonlyMap<string, Value>): Map<string, Value> =>
  new Map([...map].sort(([a], [b]) => a < b ? -1 : 1))

/** Resolves when the gateway says that all is well and nothing waits to be written. */
export async function untilCaughtUp (gateway: GatewayProcess): Promise<void> {
  await until(async () => {
    const { status, records_pending: pending } = await gateway.readyz()
    return status === 'ok' && pending === 0
  }, 50)
}

/** Resolves when the gateway says that it is degraded. */
export async function untilDegraded (gateway: GatewayProcess): Promise<void> {
  await until(async () => (await gateway.readyz()).status === 'degraded', 20)
}
