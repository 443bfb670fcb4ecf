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
  readonly rounds: number
  /** Called before each start, the last one too, whose number is that of the rounds: what is to be different. */
  readonly beforeStart?: (round: number) => void
  /** Called when the round's calls are under way. */
  readonly underLoad?: (round: number) => void
}

/** The load goes on for up to so long before the kill. */
const MAX_LOAD_MS = 400

/**
 * Starts the gateway, puts it under load of 100 callers and kills it with SIGKILL at a random moment, again and again in
 * the same DATA_DIR; then starts it once more, and holds the calls of all rounds against the books.
 */
export async function killRounds (t: Test, options: KillRoundsOptions): Promise<void> {
  const { location, gatewayUrl = location.databaseUrl, rounds, beforeStart, underLoad } = options
  const upstreamUrl = await startPlannedUpstream(t)
  const start = () => startGatewayProcess(t, { upstreamUrl, location: { databaseUrl: gatewayUrl, dataDir: location.dataDir } })
  const tally = newTally()
  for (let round = 0; round < rounds; round++) {
    beforeStart?.(round)
    const gateway = await start()
    const load = startFaultLoad(t, gateway.origin, { tally })
    await load.answers(1)
    underLoad?.(round)
    await sleep(Math.random() * MAX_LOAD_MS)
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
