import postgres from 'postgres'
import type { Test } from 'tap'
import { temporaryFolder } from './database.js'
import { type BooksOptions, checkBooks, untilCaughtUp } from './fault-books.js'
import { type FaultLoad, type Tally, newTally, startFaultLoad } from './fault-load.js'
import { type GatewayProcess, startGatewayProcess } from './gateway-process.js'
import { startPlannedUpstream } from './planned-calls.js'
import { type PostgresServer, type PostgresServerOptions, startPostgres } from './postgres-server.js'

/**
 * No call may wait longer than this: RECORD_WAIT_MS (250 by default), the disk's sync, and far more than that for a
 * machine that runs a hundred callers, upstream, the database and other tests beside the gateway. Outages last longer.
 */
export const LONGEST_WAIT_MS = 5250

/** A gateway process on PostgreSQL, with 100 callers who keep it busy. */
export interface Scene {
  readonly gateway: GatewayProcess
  readonly tally: Tally
  readonly load: FaultLoad
  readonly location: { readonly databaseUrl: string, readonly dataDir: string }
  /** Another gateway in the same DATA_DIR, once the first has ended. */
  readonly startAgain: () => Promise<GatewayProcess>
}

export interface SceneOptions {
  /** Where the books are, … */
  readonly databaseUrl: string
  /** … and by what way the gateway goes there, where that is another. */
  readonly gatewayUrl?: string
  readonly nodeArgs?: readonly string[]
  /** How long a caller rests between two calls; by default so long that the machine has a little room. */
  readonly pauseMs?: number
  readonly promptType?: (call: number) => string
}

/** Starts everything, and lets the first calls through. */
export async function startScene (
  t: Test, { databaseUrl, gatewayUrl = databaseUrl, nodeArgs = [], pauseMs = 50, ...loadOptions }: SceneOptions
): Promise<Scene> {
  const upstreamUrl = await startPlannedUpstream(t)
  const dataDir = temporaryFolder(t)
  const startAgain = () => startGatewayProcess(t, {
    upstreamUrl, location: { databaseUrl: gatewayUrl, dataDir }, nodeArgs
  })
  const gateway = await startAgain()
  const tally = newTally()
  const load = startFaultLoad(t, gateway.origin, { tally, pauseMs, ...loadOptions })
  await load.answers(200)
  return { gateway, tally, load, location: { databaseUrl, dataDir }, startAgain }
}

/** What holds after every fault: calls go on, and then all that `checkScene` says. */
export async function endScene (t: Test, scene: Scene): Promise<void> {
  await scene.load.answers(200)
  await scene.load.stop()
  await checkScene(t, scene)
}

/** Nobody noticed the fault, the gateway catches up with no help, and the books are the callers'. The load is over. */
export async function checkScene (
  t: Test, { gateway, tally, location }: Scene, options: Pick<BooksOptions, 'promptType' | 'missing'> = {}
): Promise<void> {
  await untilCaughtUp(gateway)
  t.same([...tally.failed].slice(0, 10), [], `no call failed (${tally.failed.size} did)`)
  t.ok(tally.longestWaitMs < LONGEST_WAIT_MS, `no call waited longer than ${LONGEST_WAIT_MS} ms: ${tally.longestWaitMs.toFixed()} ms`)
  t.same(await gateway.stop(), { code: 0, signal: null })
  await checkBooks(t, { location, tally, ...options })
}

/** A server that a test may break. It goes with the test. */
export async function startOwnPostgres (t: Test, options: PostgresServerOptions = {}): Promise<PostgresServer> {
  const server = await startPostgres(options)
  t.teardown(() => server.remove())
  return server
}

/** A statement of an operator's, on a connection of its own. */
export async function administer<Row extends object> (databaseUrl: string, statement: string): Promise<readonly Row[]> {
  const client = postgres(databaseUrl, { max: 1, onnotice: () => {} })
  try {
    return await client.unsafe<Row[]>(statement)
  } finally {
    await client.end({ timeout: 1 })
  }
}
