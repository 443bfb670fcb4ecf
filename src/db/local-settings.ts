import { performance } from 'node:perf_hooks'
import type { PendingQuery, Row, Sql, TransactionSql } from 'postgres'

/** The transactions of a pool that have begun and not ended. */
export interface AtWork {
  readonly transactions: () => number
  /** When one of them last began, sent a statement, or ended: monotonic milliseconds. */
  readonly movedAtMs: () => number
}

/**
 * Makes each statement, and each transaction, begin with `set local …`. As parameters of the connection the settings
 * would cost nothing; but a pooler rejects those, or gives the session to another client.
 * @param settings statements without parameters, one or more
 */
export function setLocally (client: Sql, settings: string): AtWork {
  let running = 0
  let movedAtMs = performance.now()
  const moved = (): void => { movedAtMs = performance.now() }
  const unsafe = client.unsafe.bind(client)
  const begin = client.begin.bind(client)
  const transact = async <T>(body: Body<T>): Promise<T> => await begin(async transaction => {
    await transaction.unsafe(settings)
    const send = transaction.unsafe.bind(transaction)
    transaction.unsafe = (...statement: Parameters<typeof send>) => {
      moved() // The one before is through.
      return send(...statement)
    }
    running++
    moved()
    try {
      return await body(transaction)
    } finally {
      running--
      moved()
    }
  }) as T
  client.begin = transact as Sql['begin']
  client.unsafe = ((query, parameters, options) => {
    // The library's own BEGIN passes here too.
    if (options !== undefined && 'onexecute' in options) return unsafe(query, parameters, options)
    const run = async (as: (statement: PendingQuery<Row[]>) => PromiseLike<unknown>): Promise<unknown> =>
      await transact(async transaction => await as(transaction.unsafe(query, parameters, options)))
    return new LocalStatement(run)
  }) as Sql['unsafe']
  return { transactions: () => running, movedAtMs: () => movedAtMs }
}

type Body<T> = (transaction: TransactionSql) => Promise<T>
type Answer<A, Given> = ((given: Given) => A | PromiseLike<A>) | null
type Run = (as: (statement: PendingQuery<Row[]>) => PromiseLike<unknown>) => Promise<unknown>

/** A statement in a transaction of its own, sent when it is awaited. Of the library's own it has what drizzle uses. */
class LocalStatement implements PromiseLike<unknown> {
  readonly #run: Run
  #rows: Promise<unknown> | null = null

  constructor (run: Run) {
    this.#run = run
  }

  /** Rows as arrays. */
  values (): Promise<unknown> {
    return this.#run(statement => statement.values())
  }

  then<A = unknown, B = never> (fulfilled?: Answer<A, unknown>, rejected?: Answer<B, unknown>): Promise<A | B> {
    return this.#sent().then(fulfilled, rejected)
  }

  catch<B = never> (rejected?: Answer<B, unknown>): Promise<unknown> {
    return this.then(undefined, rejected)
  }

  finally (done?: (() => void) | null): Promise<unknown> {
    return this.#sent().finally(done)
  }

  #sent (): Promise<unknown> {
    return (this.#rows ??= this.#run(statement => statement))
  }
}
