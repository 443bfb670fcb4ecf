import { createDatabase, measureSingleRowCommits } from '../database.js'
import { type Goal, format, formatSpread, goalsTable } from '../markdown.js'
import type { Part } from '../part.js'
import { spreadOf } from '../statistics.js'
import { type GatewayRounds, added, gatewayTable, measureGateways, ratios } from './gateway-table.js'

const CONTENDERS = ['bare', 'postgres', 'embedded', 'httpProxy', 'nginx', 'portkey'] as const
const CONNECTIONS = 32

/** Calls whose answer comes in one piece. */
export const plain: Part = {
  name: 'plain',
  run: async bench => {
    const databaseUrl = await createDatabase(bench.surroundings.postgres)
    const commits: Array<{ p50Ms: number, p99Ms: number }> = []
    const measureCommits = async (): Promise<void> => {
      commits.push(await measureSingleRowCommits(databaseUrl, bench.options.seconds / 3))
    }
    const [small, large] = await measureGateways(bench, CONTENDERS, [
      { exchange: 'plain-4k', connections: CONNECTIONS, beforeRound: measureCommits },
      { exchange: 'plain-100k', connections: CONNECTIONS }
    ] as const)
    commits.shift() // The warm-up's.
    const text = [
      '**4 kB**: request and response of 4,096 bytes each.', gatewayTable(small),
      '**100 kB**: request and response of 102,400 bytes each.', gatewayTable(large),
      goalsTable([...cpuGoals('4 kB', small), ...cpuGoals('100 kB', large), latencyGoal(small, commits)])
    ].join('\n\n')
    return { text, data: { small: [...small.rounds], large: [...large.rounds], commits } }
  }
}

function cpuGoals (size: string, { rounds }: GatewayRounds): Goal[] {
  const postgres = rounds.get('postgres')
  const toBare = ratios(postgres, rounds.get('bare'))
  const toPortkey = ratios(postgres, rounds.get('portkey'))
  return [
    {
      figure: `CPU per plain call of ${size}`,
      goal: '≤ 1.0 × bare',
      measured: `${formatSpread(toBare)} ×`,
      met: spreadOf(toBare).median <= 1
    },
    {
      figure: `CPU per plain call of ${size}`,
      goal: '≤ 0.125 × Portkey',
      measured: `${formatSpread(toPortkey)} ×`,
      met: spreadOf(toPortkey).median <= 0.125
    }
  ]
}

/** The wait of one caller for its record, against what the database alone takes for one row. */
function latencyGoal ({ rounds }: GatewayRounds, commits: ReadonlyArray<{ p50Ms: number, p99Ms: number }>): Goal {
  const addedMs = added(rounds.get('postgres'), rounds.get('direct'), 'alone', 'p50Ms')
  const overCommit = addedMs.map((ms, i) => ms / (commits[i]?.p50Ms ?? NaN))
  const of = (figure: 'p50Ms' | 'p99Ms'): string => format(spreadOf(commits.map(commit => commit[figure])).median)
  return {
    figure: 'latency added at one connection, commit included, p50',
    goal: '≤ 1.3 × a single-row commit',
    measured: `${formatSpread(overCommit)} × (${formatSpread(addedMs)} ms; a single-row commit through postgres.js alone: ${of('p50Ms')} ms, p99 ${of('p99Ms')} ms)`,
    met: spreadOf(overCommit).median <= 1.3
  }
}
