import { PACED_CHUNK_MS, STREAM_CHUNKS } from '../exchanges.js'
import { type Goal, formatSpread, goalsTable } from '../markdown.js'
import type { Part } from '../part.js'
import { spreadOf } from '../statistics.js'
import { type GatewayRounds, gatewayTable, measureGateways, ratios } from './gateway-table.js'

const CONTENDERS = ['bare', 'postgres', 'embedded', 'httpProxy', 'nginx', 'portkey'] as const
const CONNECTIONS = 32
const PACED_CONNECTIONS = 100

/** Streamed calls whose caller did not ask for usage: promptmeter asks, and takes every trace of it out again. */
export const streams: Part = {
  name: 'streams',
  run: async bench => {
    const [fast, paced] = await measureGateways(bench, CONTENDERS, [
      { exchange: 'stream', connections: CONNECTIONS },
      { exchange: 'stream-paced', connections: PACED_CONNECTIONS, isPaced: true }
    ] as const)
    const text = [
      `**As fast as it goes**: request of 4,096 bytes, ${STREAM_CHUNKS} events, each a write of its own. Several may reach a busy gateway at once.`,
      gatewayTable(fast),
      `**As a model sends them**: the same with ${PACED_CHUNK_MS} ms between two events, so that each reaches the gateway alone.`,
      gatewayTable(paced),
      goalsTable([goal('as fast as it goes', fast), goal(`${PACED_CHUNK_MS} ms apart`, paced)])
    ].join('\n\n')
    return { text, data: { fast: [...fast.rounds], paced: [...paced.rounds] } }
  }
}

function goal (how: string, { rounds }: GatewayRounds): Goal {
  const toBare = ratios(rounds.get('postgres'), rounds.get('bare'))
  return {
    figure: `CPU per stream of ${STREAM_CHUNKS} chunks, ${how}`,
    goal: '≤ 1.1 × piping it',
    measured: `${formatSpread(toBare)} ×`,
    met: spreadOf(
      toBare
    ).median <= 1.1
  }
}
