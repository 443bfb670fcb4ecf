import type { Sql } from 'postgres'

/**
 * Whether a pooler such as PgBouncer is in front of the server: the process that answers is not the one that the
 * connection was made with. Then each transaction may have another session. The state of a session (named statements,
 * LISTEN, settings, session locks) is lost, or belongs to another client.
 */
export async function isPooled (client: Sql): Promise<boolean> {
  const answer = await client.unsafe<{ pid: number }[]>('select pg_backend_pid() as pid')
  return answer[0]?.pid !== answer.state.pid
}
