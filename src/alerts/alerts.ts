import type { AlertObserver } from '../lib/alert-observer.js'
import type { Database } from '../db/database.js'
import type { Log } from '../log.js'
import { redactKeys } from '../redaction/redact.js'
import { type Deliver, nextAttemptAtMs } from './alert-attempt.js'
import { type Claim, claimDeliveries, nextDueMs, settleDelivery } from './alert-outbox.js'
import type { Job } from '../lib/scheduled-job.js'

/** The NOTIFY channel of alerts that have just been written (drizzle/0003). */
const ALERTS_CHANNEL = 'promptmeter_alerts'

/** For what a notification misses. */
const POLL_MS = 15_000
/** A delivery that is due but taken by another instance just now is not asked for without a pause. */
const LEAST_WAIT_MS = 100
/** After the database failed: its return is notified of too. */
const RETRY_MS = 60_000
/** How long a claim holds: longer than any attempt. */
const LEASE_MS = 120_000
/** The attempts that are in flight at once. */
const AT_ONCE = 10
/** How long `close` waits for the attempts in flight. */
const CLOSE_MS = 5000
/**
 * How long it then waits for a database that may not answer: what is not written down is tried again when the claim
 * lapses.
 */
const SETTLE_MS = 1000

export interface AlertDeps {
  readonly database: Database
  readonly webhook: Deliver
  /** Null: there is no SMTP server. */
  readonly email: Deliver | null
  /** Called at the end of each attempt. */
  readonly observe: AlertObserver
  readonly log: Log
  /** Wall clock, milliseconds since the epoch. */
  readonly now: () => number
  /** From 0 to 1. */
  readonly random?: () => number
}

/**
 * Attempts every delivery that is due, until none is, and returns how many it attempted. Any number of instances may
 * run it at the same time: each delivery belongs to one instance, until its attempt is stored or its claim lapses.
 * @param stop no more attempts begin
 * @param cut attempts in flight are aborted
 */
export async function deliverDue (deps: AlertDeps, stop: AbortSignal, cut: AbortSignal): Promise<number> {
  let attempted = 0
  while (!stop.aborted) {
    const nowMs = deps.now()
    const claims = await claimDeliveries(deps.database.operator, nowMs, nowMs + LEASE_MS, AT_ONCE)
    if (claims.length === 0) break
    attempted += claims.length
    const results = await Promise.allSettled(claims.map(async claim => await attempt(deps, claim, cut)))
    const failure = results.find(result => result.status === 'rejected')
    if (failure !== undefined) throw failure.reason
  }
  return attempted
}

async function attempt (
  { database, webhook, email, observe, log, now, random = Math.random }: AlertDeps, claim: Claim, cut: AbortSignal
): Promise<void> {
  const deliver = claim.channel === 'webhook' ? webhook : email
  const startedAtMs = now()
  const outcome = deliver === null ? { statusCode: null, error: 'SMTP_URL is not set' } : await deliver(claim, cut)
  const endedAtMs = now()
  const { statusCode } = outcome
  const error = outcome.error === null ? null : redactKeys(outcome.error)
  const attempt = {
    at: new Date(startedAtMs).toISOString(),
    duration_ms: Math.max(0, endedAtMs - startedAtMs),
    status_code: statusCode,
    error
  }
  const fields = {
    delivery: claim.id,
    channel: claim.channel,
    budget: claim.budgetId,
    threshold: claim.threshold,
    attempt: claim.attempt,
    error
  }
  if (error === null) {
    observe(claim.channel, 'delivered')
    await settleDelivery(database.operator, claim, attempt, { state: 'delivered' }, endedAtMs)
    log.info(fields, 'an alert was delivered')
    return
  }
  const dueMs = nextAttemptAtMs(claim, outcome, startedAtMs, endedAtMs, random())
  observe(claim.channel, dueMs === null ? 'failed' : 'retried')
  if (dueMs === null) log.error(fields, 'an alert could not be delivered; it is not tried again')
  else log.warn(fields, 'an alert could not be delivered; it is tried again')
  await settleDelivery(
    database.operator,
    claim,
    attempt,
    dueMs === null ? { state: 'failed' } : { state: 'pending', nextAttemptAtMs: dueMs },
    endedAtMs
  )
}

/**
 * Delivers alerts: now, at each notification, and when the next is due. `close` gives attempts in flight 5 s, then
 * aborts them.
 */
export function scheduleAlerts (deps: AlertDeps): Job {
  const { database, log, now } = deps
  const stop = new AbortController()
  const cut = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | null = null
  let wakes = 0
  const round = async (): Promise<number> => {
    try {
      await deliverDue(deps, stop.signal, cut.signal)
      const dueMs = await nextDueMs(database.operator)
      return dueMs === null ? POLL_MS : Math.min(Math.max(dueMs - now(), LEAST_WAIT_MS), POLL_MS)
    } catch (error) {
      log.error({ err: error }, 'alerts could not be delivered; trying again in a minute')
      return RETRY_MS
    }
  }
  const run = async (): Promise<void> => {
    let waitMs: number
    let seen: number
    do {
      seen = wakes
      waitMs = await round()
    } while (wakes !== seen && !stop.signal.aborted)
    running = null
    if (!stop.signal.aborted) timer = setTimeout(() => { void wake() }, waitMs).unref()
  }
  const wake = async (): Promise<void> => {
    if (stop.signal.aborted) return
    clearTimeout(timer)
    wakes++
    await (running ??= run())
  }
  const firstRun = wake()
  database.listen(ALERTS_CHANNEL, () => { void wake() }).catch((error: unknown) => {
    log.warn({ err: error }, 'no notifications of alerts arrive; new alerts are looked for every 15 s')
  })
  return {
    firstRun,
    close: async () => {
      stop.abort()
      clearTimeout(timer)
      const patience = setTimeout(() => cut.abort(), CLOSE_MS)
      let last: NodeJS.Timeout | undefined
      const end = new Promise<void>(resolve => { last = setTimeout(resolve, CLOSE_MS + SETTLE_MS) })
      await Promise.race([running, end])
      clearTimeout(patience)
      clearTimeout(last)
    }
  }
}
