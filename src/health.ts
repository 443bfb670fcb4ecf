import type { FastifyInstance } from 'fastify'
import type { Database } from './db/client.js'
import type { Policy } from './proxy/policy.js'
import type { GroupCommit } from './recording/group-commit.js'

export interface HealthDeps {
  readonly database: Database
  readonly policy: Policy
  readonly recorder: GroupCommit
}

/** `/healthz`: the process is up. `/readyz`: it can serve calls, and says what of it is degraded. Neither needs a login. */
export function healthRoutes (app: FastifyInstance, { database, policy, recorder }: HealthDeps, done: () => void): void {
  app.get('/healthz', () => ({ status: 'ok' }))
  app.get('/readyz', async () => {
    const answers = await database.ping().then(() => true, () => false)
    const databaseState = answers && policy.fresh && !recorder.failing ? 'ok' : 'degraded'
    // Calls are served without the database, from the last policy known: degraded is still ready.
    return { status: databaseState, database: databaseState, records_pending: recorder.pending }
  })
  done()
}
