import { type ContenderName, withContenders } from '../contenders/index.js'
import type { Contender } from '../contenders/contender.js'
import { format, formatSpread, goalsTable, megabytes, table } from '../markdown.js'
import type { LoadReport } from '../load-order.js'
import { startLoad, type LoadProcess } from '../load-process.js'
import { checkBooks, direct } from '../measurement.js'
import { type Bench, type Part, inRounds } from '../part.js'
import { cpuTimeUs, memoryOf } from '../process-stat.js'
import { spreadOf } from '../statistics.js'

const CONTENDERS = ['bare', 'postgres', 'embedded', 'httpProxy', 'nginx'] as const
const VISION_PER_SECOND = 15
const OTHERS_PER_SECOND = 20
const GOAL_ADDED_MS = 150
const GOAL_HOLD_MS = 50

interface Round {
  readonly vision: LoadReport
  readonly others: LoadReport
  /** Of a call of 10 MB and the share of the small ones that falls on it. */
  readonly cpuUsPerCall: number
  readonly longestHoldMs: number
  readonly peakBytes: number
}

type Rounds = ReadonlyMap<ContenderName | 'direct', readonly Round[]>

/** Chat completions with a picture in them, 15 a second, and small calls beside them. */
export const vision: Part = {
  name: 'vision',
  run: async bench => {
    const othersLoad = startLoad()
    try {
      return await withContenders(bench.surroundings, CONTENDERS, { watchLoop: true }, async (started, missing) => {
        const targets = new Map<ContenderName | 'direct', Contender>([
          ['direct', direct(bench.surroundings)], ...started
        ])
        const rounds = await inRounds(bench, `10 MB at ${VISION_PER_SECOND}/s`, targets, target =>
          measureBoth(bench, othersLoad, target))
        return { text: describe(rounds, targets, missing), data: [...rounds] }
      })
    } finally {
      await othersLoad.stop()
    }
  }
}

async function measureBoth ({ load, options }: Bench, othersLoad: LoadProcess, target: Contender): Promise<Round> {
  const seconds = options.seconds * 2 // A percentile of 15 calls a second needs its time.
  const order = { origin: target.origin, headers: target.headers, promptTypes: 1, connections: 1, seconds }
  const before = await target.books?.()
  await target.longestHoldMs?.() // Begins anew.
  const cpuBefore = cpuTimeUs(target.pids)
  const [vision, others] = await Promise.all([
    load.run({ ...order, exchange: 'vision-10m', ratePerSecond: VISION_PER_SECOND }),
    othersLoad.run({ ...order, exchange: 'plain-4k', ratePerSecond: OTHERS_PER_SECOND })
  ])
  const cpuUs = cpuTimeUs(target.pids) - cpuBefore
  const longestHoldMs = await target.longestHoldMs?.() ?? NaN
  if (before !== undefined) await checkBooks(target, before, vision.answered + others.answered)
  return {
    vision, others, cpuUsPerCall: cpuUs / vision.answered, longestHoldMs, peakBytes: memoryOf(target.pids).peakBytes
  }
}

function describe (
  rounds: Rounds, targets: ReadonlyMap<ContenderName | 'direct', Contender>, missing: ReadonlyMap<ContenderName, string>
): string {
  const without = rounds.get('direct') ?? []
  const added = (measured: readonly Round[], which: 'vision' | 'others', figure: 'p50Ms' | 'p99Ms'): number[] =>
    measured.map((round, i) => round[which][figure] - (without[i]?.[which][figure] ?? NaN))
  const pair = (measured: readonly Round[], which: 'vision' | 'others'): string =>
    (['p50Ms', 'p99Ms'] as const).map(figure => format(spreadOf(added(measured, which, figure)).median)).join(' / ')
  const rows = [...rounds].filter(([key]) => key !== 'direct').map(([key, measured]) => [
    targets.get(key)?.name ?? key,
    formatSpread(measured.map(({ cpuUsPerCall }) => cpuUsPerCall / 1000)),
    pair(measured, 'vision'),
    pair(measured, 'others'),
    formatSpread(measured.map(({ longestHoldMs }) => longestHoldMs)),
    format(megabytes(Math.max(...measured.map(({ peakBytes }) => peakBytes))))
  ])
  for (const [key, reason] of missing) rows.push([`${key}: ${reason}`, '', '', '', '', ''])
  const postgres = rounds.get('postgres') ?? []
  const addedP99 = added(postgres, 'vision', 'p99Ms')
  const holds = postgres.map(({ longestHoldMs }) => longestHoldMs)
  return [
    `Chat completions with a picture of 10 MB as a base64 data URL, ${VISION_PER_SECOND} a second, and ${OTHERS_PER_SECOND} calls of 4 kB a second beside them. ` +
      'The longest hold of the event loop includes what the process waited for a processor, which everything on the machine shares. ' +
      'Portkey is left out: it does not keep up.',
    table(
      [
        '', 'CPU per call, ms', 'added, p50 / p99, ms', 'added to the others, p50 / p99, ms', 'longest hold, ms',
        'memory at most, MB'
      ],
      rows
    ),
    goalsTable([
      {
        figure: `10 MB vision calls at ${VISION_PER_SECOND}/s, p99 added`,
        goal: `≤ ${GOAL_ADDED_MS} ms`,
        measured: `${formatSpread(addedP99)} ms`,
        met: spreadOf(addedP99).median <= GOAL_ADDED_MS
      },
      {
        figure: 'other calls unharmed: longest hold of the event loop',
        goal: `≤ ${GOAL_HOLD_MS} ms`,
        measured: `${formatSpread(holds)} ms`,
        met: spreadOf(holds).max <= GOAL_HOLD_MS
      }
    ])
  ].join('\n\n')
}
