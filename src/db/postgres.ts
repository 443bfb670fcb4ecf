import postgres from 'postgres'
import type { Options, PostgresType, Sql } from 'postgres'
import type { Log } from '../log.js'
import type { Database, DrizzlePool } from './client.js'
import { DatabaseAway, driverError, isConnectionLost } from './connection-lost.js'
import { migrate } from './migrate.js'
import { sharedPing } from './ping.js'
import { openPool } from './pool.js'

const oldestServer = 150_000
const recordingConnections = 4
const operatorConnections = 4
const operatorTimeoutMs = 15_000
/** Rows and tables are locked for moments; one who waits longer is told so, and holds no connection meanwhile. */
const operatorLockTimeoutMs = 5000
const connectTimeoutSeconds = 10
/** Whatever was under way is over when the pools are closed; a connection that was lost under a statement waits for its answer still. */
const closeTimeoutSeconds = 1
const prepareAgainMs = 1000

/**
 * Opens PostgreSQL: one pool a plane, and the schema brought up to date on a connection of its own. Where the server may
 * be away and is, that is done as soon as it is there; until then nothing can be recorded in it.
 */
export const openPostgres = async (databaseUrl: string, mayBeAway: boolean, log: Log, onClosed: () => Promise<void>): Promise<Database> => {
  const connect = (options: Options<Record<string, PostgresType>>): Sql => openClient(databaseUrl, log, options)
  const preparation = await prepare(() => connect({ max: 1 }), mayBeAway, log)
  const openRecording = (): DrizzlePool => openPool(connect({ max: recordingConnections }))
  let recording = openRecording()
  const operator = openPool(connect({
    max: operatorConnections,
    connection: {
      application_name: 'promptmeter operator',
      statement_timeout: operatorTimeoutMs,
      lock_timeout: operatorLockTimeoutMs,
      // One core at most, the others are for calls; workers and compiled plans also take longer than they save here. As
      // text: the library leaves out what is 0 or false.
      max_parallel_workers_per_gather: '0',
      jit: 'off'
    }
  }))
  const checkPrepared = (): void => {
    const failure = preparation.failure()
    if (failure !== null) throw new DatabaseAway(`The database could not be opened since the start: ${failure.message}`, { cause: failure })
  }
  const ping = sharedPing(() => recording)
  return {
    kind: 'postgres',
    get recording () {
      checkPrepared()
      return recording
    },
    operator,
    listen: async (channel, onNotify) => {
      // The client makes a connection for it, and another whenever that is lost.
      await operator.$client.listen(channel, onNotify, onNotify).catch((error: unknown) => {
        if (!isConnectionLost(error)) throw error
      })
    },
    // One that answers and has not the tables takes no records either.
    ping: async () => {
      checkPrepared()
      await ping()
    },
    reconnect: () => {
      const hanging = recording
      recording = openRecording()
      void hanging.$client.end({ timeout: 0 })
    },
    close: async () => {
      await Promise.all([preparation.close(), ...[recording, operator].map(async ({ $client }) => {
        await $client.end({ timeout: closeTimeoutSeconds })
      })])
      await onClosed()
    }
  }
}

interface Preparation {
  /** Why it is not done; null once it is. */
  failure: () => Error | null
  close: () => Promise<void>
}

/** Checks the server and migrates, now, or, where the server may be away and is, again and again until it could be done. */
const prepare = async (connect: () => Sql, mayBeAway: boolean, log: Log): Promise<Preparation> => {
  let failure: Error | null = null
  let isClosed = false
  let client = connect()
  let timer: NodeJS.Timeout | undefined
  const run = async (): Promise<void> => {
    try {
      await prepareSchema(client)
      failure = null
    } finally {
      await client.end({ timeout: 0 })
    }
  }
  const runAgain = async (): Promise<void> => {
    client = connect()
    try {
      await run()
      log.info({}, 'the database is there')
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
    if (!mayBeAway || !(error instanceof DatabaseAway)) throw error
    failure = error
    log.error({ err: error }, 'starting without the database, with the policy of the last run; records go to the journal until it is there')
    later()
  }
  return {
    failure: () => failure,
    close: async () => {
      isClosed = true
      clearTimeout(timer)
      await client.end({ timeout: 0 })
    }
  }
}

const openClient = (databaseUrl: string, log: Log, options: Options<Record<string, PostgresType>>): Sql => {
  try {
    return postgres(databaseUrl, {
      connect_timeout: connectTimeoutSeconds,
      connection: { application_name: 'promptmeter' },
      // Arrays go both ways as text (see recording/batch-rows.ts), so each connection saves the query for the array types.
      fetch_types: false,
      // The library's own waits grow to 20 s: after an outage the books should be open again sooner.
      backoff: retries => Math.min(0.05 * 2 ** retries, 1) * (0.5 + Math.random() / 2),
      onnotice: notice => {
        if (notice['severity'] === 'WARNING') log.warn({ notice }, 'PostgreSQL warns')
      },
      ...options
    })
  } catch {
    // Node's error for a bad URL carries the whole URL, password and all.
    throw new Error('DATABASE_URL is not a PostgreSQL URL. It looks like postgres://user:password@host:5432/database.')
  }
}

const prepareSchema = async (client: Sql): Promise<void> => {
  await checkServer(client)
  try {
    await migrate(openPool(client))
  } catch (error) {
    if (!isConnectionLost(error)) throw error
    throw new DatabaseAway(`The database was lost while its schema was brought up to date (${String(driverError(error))}).`, { cause: error })
  }
}

const checkServer = async (client: Sql): Promise<void> => {
  const { host, port, database } = client.options
  const where = `the database '${database}' at ${host.map((name, i) => `${name}:${port[i] ?? 5432}`).join(', ')}`
  const [row] = await client<{ version: number }[]>`select current_setting('server_version_num')::int as version`
    .catch((error: unknown) => {
      const why = error instanceof Error && 'code' in error ? `${String(error.code)}: ${error.message}` : String(error)
      const message = `Cannot open ${where} (${why}). Check that PostgreSQL runs there and that DATABASE_URL names the ` +
        'right host, user, password and database; or unset DATABASE_URL to use the embedded database.'
      throw isConnectionLost(error) ? new DatabaseAway(message, { cause: error }) : new Error(message, { cause: error })
    })
  if (row !== undefined && row.version < oldestServer) {
    throw new Error(`PostgreSQL ${Math.floor(row.version / 10_000)} runs ${where}; promptmeter needs 15 or newer.`)
  }
}
