import { performance } from 'node:perf_hooks'
import postgres from 'postgres'
import type { PostgresServer } from '../test/helpers/postgres-server.js'
import { percentile } from './statistics.js'

let databases = 0

/** An empty database on the server; answers with its URL. */
export async function createDatabase (server: PostgresServer): Promise<string> {
  const name = `bench_${databases++}`
  await withClient(server.url(), sql => sql.unsafe(`create database ${name}`))
  return server.url(name)
}

/** Opens one connection for as long as the work takes. */
export async function withClient<T> (url: string, work: (sql: postgres.Sql) => PromiseLike<T>): Promise<T> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    return await work(sql)
  } finally {
    await sql.end()
  }
}

/** The server's processes, but for those that come and go by themselves. */
export async function serverPids (url: string): Promise<number[]> {
  const rows = await withClient(url, sql => sql<{ pid: number }[]>`
    select pid from pg_stat_activity where pid <> pg_backend_pid() and backend_type not like 'autovacuum worker%'`)
  return rows.map(({ pid }) => pid)
}

/** Latency of one commit of one row, in milliseconds: one connection, one prepared statement, one after the other. */
export async function measureSingleRowCommits (
  url: string, seconds: number, synchronous = true
): Promise<{ p50Ms: number, p99Ms: number }> {
  const row = 'x'.repeat(400) // About what a row of the usage log takes.
  const durations = await withClient(url, async sql => {
    await sql`create table if not exists single_row_commits (id bigint generated always as identity primary key, content text not null)`
    await sql`select set_config('synchronous_commit', ${synchronous ? 'on' : 'off'}, false)`
    const durationsMs: number[] = []
    for (const endsAt = performance.now() + seconds * 1000; performance.now() < endsAt;) {
      const startedAt = performance.now()
      await sql`insert into single_row_commits (content) values (${row})`
      durationsMs.push(performance.now() - startedAt)
    }
    return durationsMs
  })
  const sorted = Float64Array.from(durations).sort()
  return { p50Ms: percentile(sorted, 0.5), p99Ms: percentile(sorted, 0.99) }
}
