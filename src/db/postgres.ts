import { setTimeout as sleep } from 'node:timers/promises'
import postgres from 'postgres'
import type { Options, PostgresType, Sql } from 'postgres'
import type { Log } from '../log.js'
import type { Database, DrizzlePool } from './database.js'
import { type ClientOptions, type ConnectionOptions, connectionOptions } from './connection-options.js'
import { DatabaseUnavailable, driverError, isConnectionLost } from './database-errors.js'
import { setLocally } from './local-settings.js'
import { migrate } from './migrate.js'
import { pingUnlessBusy, sharedPing } from './ping.js'
import { openPool } from './pool.js'
import { isPooled } from './pooler.js'

const oldestServer = 150_000
const recordingConnections = 4
const operatorConnections = 4
/**
 * Locks are short: a query that waits longer fails, and frees its connection. It uses one core at most, the others are
 * for calls; workers and compiled plans also take longer than they save here.
 */
const operatorSettings = `set local statement_timeout = '15s'; set local lock_timeout = '5s';
  set local max_parallel_workers_per_gather = 0; set local jit = off`
/**
 * No call is in flight when the pools close; a connection that was lost during a statement still waits for its answer.
 */
const closeTimeoutSeconds = 1
const prepareAgainMs = 1000
/** How long the first answer may take after the first connection may have. */
const firstAnswerMs = 10_000

/**
 * Opens PostgreSQL: one pool for each plane. A connection of its own migrates the schema. If the server may be
 * unavailable and is, that happens as soon as it is available; until then nothing can be recorded in it.
 */
export const openPostgres = async (
  databaseUrl: string, mayBeUnavailable: boolean, log: Log, onClosed: () => Promise<void>
): Promise<Database> => {
  const target = connectionOptions(databaseUrl, 'promptmeter')
  const connectOnce = (): Sql => openClient(target, log, { max: 1, prepare: false })
  const preparation = await prepare(connectOnce, target.where, mayBeUnavailable, log)
  let recording: DrizzlePool | null = null
  let isClosed = false
  const recordingPool = (): DrizzlePool => {
    const failure = preparation.failure()
    if (failure !== null) {
      throw new DatabaseUnavailable(`The database could not be opened since the start: ${failure.message}`, {
        cause: failure
      })
    }
    if (isClosed && recording === null) throw new DatabaseUnavailable('The database is closed.')
    const options = { max: recordingConnections, prepare: !preparation.pooled() }
    return (recording ??= openPool(openClient(target, log, options)))
  }
  const operatorTarget = connectionOptions(databaseUrl, 'promptmeter operator')
  const operator = openPool(openClient(operatorTarget, log, { max: operatorConnections, prepare: false }))
  const atWork = setLocally(operator.$client, operatorSettings)
  return {
    kind: 'postgres',
    get recording () { return recordingPool() },
    operator,
    listen: async (channel, onNotify) => {
      await preparation.done
      if (preparation.pooled()) {
        // A pooler hands notifications to the client that has the session then.
        onNotify()
        return
      }
      // The client makes a connection for it, and another whenever that is lost.
      await operator.$client.listen(channel, onNotify, onNotify).catch((error: unknown) => {
        if (!isConnectionLost(error)) throw error
      })
    },
    ping: sharedPing(recordingPool),
    pingOperator: pingUnlessBusy(sharedPing(() => operator), operatorConnections, atWork),
    reconnect: () => {
      const hanging = recording
      recording = null
      void hanging?.$client.end({ timeout: 0 })
    },
    close: async () => {
      isClosed = true
      await Promise.all([preparation.close(), ...[recording, operator].map(async pool => {
        await pool?.$client.end({ timeout: closeTimeoutSeconds })
      })])
      await onClosed()
    }
  }
}

interface Preparation {
  /** Why it is not done; null once it is. */
  failure: () => Error | null
  /** A pooler stands before the server. Known once it is done. */
  pooled: () => boolean
  readonly done: Promise<void>
  close: () => Promise<void>
}

/** Checks the server and migrates, now. If the server may be unavailable and is, it tries until it succeeds. */
const prepare = async (
  connect: () => Sql, where: string, mayBeUnavailable: boolean, log: Log
): Promise<Preparation> => {
  let failure: Error | null = null
  let pooled = false
  let isClosed = false
  let client = connect()
  let timer: NodeJS.Timeout | undefined
  let tellDone = (): void => {}
  const done = new Promise<void>(resolve => { tellDone = resolve })
  const run = async (): Promise<void> => {
    try {
      pooled = await prepareSchema(client, where)
      if (pooled) log.info({}, 'a pooler is in front of PostgreSQL: no prepared statements, no notifications')
      failure = null
      tellDone()
    } finally {
      await client.end({ timeout: 0 })
    }
  }
  const runAgain = async (): Promise<void> => {
    client = connect()
    try {
      await run()
      log.info({}, 'the database is available')
    } catch (error) {
      if (isClosed) return
      const last = error instanceof Error ? error : new Error(String(error))
      if (last.message !== failure?.message) log.error({ err: last }, 'the database cannot be opened; trying again')
      failure = last
      later()
    }
  }
  const later = (): void => { timer = setTimeout(() => { void runAgain() }, prepareAgainMs).unref() }
  try {
    await run()
  } catch (error) {
    if (!mayBeUnavailable || !(error instanceof DatabaseUnavailable)) throw error
    failure = error
    log.error(
      { err: error },
      'starting without the database, with the policy of the last run; records go to the journal until it is available'
    )
    later()
  }
  return {
    failure: () => failure,
    pooled: () => pooled,
    done,
    close: async () => {
      isClosed = true
      clearTimeout(timer)
      await client.end({ timeout: 0 })
    }
  }
}

const openClient = ({ options: target }: ConnectionOptions, log: Log, options: ClientOptions): Sql => postgres({
  ...target as object as Options<Record<string, PostgresType>>,
  // Arrays go both ways as text (see recording/batch-rows.ts), so each connection saves the query for the array types.
  fetch_types: false,
  // The library's own waits grow to 20 s: after an outage the books should be open again sooner.
  backoff: retries => Math.min(0.05 * 2 ** retries, 1) * (0.5 + Math.random() / 2),
  onnotice: notice => {
    if (notice['severity'] === 'WARNING') log.warn({ notice }, 'PostgreSQL warns')
  },
  ...options as object as Options<Record<string, PostgresType>>
})

/** @returns whether a pooler stands before the server */
const prepareSchema = async (client: Sql, where: string): Promise<boolean> => {
  await checkServer(client, where)
  try {
    const pooled = await isPooled(client)
    await migrate(openPool(client))
    return pooled
  } catch (error) {
    if (!isConnectionLost(error)) throw error
    throw new DatabaseUnavailable(`The connection to the database was lost during the migration (${String(driverError(error))}).`, {
      cause: error
    })
  }
}

/** What closes each connection before it says a word is connected to again for ever: its time-out never runs out. */
const unanswered = async (afterMs: number): Promise<never> => {
  await sleep(afterMs, undefined, { ref: false })
  const why = `no PostgreSQL answered within ${afterMs / 1000} s; each connection was closed`
  throw Object.assign(new Error(why), { code: 'CONNECT_TIMEOUT' })
}

const checkServer = async (client: Sql, where: string): Promise<void> => {
  const answer = client<{ version: number }[]>`select current_setting('server_version_num')::int as version`
  const [row] = await Promise.race([answer, unanswered(client.options.connect_timeout * 1000 + firstAnswerMs)])
    .catch((error: unknown) => {
      const why = error instanceof Error && 'code' in error ? `${String(error.code)}: ${error.message}` : String(error)
      const message = `Cannot open the database ${where} (${why}). ` +
        'Check that PostgreSQL runs there and that DATABASE_URL names the right host, user, password ' +
        'and database; or unset DATABASE_URL to use the embedded database.'
      throw isConnectionLost(error)
        ? new DatabaseUnavailable(message, { cause: error })
        : new Error(message, { cause: error })
    })
  if (row !== undefined && row.version < oldestServer) {
    throw new Error(`The database ${where} runs on PostgreSQL ${Math.floor(row.version / 10_000)}. ` +
      'Upgrade it: promptmeter needs PostgreSQL 15 or newer.')
  }
}
