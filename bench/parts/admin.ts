import { once } from 'node:events'
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { type PromptmeterContender, startPromptmeter } from '../contenders/promptmeter.js'
import { createDatabase, withClient } from '../database.js'
import { format, formatSpread, type Goal, goalsTable, megabytes, table } from '../markdown.js'
import { measure } from '../measurement.js'
import type { Bench, Part } from '../part.js'
import { memoryOf } from '../process-stat.js'
import { canKeepApart, keepOperatorsApart } from '../processors.js'
import { percentile, spreadOf } from '../statistics.js'
import { fillBooks, MANY_TYPES } from './admin-books.js'

const GOAL_COSTS_MS = 100
const GOAL_P99 = 1.1
/** Calls that go through the proxy meanwhile: well below what one processor can take, so that waiting shows. */
const RATE_PER_SECOND = 100
const SLOW_QUERY_MS = 1000
const ANSWERS = 30
const DAY_MS = 86_400_000

interface Timing {
  readonly path: string
  readonly p50Ms: number
  readonly p99Ms: number
  readonly bytes: number
  /** It was refused at least once, since it takes longer than a statement of an operator's may. */
  readonly isRefused: boolean
}

interface Export {
  readonly path: string
  readonly rowsPerSecond: number
  readonly megabytesPerSecond: number
  readonly peakBytes: number
}

/** The operator's routes over a year's books, and what they do to the calls beside them. */
export const admin: Part = {
  name: 'admin',
  run: async bench => {
    const databaseUrl = await createDatabase(bench.surroundings.postgres)
    // A first gateway makes the tables.
    await withGateway(bench, databaseUrl, async () => {})
    await fillBooks(bench, databaseUrl)
    return await measureBooks(bench, databaseUrl)
  }
}

async function withGateway<T> (
  bench: Bench, databaseUrl: string, work: (gateway: PromptmeterContender) => Promise<T>
): Promise<T> {
  const gateway = await startPromptmeter(bench.surroundings, {
    name: 'promptmeter, a year of books', databaseUrl, watchLoop: false, env: { MAX_PROMPT_TYPES: `${MANY_TYPES + 1}` }
  })
  try {
    return await work(gateway)
  } finally {
    await gateway.stop()
  }
}

async function measureBooks (bench: Bench, databaseUrl: string): Promise<{ text: string, data: unknown }> {
  const { timings, beside } = await withGateway(bench, databaseUrl, async gateway => {
    bench.progress('summing up the rollups')
    await untilSummedUp(databaseUrl)
    const timings: Timing[] = []
    for (const path of paths(Date.now())) timings.push(await time(bench, gateway, path))
    return { timings, beside: await callsBeside(bench, gateway, databaseUrl) }
  })
  // On one of its own: its memory is that of the exports.
  const exports = await withGateway(bench, databaseUrl, async gateway => {
    const exports: Export[] = []
    for (const path of [
      'prompt-configs/export?format=csv', 'prompt-configs/export?format=json', 'usage-logs/export?format=csv',
      'usage-logs/export?format=ndjson'
    ]) {
      exports.push(await download(bench, gateway, path))
    }
    return exports
  })
  return { text: report(bench, timings, exports, beside), data: { timings, exports, beside } }
}

/** What an operator asks for, newest and rarest, over the year. */
function paths (nowMs: number): string[] {
  const from = new Date(nowMs - 365 * DAY_MS).toISOString()
  const sorts = [
    '-total_cost', 'prompt_type', '-total_calls', '-last_called_at', '-created_at', 'avg_cost_per_call', '-failed_calls'
  ]
  const logs = ['', 'prompt_type=bench-17', 'model=gpt-4o', 'model=nobody', 'user=user-17', 'user=nobody', 'key_id=00000000-0000-4000-8000-000000000000', 'success=false',
    'status_code=429', 'status_code=418', 'unpriced=true', 'upstream_request_id=req_nobody', `from=${from}&to=${new Date(nowMs - 180 * DAY_MS).toISOString()}`]
  const groups = ['none', 'prompt_type', 'model', 'user']
  const costs = groups.flatMap(group => ['none', 'month', 'week', 'day', 'hour'].flatMap(interval => {
    const isLarge = (group === 'prompt_type' && interval !== 'none') || (group === 'user' && interval === 'hour')
    return [`costs?group_by=${group}&interval=${interval}&from=${from}${isLarge ? '&limit=10' : ''}`]
  }))
  return [
    ...sorts.map(sort => `prompt-configs?sort=${sort}`), 'prompt-configs?search=number%2099', 'prompt-configs?search=nobody',
    ...logs.map(filter => `usage-logs${filter === '' ? '' : `?${filter}`}`),
    ...costs, `costs?group_by=model&interval=day&prompt_type=bench-17&from=${from}`,
    `costs/top-movers?from=${new Date(nowMs - 30 * DAY_MS).toISOString()}`, `costs/what-if?from=${from}`
  ]
}

async function untilSummedUp (databaseUrl: string): Promise<void> {
  await withClient(databaseUrl, async sql => {
    for (;;) {
      const [row] = await sql<{ done: boolean }[]>`
        select summarised_to is not null and not exists (select from usage_summaries_stale) as done from gateway_settings`
      if (row?.done === true) break
      await delay(500)
    }
    await sql`vacuum (analyze) usage_summaries`
  })
}

async function time ({ progress }: Bench, gateway: PromptmeterContender, path: string): Promise<Timing> {
  const durations: number[] = []
  let bytes = 0
  let isRefused = false
  for (let i = 0; i <= ANSWERS; i++) {
    const startedAt = performance.now()
    const response = await gateway.admin(path)
    bytes = (await response.arrayBuffer()).byteLength
    const durationMs = performance.now() - startedAt
    isRefused ||= response.status === 503
    if (!response.ok && !isRefused) throw new Error(`${path}: ${response.status}`)
    // The first answer warms up, and one that takes seconds need not be asked for thirty times.
    if (i > 0) durations.push(durationMs)
    if (durationMs > SLOW_QUERY_MS && i >= 3) break
  }
  const sorted = Float64Array.from(durations).sort()
  const timing = { path, p50Ms: percentile(sorted, 0.5), p99Ms: percentile(sorted, 0.99), bytes, isRefused }
  progress(`${path}: ${format(timing.p50Ms)} ms`)
  return timing
}

async function download ({ progress }: Bench, gateway: PromptmeterContender, path: string): Promise<Export> {
  const startedAt = performance.now()
  const response = await gateway.admin(path)
  if (!response.ok || response.body === null) throw new Error(`${path}: ${response.status}`)
  let [bytes, lines] = [0, 0]
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    bytes += chunk.length
    for (const byte of chunk) if (byte === 10) lines++
  }
  const seconds = (performance.now() - startedAt) / 1000
  progress(`${path}: ${lines.toLocaleString('en-US')} lines in ${format(seconds)} s`)
  return {
    path,
    rowsPerSecond: lines / seconds,
    megabytesPerSecond: megabytes(bytes) / seconds,
    peakBytes: memoryOf(gateway.pids).peakBytes
  }
}

/** The calls' p99, by what goes on beside them. */
type Beside = Record<typeof BESIDE[number], number[]>
/**
 * Nothing; a query each second; a process that only takes a processor for as long each second; a query as soon as the
 * last is answered. `apart`: with a processor for the operators' connections to the database, and the rest for all
 * else.
 */
const BESIDE = ['nothing', 'each second', 'busy', 'without pause', 'nothing, apart', 'each second, apart'] as const

/** Latency of calls, with and without somebody who asks for the year's costs again and again. */
async function callsBeside (bench: Bench, gateway: PromptmeterContender, databaseUrl: string): Promise<Beside> {
  // As the console's first page asks for its chart.
  const path =
    `costs?group_by=prompt_type&interval=week&limit=8&from=${new Date(Date.now() - 365 * DAY_MS).toISOString()}`
  const { p50Ms } = await time(bench, gateway, path)
  const eachSecond = async (over: AbortSignal): Promise<void> => {
    while (!over.aborted) await Promise.all([ask(gateway, path), delay(1000)])
  }
  const nothing = async (): Promise<void> => {}
  const work: Record<keyof Beside, (over: AbortSignal) => Promise<void>> = {
    nothing,
    'each second': eachSecond,
    busy: async over => {
      const spinning = new Worker(`setInterval(() => { for (const end = performance.now() + ${p50Ms}; performance.now() < end;); }, 1000)`, {
        eval: true
      })
      await once(over, 'abort')
      await spinning.terminate()
    },
    'without pause': async over => { while (!over.aborted) await ask(gateway, path) },
    'nothing, apart': nothing,
    'each second, apart': eachSecond
  }
  const beside = Object.fromEntries(BESIDE.map(name => [name, []])) as unknown as Beside
  for (let round = 0; round <= bench.options.rounds; round++) {
    bench.progress(`calls beside queries: ${round === 0 ? 'warm-up' : `round ${round} of ${bench.options.rounds}`}`)
    for (const name of BESIDE) {
      const isApart = name.endsWith('apart')
      if (isApart && !canKeepApart()) continue
      const putBack = isApart ? await keepOperatorsApart(databaseUrl) : () => {}
      try {
        const p99Ms = await p99Beside(bench, gateway, work[name])
        if (round > 0) beside[name].push(p99Ms)
      } finally {
        putBack()
      }
    }
  }
  return beside
}

async function p99Beside (
  bench: Bench, gateway: PromptmeterContender, work: (over: AbortSignal) => Promise<void>
): Promise<number> {
  const over = new AbortController()
  const done = work(over.signal)
  try {
    const { p99Ms } = await measure(bench.load, gateway, {
      exchange: 'plain-4k', connections: 32, seconds: bench.options.seconds * 4, ratePerSecond: RATE_PER_SECOND // A percentile of few calls would be chance.
    })
    return p99Ms
  } finally {
    over.abort()
    await done
  }
}

async function ask (gateway: PromptmeterContender, path: string): Promise<void> {
  await (await gateway.admin(path)).arrayBuffer()
}

function report ({ options }: Bench, timings: readonly Timing[], exports: readonly Export[], beside: Beside): string {
  const slowest = (prefix: string): Timing | undefined =>
    timings.filter(({ path }) => path.startsWith(prefix)).sort((a, b) => b.p50Ms - a.p50Ms)[0]
  const costs = slowest('costs?')
  const ratios = (name: keyof Beside, alone: keyof Beside = 'nothing'): number[] =>
    beside[name].map((p99Ms, i) => p99Ms / (beside[alone][i] ?? NaN))
  const raised = (figure: string, ratios: readonly number[]): Goal =>
    ({ figure, goal: 'not raised', measured: `${formatSpread(ratios)} ×`, met: spreadOf(ratios).median <= GOAL_P99 })
  const apart = beside['nothing, apart']
  const goals: Goal[] = [
    {
      figure: `costs over a year, the slowest (\`${shortened(costs?.path ?? '')}\`), p50`,
      goal: `< ${GOAL_COSTS_MS} ms`,
      measured: `${format(costs?.p50Ms ?? NaN)} ms`,
      met: (costs?.p50Ms ?? NaN) < GOAL_COSTS_MS
    },
    raised("calls' p99 beside a query over the year each second", ratios('each second')),
    raised('the same beside one query after the other', ratios('without pause')),
    ...apart.length === 0
      ? []
      : [raised('with a processor for the queries alone, each second', ratios('each second, apart', 'nothing, apart'))]
  ]
  return [
    `The operator's routes over a year of ${options.rows.toLocaleString('en-US')} calls of ${MANY_TYPES.toLocaleString('en-US')} prompt types on PostgreSQL, ` +
      `each asked for up to ${ANSWERS} times, one after the other.`,
    table(['', 'p50, ms', 'p99, ms', 'answer, kB'], timings.map(({ path, p50Ms, p99Ms, bytes, isRefused }) =>
      [`\`${shortened(path)}\``, format(p50Ms), format(p99Ms), isRefused ? '503, too long' : format(bytes / 1000)])),
    table([
      '', 'rows/s', 'MB/s', 'memory of the gateway at most so far, MB'
    ], exports.map(({ path, rowsPerSecond, megabytesPerSecond, peakBytes }) =>
      [`\`${path}\``, format(rowsPerSecond), format(megabytesPerSecond), format(megabytes(peakBytes))])),
    `The p99 of ${RATE_PER_SECOND} calls a second is ${formatSpread(beside.nothing)} ms. While somebody asks for the chart of the console's first page over the year ` +
      `once a second it is ${formatSpread(beside['each second'])} ms; with a process that does nothing but take one of the machine's processors as long each second, ` +
      `${formatSpread(beside.busy)} ms (${formatSpread(ratios('busy'))} ×); with one query after the other, ${formatSpread(beside['without pause'])} ms.`,
    ...apart.length === 0
      ? []
      : [`With the last of the machine's processors for the operators' connections to the database, and the rest for all else, it is ${formatSpread(apart)} ms ` +
          `alone and ${formatSpread(beside['each second, apart'])} ms beside a query each second.`],
    goalsTable(goals)
  ].join('\n\n')
}

/** Without the moments, which are a year's, half a year's or a month's. */
const shortened = (path: string): string => path.replace(/(from|to)=[^&]+/g, '$1=…')
