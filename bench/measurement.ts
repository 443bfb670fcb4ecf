import { setTimeout as delay } from 'node:timers/promises'
import { type Books, type Contender, type Surroundings } from './contenders/contender.js'
import { USAGE } from './exchanges.js'
import type { LoadOrder, LoadReport } from './load-order.js'
import type { LoadProcess } from './load-process.js'
import { cpuTimeUs, databaseCpuTimeUs, memoryOf } from './process-stat.js'

/** One load on one contender. */
export interface Measurement extends LoadReport {
  readonly cpuUsPerCall: number
  /** CPU time of its database's own processes; null where there are none. */
  readonly databaseCpuUsPerCall: number | null
  readonly residentBytes: number
  readonly peakBytes: number
}

export type Load = Omit<LoadOrder, 'origin' | 'headers' | 'promptTypes'> & { readonly promptTypes?: number }

/**
 * A contender waits for its turn while the others have theirs: waking up is not what is measured. Calls that are
 * counted are not for speed.
 */
const WARM_UP_SECONDS = 1

/** How long the books may take to be complete: what went to the journal comes in later. */
const BOOKS_WITHIN_MS = 30_000

/** The upstream called without a gateway: what latencies are compared with. */
export function direct ({ upstreamOrigin }: Surroundings): Contender {
  return {
    name: 'no gateway', origin: upstreamOrigin, headers: {}, pids: [], databasePids: null, books: null, longestHoldMs: null, heapUsedBytes: null, stop: async () => {}
  }
}

/**
 * Puts the load on the contender, after a second of it that is not measured unless the load is of so many calls.
 * @throws Error if a call failed, or if what it recorded is not what was answered
 */
export async function measure (process: LoadProcess, contender: Contender, load: Load): Promise<Measurement> {
  const order = { promptTypes: 1, ...load, origin: contender.origin, headers: contender.headers }
  const before = await contender.books?.()
  const answeredBefore = load.calls === undefined
    ? (await process.run({ ...order, seconds: WARM_UP_SECONDS })).answered
    : 0
  const databasePids = await contender.databasePids?.() ?? null
  const databaseCpuBefore = databaseCpuTimeUs(databasePids ?? [])
  const cpuBefore = cpuTimeUs(contender.pids)
  const report = await process.run(order)
  const cpuUs = cpuTimeUs(contender.pids) - cpuBefore
  const databaseCpuUs = databaseCpuTimeUs(databasePids ?? []) - databaseCpuBefore
  if (before !== undefined) await checkBooks(contender, before, answeredBefore + report.answered)
  return {
    ...report,
    cpuUsPerCall: cpuUs / report.answered,
    databaseCpuUsPerCall: databasePids === null ? null : databaseCpuUs / report.answered,
    ...memoryOf(contender.pids)
  }
}

/** Every call answered is in the books, with its tokens, and nothing else is. */
export async function checkBooks (contender: Contender, before: Books, answered: number): Promise<void> {
  const wanted = { calls: answered, failedCalls: 0, outputTokens: answered * USAGE.completion_tokens }
  let found = wanted
  const deadline = Date.now() + BOOKS_WITHIN_MS
  while (Date.now() < deadline) {
    const now = await contender.books?.() ?? before
    found = {
      calls: now.calls - before.calls,
      failedCalls: now.failedCalls - before.failedCalls,
      outputTokens: now.outputTokens - before.outputTokens
    }
    if (JSON.stringify(found) === JSON.stringify(wanted)) return
    await delay(500)
  }
  throw new Error(`${contender.name}: the books say ${JSON.stringify(found)} of ${JSON.stringify(wanted)}.`)
}
