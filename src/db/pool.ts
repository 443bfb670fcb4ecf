import { setTimeout as sleep } from 'node:timers/promises'
import { drizzle } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import type { Sql, TransactionSql } from 'postgres'
import type { DrizzlePool } from './database.js'
import { driverError, isConnectionLost } from './database-errors.js'
import * as schema from './schema/index.js'

const closedWithinMs = 1000

/** drizzle over a postgres.js client, whose parsers and serializers it replaces: nothing else may use the client. */
export function openPool (client: Sql): DrizzlePool {
  sendAlone(client)
  endWithConnection(client)
  return drizzle(client, { schema })
}

/** The library's own statement and connection, as its hooks show them. */
interface Statement {
  /** Its connection's, once it is sent: an object that every connection has for itself. */
  state: object | null
  readonly reject: (error: Error) => void
}
interface Connection { onclose?: ((error: Error) => void) | null }
interface Hooks { readonly onexecute?: (connection: Connection) => boolean }

/**
 * Makes the client send a statement only on an idle connection, and makes it fail with that connection.
 *
 * postgres.js 3.4 pipelines up to 100 statements per connection. When the connection's socket or queue is full, it
 * sends a BEGIN without reserving the connection: the next statement runs inside a transaction that is never committed.
 * It also treats an idle connection as open between its socket's 'error' and 'close'. A statement sent meanwhile is
 * never answered, or gets an empty result after the reconnect: a batch that was never sent would count as committed.
 *
 * `onexecute` is the library's own hook that runs once a statement is sent; a false result means that the connection
 * accepts no more for now. `onclose` is its hook for transactions. A statement with parameters shows its connection
 * only if it is prepared, so the connections of earlier statements are remembered.
 */
function sendAlone (client: Sql): void {
  const unsafe = client.unsafe.bind(client)
  const connections = new WeakMap<object, Connection>()
  client.unsafe = ((query, parameters, options) => {
    let watched: Connection | undefined
    const fail = (error: Error): void => statement.reject(error)
    const watch = (connection: Connection | undefined): void => {
      watched = connection
      if (connection !== undefined) connection.onclose = fail
    }
    const onexecute = (connection: Connection): boolean => {
      if (statement.state !== null) connections.set(statement.state, connection)
      watch(connection)
      // The library's own BEGIN passes here too, with the hook that sets its connection aside.
      return (options as Hooks | undefined)?.onexecute?.(connection) ?? false
    }
    const pending = unsafe(query, parameters, { ...options, onexecute } as typeof options)
    const statement = pending as unknown as Statement
    let state: object | null = null
    Object.defineProperty(statement, 'state', {
      get: () => state,
      set: (backend: object) => {
        state = backend
        watch(connections.get(backend))
      }
    })
    const settled = (): void => { if (watched?.onclose === fail) watched.onclose = null }
    void Promise.prototype.then.call(pending, settled, settled) // Its own `then` would send it.
    return pending
  }) as Sql['unsafe']
}

/**
 * Makes a transaction end with its connection. By default postgres.js 3.4 sends its ROLLBACK on the connection that was
 * just lost, which ends the process with an error that cannot be caught
 * (https://github.com/porsager/postgres/issues/1208), or on the connection made in its place, outside of any
 * transaction.
 *
 * The library sends ROLLBACK or COMMIT once the transaction's body settles, so here the body of a lost one never does;
 * the library rejects its promise once the connection is closed. Savepoints would need the same; nothing here uses
 * them.
 */
function endWithConnection (client: Sql): void {
  const begin = client.begin.bind(client)
  const transact = async (body: (transaction: TransactionSql) => unknown): Promise<unknown> =>
    await new Promise((resolve, reject) => {
      let isOver = false
      let tellOver = (): void => {}
      const over = new Promise<void>(resolve => { tellOver = resolve })
      const fail = (error: unknown): void => {
        isOver = true
        tellOver()
        reject(error instanceof Error ? error : new Error(String(error)))
      }
      const neverSettles = new Promise<never>(() => {})
      begin(async transaction => {
        const unsafe = transaction.unsafe.bind(transaction)
        transaction.unsafe = (...statement: Parameters<typeof unsafe>) => {
          if (isOver) throw new Error('The connection of this transaction was lost.')
          return unsafe(...statement)
        }
        try {
          const result = await body(transaction)
          return isOver ? await neverSettles : result
        } catch (error) {
        // What Postgres says, it says on a connection that goes on. Any other such error may be this connection's,
        // which then is closed at once, or that of something else the body did.
          const mayBeLost = isConnectionLost(error) && !(driverError(error) instanceof postgres.PostgresError)
          if (mayBeLost) await Promise.race([over, sleep(closedWithinMs, undefined, { ref: false })])
          if (!isOver) throw error
          return await neverSettles
        }
      }).then(resolve, fail)
    })
  client.begin = transact as Sql['begin']
}
