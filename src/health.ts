import type { FastifyInstance } from 'fastify'
import type { Database } from './db/database.js'
import type { Policy } from './policy/policy.js'
import type { Recorder } from './recording/recorder.js'

export interface HealthDeps {
  readonly database: Database
  readonly policy: Policy
  readonly recorder: Recorder
}

/**
 * `/healthz`: the process is up. `/readyz`: it can serve calls, and which parts are degraded. Neither needs a login.
 */
export function healthRoutes (
  app: FastifyInstance, { database, policy, recorder }: HealthDeps, done: () => void
): void {
  app.get('/healthz', () => ({ status: 'ok' }))
  app.get('/readyz', async () => {
    const pings = [database.ping(), database.pingOperator()]
    const [records, operators] = await Promise.all(pings.map(ping => ping.then(() => true, () => false)))
    const calls = records === true && policy.fresh && !recorder.isUnavailable
    const databaseState = calls && operators === true ? 'ok' : 'degraded'
    const isOk = databaseState === 'ok' && recorder.journalState === 'ok'
    // Calls are served without the database, from the last policy known: degraded is still ready.
    return {
      status: isOk ? 'ok' : 'degraded',
      database: databaseState,
      database_pools: { recording: calls ? 'ok' : 'degraded', operator: operators === true ? 'ok' : 'degraded' },
      journal: recorder.journalState,
      records_pending: recorder.pending
    }
  })
  done()
}
