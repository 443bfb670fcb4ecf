import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { checkBooks, untilCaughtUp } from './fault-books.js'
import { newTally, startFaultLoad } from './fault-load.js'
import { startGatewayProcess } from './gateway-process.js'
import { startPlannedUpstream } from './planned-calls.js'

export interface KillRoundsOptions {
  /** Where the gateway keeps its books, … */
  readonly location: { readonly databaseUrl: string | null, readonly dataDir: string }
  /** … and by what way it goes there, where that is another. */
  readonly gatewayUrl?: string
  /** Called before each start, the last one too, whose number is that of the rounds: what is to be different. */
  readonly beforeStart?: (round: number) => void
  /** Called when the round's calls are in flight. */
  readonly underLoad?: (round: number) => void
}

/** The load goes on for up to so long before the kill. */
const MAX_LOAD_MS = 400

/** How often the gateway is killed: the environment's `KILL_ROUNDS`. */
export const KILL_ROUNDS = Number(process.env['KILL_ROUNDS'] ?? 12)

/** The moments of a run are those of its seed: `KILL_SEED` takes that of a run that failed. */
const SEED = Number(process.env['KILL_SEED'] ?? randomInt(1, 0x7fff_ffff))

/**
 * Starts the gateway, puts it under load of 100 callers and kills it with SIGKILL at a random moment, again and again
 * in the same DATA_DIR; then starts it once more, and holds the calls of all rounds against the books.
 */
export async function killRounds (t: Test, options: KillRoundsOptions): Promise<void> {
  const { location, gatewayUrl = location.databaseUrl, beforeStart, underLoad } = options
  const rounds = KILL_ROUNDS
  t.comment(`KILL_SEED=${SEED} KILL_ROUNDS=${rounds}`)
  const random = randomOf(SEED)
  const upstreamUrl = await startPlannedUpstream(t)
  const start = () => startGatewayProcess(t, {
    upstreamUrl, location: { databaseUrl: gatewayUrl, dataDir: location.dataDir }
  })
  const tally = newTally()
  for (let round = 0; round < rounds; round++) {
    beforeStart?.(round)
    const gateway = await start()
    const load = startFaultLoad(t, gateway.origin, { tally })
    await load.answers(1)
    underLoad?.(round)
    await sleep(random() * MAX_LOAD_MS)
    gateway.kill('SIGKILL')
    await Promise.all([gateway.exited, load.stop()])
  }
  t.ok(tally.failed.size >= rounds, `calls were under way when the gateway was killed: ${tally.failed.size}`)
  beforeStart?.(rounds)
  const last = await start()
  await untilCaughtUp(last)
  t.same(await last.stop(), { code: 0, signal: null })
  await checkBooks(t, { location, tally })
}

/** Numbers from 0 to 1, the same for the same seed: the minimal standard generator of Park and Miller (MINSTD). */
function randomOf (seed: number): () => number {
  let state = seed
  return () => {
    state = state * 48_271 % 0x7fff_ffff
    return state / 0x7fff_ffff
  }
}
