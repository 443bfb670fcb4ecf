import type { Deliver } from './alerts/alert-attempt.js'
import { webhookDelivery } from './alerts/alert-webhook.js'
import { scheduleAlerts } from './alerts/alerts.js'
import { loadWebhookSecret } from './alerts/webhook-secret.js'
import type { Database } from './db/database.js'
import { POLICY_CHANNEL } from './db/policy-store.js'
import type { Config } from './env.js'
import { schedulePartitions } from './jobs/partitions.js'
import { scheduleRecordedBatches } from './jobs/recorded-batches.js'
import { scheduleRetention } from './jobs/retention.js'
import { scheduleSummaries } from './jobs/summaries.js'
import type { AlertObserver } from './lib/alert-observer.js'
import type { Job } from './lib/scheduled-job.js'
import type { Log } from './log.js'
import type { Policy } from './policy/policy.js'

export interface JobsDeps {
  readonly config: Config
  readonly database: Database
  readonly log: Log
  /** Wall clock, milliseconds since the epoch. */
  readonly now: () => number
}

/** Starts what listens to the database, and what runs in it by the clock. An unavailable one can wait for both. */
export async function startJobs (
  { config, database, log, now }: JobsDeps, policy: Pick<Policy, 'fresh' | 'heard'>, observe: AlertObserver
): Promise<Pick<Job, 'close'>> {
  const listening = database.listen(POLICY_CHANNEL, () => policy.heard())
  listening.catch(() => {}) // Handled below: until then its failure must not count as unhandled.
  const partitions = schedulePartitions(database.operator, log, now)
  const recordedBatches = scheduleRecordedBatches(database.operator, log, now)
  const summaries = scheduleSummaries(database.operator, log, now)
  const retention = scheduleRetention(
    database.operator, { logs: config.logRetentionDays, payloads: config.payloadRetentionDays }, log, now
  )
  const alerts = scheduleAlerts({
    database,
    webhook: webhookDelivery({
      secret: await loadWebhookSecret(config.webhookSecret, config.dataDir),
      allowPrivate: config.webhookAllowPrivate,
      now
    }),
    email: await loadEmailDelivery(config),
    observe,
    log,
    now
  })
  // Making a partition locks the log for a moment: not under the first calls.
  if (policy.fresh) await Promise.all([listening, partitions.firstRun])
  else {
    listening.catch((error: unknown) =>
      log.warn({ err: error }, 'no notifications of policy changes; the gateway polls for them every half second'))
  }
  const jobs = [partitions, recordedBatches, summaries, retention, alerts]
  return { close: async () => { await Promise.all(jobs.map(job => job.close())) } }
}

/** Null where e-mail is not configured: then 4 MB of mail library are not loaded either. */
async function loadEmailDelivery ({ smtpUrl, alertEmailFrom }: Config): Promise<Deliver | null> {
  if (smtpUrl === null || alertEmailFrom === null) return null
  const { emailDelivery } = await import('./alerts/alert-email.js')
  return emailDelivery({ smtpUrl, from: alertEmailFrom })
}
