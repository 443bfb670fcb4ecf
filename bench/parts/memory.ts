import { setTimeout as delay } from 'node:timers/promises'
import { type ContenderName, withContenders } from '../contenders/index.js'
import type { Contender } from '../contenders/contender.js'
import { HELD_CHUNK_MS, STREAM_CHUNKS } from '../exchanges.js'
import { type Goal, format, goalsTable, megabytes, table } from '../markdown.js'
import { type Load, measure } from '../measurement.js'
import type { Bench, Part } from '../part.js'
import { memoryOf } from '../process-stat.js'
import { spreadOf } from '../statistics.js'

const CONTENDERS = ['bare', 'postgres', 'embedded'] as const
const QUARTERS = 4
const CONNECTIONS = 32
const OPEN_STREAMS = 1000
const GOAL_OPEN_STREAMS_BYTES = 200_000_000
/** More than this over three quarters of the calls is no longer flat. */
const FLAT_WITHIN = 1.05
const SAMPLE_MS = 200

interface Footprint {
  readonly name: string
  readonly atStart: number
  /** The median while 1,000 streams are open. */
  readonly openStreams: number
  readonly openStreamsPeak: number
  /** The median during each quarter of the calls. */
  readonly quarters: readonly number[]
  /** What was in use of the JavaScript heap after each quarter, collected. */
  readonly heaps: readonly number[]
}

/** Resident memory: of many streams at a time, and of many calls one after the other. Bytes. */
export const memory: Part = {
  name: 'memory',
  run: async bench => {
    const footprints: Footprint[] = []
    for (const name of CONTENDERS) footprints.push(await measureContender(bench, name))
    const header = [
      '',
      'at the start',
      `${format(OPEN_STREAMS)} streams open`,
      'at most',
      ...Array.from({ length: QUARTERS }, (_, i) => `calls, ${i + 1}. quarter`)
    ]
    const rows = footprints.map(({ name, atStart, openStreams, openStreamsPeak, quarters }) =>
      [name, ...[atStart, openStreams, openStreamsPeak, ...quarters].map(bytes => format(megabytes(bytes)))])
    const heaps = footprints.map(({ name, heaps }) => [name, ...heaps.map(bytes => format(megabytes(bytes)))])
    const text = [
      `Resident memory in MB: of a fresh process, with ${format(OPEN_STREAMS)} streams open (an event every ${HELD_CHUNK_MS} ms each, ${STREAM_CHUNKS} of them; ` +
        `median and most), and, started anew, while it serves ${bench.options.calls.toLocaleString('en-US')} calls of 4 kB at ${CONNECTIONS} connections.`,
      table(header, rows),
      'How much of that V8 keeps for garbage is its own affair. In MB, what is in use of the JavaScript heap after each quarter, once the garbage is collected:',
      table(['', ...Array.from({ length: QUARTERS }, (_, i) => `${i + 1}. quarter`)], heaps),
      goalsTable(
        footprints.flatMap(footprint =>
          footprint.name.startsWith('promptmeter') ? goals(footprint, bench.options.calls) : [])
      )
    ].join('\n\n')
    return { text, data: footprints }
  }
}

function goals ({ name, openStreamsPeak, heaps }: Footprint, calls: number): Goal[] {
  const growth = (heaps.at(-1) ?? NaN) / (heaps[0] ?? NaN)
  return [
    {
      figure: `memory at ${format(OPEN_STREAMS)} open streams, ${name}`,
      goal: '≤ 200 MB',
      measured: `${format(megabytes(openStreamsPeak))} MB`,
      met: openStreamsPeak <= GOAL_OPEN_STREAMS_BYTES
    },
    {
      figure: `memory over ${calls.toLocaleString('en-US')} calls, ${name}`,
      goal: 'flat',
      measured: `the heap after the last quarter ${format(growth)} × that after the first`,
      met: growth <= FLAT_WITHIN
    }
  ]
}

async function measureContender (bench: Bench, contenderName: ContenderName): Promise<Footprint> {
  const alone = async <T>(watchLoop: boolean, work: (contender: Contender) => Promise<T>): Promise<T> =>
    await withContenders(bench.surroundings, [contenderName], { watchLoop }, async contenders => {
      const contender = contenders.get(contenderName)
      if (contender === undefined) throw new Error(`${contenderName} cannot be started.`)
      return await work(contender)
    })
  const streams = await alone(false, async contender => {
    bench.progress(`memory: ${OPEN_STREAMS} streams through ${contender.name}`)
    const { residentBytes } = memoryOf(contender.pids)
    const samples = await sampled(bench, contender, {
      exchange: 'stream-held', connections: OPEN_STREAMS, calls: OPEN_STREAMS
    })
    return {
      name: contender.name,
      atStart: residentBytes,
      openStreams: spreadOf(samples).median,
      openStreamsPeak: memoryOf(contender.pids).peakBytes
    }
  })
  const calls = await alone(true, async contender => {
    const quarters: number[] = []
    const heaps: number[] = []
    for (let i = 1; i <= QUARTERS; i++) {
      bench.progress(`memory: calls through ${contender.name}, quarter ${i} of ${QUARTERS}`)
      const samples = await sampled(bench, contender, {
        exchange: 'plain-4k', connections: CONNECTIONS, calls: Math.ceil(bench.options.calls / QUARTERS)
      })
      quarters.push(spreadOf(samples).median)
      heaps.push(await contender.heapUsedBytes?.() ?? NaN)
    }
    return { quarters, heaps }
  })
  return { ...streams, ...calls }
}

/** Resident memory of the contender every so often under the load. */
async function sampled (bench: Bench, contender: Contender, load: Load): Promise<number[]> {
  const samples: number[] = []
  const over = new AbortController()
  const sample = async (): Promise<void> => {
    while (!over.signal.aborted) {
      samples.push(memoryOf(contender.pids).residentBytes)
      await delay(SAMPLE_MS)
    }
  }
  const sampling = sample()
  try {
    await measure(bench.load, contender, load)
  } finally {
    over.abort()
    await sampling
  }
  return samples
}
