import type { Sql } from 'postgres'

/**
 * Whether a pooler stands before the server, such as PgBouncer: the process that answers is not the one that the
 * connection was made with. Behind one, each transaction may have another session. What a session keeps (named
 * statements, LISTEN, settings, session locks) is then lost, or another client's.
 */
export async function isPooled (client: Sql): Promise<boolean> {
  const answer = await client.unsafe<{ pid: number }[]>('select pg_backend_pid() as pid')
  return answer[0]?.pid !== answer.state.pid
}
