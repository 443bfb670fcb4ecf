import { drizzle } from 'drizzle-orm/postgres-js'
import type { Sql } from 'postgres'
import type { DrizzlePool } from './client.js'
import * as schema from './schema/index.js'

/** drizzle over a postgres.js client, whose parsers and serializers it replaces: nothing else may use the client. */
export function openPool (client: Sql): DrizzlePool {
  neverSendAhead(client)
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
