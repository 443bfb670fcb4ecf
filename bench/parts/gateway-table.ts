import { type ContenderName, withContenders } from '../contenders/index.js'
import type { Contender } from '../contenders/contender.js'
import type { ExchangeName } from '../exchanges.js'
import { format, formatSpread, megabytes, table } from '../markdown.js'
import { type Measurement, direct, measure } from '../measurement.js'
import { type Bench, inRounds } from '../part.js'
import { spreadOf } from '../statistics.js'

/** One target in one round: under load, and with a single caller. */
export interface Round {
  readonly busy: Measurement
  /** Null where the upstream's own pace hides what a gateway adds. */
  readonly alone: Measurement | null
}

export type TargetName = ContenderName | 'direct'

export interface GatewayRounds {
  readonly load: GatewayLoad
  readonly rounds: Map<TargetName, Round[]>
  readonly names: Map<TargetName, string>
  /** Why a contender was not measured. */
  readonly missing: Map<ContenderName, string>
}

export interface GatewayLoad {
  readonly exchange: ExchangeName
  readonly connections: number
  /** The upstream takes its time: CPU and the wait for the first byte are all there is to compare. */
  readonly isPaced?: boolean
  /** Done once a round, before it. */
  readonly beforeRound?: () => Promise<void>
}

/** Measures the loads one after the other, each through all contenders in turn and without a gateway. */
export async function measureGateways<Loads extends readonly GatewayLoad[]> (
  bench: Bench, contenders: readonly ContenderName[], loads: Loads
): Promise<{ [Index in keyof Loads]: GatewayRounds }> {
  return await withContenders(bench.surroundings, contenders, { watchLoop: false }, async (started, notThere) => {
    const results: GatewayRounds[] = []
    for (const load of loads) results.push(await measureLoad(bench, load, started, notThere))
    return results as { [Index in keyof Loads]: GatewayRounds }
  })
}

async function measureLoad (
  bench: Bench, load: GatewayLoad, started: ReadonlyMap<ContenderName, Contender>, notThere: ReadonlyMap<ContenderName, string>
): Promise<GatewayRounds> {
  const { exchange, connections } = load
  const missing = new Map([...notThere])
  const targets = new Map<TargetName, Contender>([['direct', direct(bench.surroundings)], ...started])
  for (const [key, target] of started) {
    const refusal = await refusalOf(bench, target, exchange)
    if (refusal === null) continue
    missing.set(key, refusal)
    targets.delete(key)
  }
  const { seconds } = bench.options
  const rounds = await inRounds(bench, `${exchange} at ${connections} connections`, targets, async (
    target, key
  ): Promise<Round> => {
    if (key === 'direct') await load.beforeRound?.()
    const busy = await measure(bench.load, target, { exchange, connections, seconds })
    const alone = load.isPaced === true
      ? null
      : await measure(bench.load, target, { exchange, connections: 1, seconds: seconds / 3 })
    return { busy, alone }
  })
  return { load, rounds, names: new Map([...started].map(([key, { name }]) => [key, name])), missing }
}

/**
 * A contender that cannot do this kind of call at all says so at the first one. Those that keep books must be able to.
 */
async function refusalOf (bench: Bench, target: Contender, exchange: ExchangeName): Promise<string | null> {
  if (target.books !== null) return null
  try {
    await bench.load.run({
      origin: target.origin, headers: target.headers, exchange, promptTypes: 1, connections: 1, calls: 1
    })
    return null
  } catch (error) {
    const status = /status (\d+)/.exec(String(error))?.[1]
    if (status === undefined) throw error
    return `answers with ${status}`
  }
}

/** The figure of each round over that of the yardstick in the same round. */
export function ratios (measured: readonly Round[] | undefined, yardstick: readonly Round[] | undefined): number[] {
  return (measured ?? []).map(({ busy }, i) => busy.cpuUsPerCall / (yardstick?.[i]?.busy.cpuUsPerCall ?? NaN))
}

type Latency = 'p50Ms' | 'p99Ms' | 'firstByteP50Ms'

/** Milliseconds that the gateway adds to the same percentile without it, in the same round. */
export function added (
  measured: readonly Round[] | undefined, without: readonly Round[] | undefined, load: keyof Round, figure: Latency
): number[] {
  return (measured ?? []).map((round, i) => (round[load]?.[figure] ?? NaN) - (without?.[i]?.[load]?.[figure] ?? NaN))
}

/** A row a contender, and what the same calls take without a gateway. */
export function gatewayTable ({ load, rounds, names, missing }: GatewayRounds): string {
  const bare = rounds.get('bare')
  const without = rounds.get('direct') ?? []
  const pair = (measured: Round[], which: keyof Round): string => (['p50Ms', 'p99Ms'] as const)
    .map(figure => format(spreadOf(added(measured, without, which, figure)).median)).join(' / ')
  const latencies = (measured: Round[]): string[] => load.isPaced === true
    ? [formatSpread(added(measured, without, 'busy', 'firstByteP50Ms'))]
    : [formatSpread(measured.map(({ busy }) => busy.callsPerSecond)), pair(measured, 'alone'), pair(measured, 'busy')]
  const header = ['', 'CPU per call, µs', '× bare', ...(load.isPaced === true
    ? ['first byte added, p50, ms']
    : ['calls/s', 'added at 1, ms', `added at ${load.connections}, ms`]), 'memory, MB']
  const rows = [...rounds].filter(([key]) => key !== 'direct').map(([key, measured]) => [
    names.get(key) ?? key,
    formatSpread(measured.map(({ busy }) => busy.cpuUsPerCall)),
    formatSpread(ratios(measured, bare)),
    ...latencies(measured),
    format(spreadOf(measured.map(({ busy }) => megabytes(busy.residentBytes))).median)
  ])
  for (const [key, reason] of missing) {
    rows.push([
    `${names.get(key) ?? key}: ${reason}`, ...header.slice(1).map(() => '')
    ])
  }
  const absolute = (which: keyof Round): string =>
    (['p50Ms', 'p99Ms'] as const).map(figure =>
      format(spreadOf(without.map(round => round[which]?.[figure] ?? NaN)).median))
      .join(' / ')
  const comparison = load.isPaced === true
    ? ''
    : `Without a gateway a call takes ${absolute('alone')} ms (p50 / p99) at one connection, ` +
    `${absolute('busy')} ms at ${load.connections}; "added" is on top of that. `
  return `${table(header, rows)}\n\n${comparison}${databaseLine(rounds)}`
}

function databaseLine (rounds: GatewayRounds['rounds']): string {
  const spent = (rounds.get('postgres') ?? []).flatMap(({ busy }) => busy.databaseCpuUsPerCall ?? [])
  return spent.length === 0
    ? ''
    : `PostgreSQL itself spends ${formatSpread(spent)} µs of CPU per call of promptmeter's.`
}
