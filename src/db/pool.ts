import { setTimeout as sleep } from 'node:timers/promises'
import { drizzle } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import type { Sql, TransactionSql } from 'postgres'
import type { DrizzlePool } from './client.js'
import { driverError, isConnectionLost } from './connection-lost.js'
import * as schema from './schema/index.js'

const closedWithinMs = 1000

/** drizzle over a postgres.js client, whose parsers and serializers it replaces: nothing else may use the client. */
export function openPool (client: Sql): DrizzlePool {
  neverSendAhead(client)
  endWithConnection(client)
  return drizzle(client, { schema })
}

/**
 * Makes the client send a statement only on an idle connection. Left to itself, postgres.js 3.4 sends up to a hundred
 * ahead on a busy one, and when that connection's socket or its queue is full, it sends a BEGIN without setting the
 * connection aside for its transaction: whatever comes next runs inside a transaction that nobody commits.
 *
 * `onexecute` is the library's own hook for what happens once a statement is sent; a false answer means that the
 * connection takes no more for now.
 */
function neverSendAhead (client: Sql): void {
  const unsafe = client.unsafe.bind(client)
  const onexecute = (): boolean => false
  client.unsafe = (query, parameters, options) => {
    // The library's own BEGIN comes by here too, with the hook that sets its connection aside.
    const alone = { onexecute, ...options }
    return unsafe(query, parameters, alone)
  }
}

/**
 * Makes a transaction end with its connection. Left to itself, postgres.js 3.4 sends its ROLLBACK on the connection that was
 * just lost, which ends the process with an error that nobody can catch (https://github.com/porsager/postgres/issues/1208),
 * or on the connection made in its place, outside of any transaction.
 *
 * The library sends ROLLBACK or COMMIT once the transaction's body settles, so here the body of a lost one never does; its
 * caller is told by the library once the connection is closed. Savepoints would need
 * the same; nothing here uses them.
 */
function endWithConnection (client: Sql): void {
  const begin = client.begin.bind(client)
  const transact = async (body: (transaction: TransactionSql) => unknown): Promise<unknown> => await new Promise((resolve, reject) => {
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
        // What Postgres says, it says on a connection that goes on. Any other such error may be this connection's, which then
        // is closed at once, or that of something else the body did.
        const mayBeLost = isConnectionLost(error) && !(driverError(error) instanceof postgres.PostgresError)
        if (mayBeLost) await Promise.race([over, sleep(closedWithinMs, undefined, { ref: false })])
        if (!isOver) throw error
        return await neverSettles
      }
    }).then(resolve, fail)
  })
  client.begin = transact as Sql['begin']
}
