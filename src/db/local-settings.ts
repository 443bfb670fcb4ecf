import type { PendingQuery, Row, Sql, TransactionSql } from 'postgres'

/**
 * Makes each statement, and each transaction, begin with `set local …`. As parameters of the connection the settings
 * would cost nothing more; but a pooler refuses those, or hands the session to another client.
 * @param settings statements without parameters, one or more
 * @returns how many have begun and not ended
 */
export function setLocally (client: Sql, settings: string): () => number {
  let running = 0
  const unsafe = client.unsafe.bind(client)
  const begin = client.begin.bind(client)
  const transact = async <T>(body: Body<T>): Promise<T> => await begin(async transaction => {
    await transaction.unsafe(settings)
    running++
    try {
      return await body(transaction)
    } finally {
      running--
    }
  }) as T
  client.begin = transact as Sql['begin']
  client.unsafe = ((query, parameters, options) => {
    // The library's own BEGIN comes by here too.
    if (options !== undefined && 'onexecute' in options) return unsafe(query, parameters, options)
    const run = async (as: (statement: PendingQuery<Row[]>) => PromiseLike<unknown>): Promise<unknown> =>
      await transact(async transaction => await as(transaction.unsafe(query, parameters, options)))
    return new LocalStatement(run)
  }) as Sql['unsafe']
  return () => running
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
