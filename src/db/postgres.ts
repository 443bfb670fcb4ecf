import postgres from 'postgres'
import type { Options, PostgresType, Sql } from 'postgres'
import type { Log } from '../log.js'
import type { Database } from './client.js'
import { migrate } from './migrate.js'
import { sharedPing } from './ping.js'
import { openPool } from './pool.js'

const oldestServer = 150_000
const recordingConnections = 4
const operatorConnections = 4
const operatorTimeoutMs = 15_000
const connectTimeoutSeconds = 10
const closeTimeoutSeconds = 5

/** Opens PostgreSQL: one pool a plane, and the schema brought up to date on a connection of its own. */
export const openPostgres = async (databaseUrl: string, log: Log): Promise<Database> => {
  const connect = (options: Options<Record<string, PostgresType>>): Sql => openClient(databaseUrl, log, options)
  await prepareSchema(connect({ max: 1 }))
  const recording = openPool(connect({ max: recordingConnections }))
  const operator = openPool(connect({
    max: operatorConnections,
    connection: { application_name: 'promptmeter operator', statement_timeout: operatorTimeoutMs }
  }))
  return {
    kind: 'postgres',
    recording,
    operator,
    listen: async (channel, onNotify) => { await recording.$client.listen(channel, onNotify, onNotify) },
    ping: sharedPing(recording),
    close: async () => {
      await Promise.all([recording, operator].map(async ({ $client }) => {
        await $client.end({ timeout: closeTimeoutSeconds })
      }))
    }
  }
}

const openClient = (databaseUrl: string, log: Log, options: Options<Record<string, PostgresType>>): Sql => {
  try {
    return postgres(databaseUrl, {
      connect_timeout: connectTimeoutSeconds,
      connection: { application_name: 'promptmeter' },
      // Arrays go both ways as text (see array-literal.ts), so each connection saves the query for the array types.
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
  try {
    await checkServer(client)
    await migrate(openPool(client))
  } finally {
    await client.end({ timeout: closeTimeoutSeconds })
  }
}

const checkServer = async (client: Sql): Promise<void> => {
  const { host, port, database } = client.options
  const where = `the database '${database}' at ${host.map((name, i) => `${name}:${port[i] ?? 5432}`).join(', ')}`
  const [row] = await client<{ version: number }[]>`select current_setting('server_version_num')::int as version`
    .catch((error: unknown) => {
      const why = error instanceof Error && 'code' in error ? `${String(error.code)}: ${error.message}` : String(error)
      throw new Error(`Cannot open ${where} (${why}). Check that PostgreSQL runs there and that DATABASE_URL names the ` +
        'right host, user, password and database; or unset DATABASE_URL to use the embedded database.', { cause: error })
    })
  if (row !== undefined && row.version < oldestServer) {
    throw new Error(`PostgreSQL ${Math.floor(row.version / 10_000)} runs ${where}; promptmeter needs 15 or newer.`)
  }
}
