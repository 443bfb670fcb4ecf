import { sql } from 'drizzle-orm'
import type { AlertChannel } from '../lib/alert-observer.js'
import type { BudgetPeriod } from '../lib/budget-period.js'
import type { Drizzle } from '../db/database.js'
import { alertDeliveries, budgetAlerts, type DeliveryAttempt } from '../db/schema/index.js'

/**
 * A threshold that was crossed, with what the budget was then. Moments are RFC 3339, amounts exact USD as decimal text.
 */
export interface Alert {
  readonly alertId: string
  readonly budgetId: string
  readonly budgetName: string
  /** Null: all traffic. */
  readonly promptType: string | null
  readonly period: BudgetPeriod
  readonly periodStart: string
  /** Percent of the limit. */
  readonly threshold: number
  readonly action: 'alert' | 'block'
  readonly limitUsd: string
  readonly spentUsd: string
  readonly createdAt: string
}

/** A delivery that this instance may attempt now: until the lease ends, no other instance does. */
export interface Claim extends Alert {
  readonly id: string
  readonly channel: AlertChannel
  readonly target: string
  /** Which attempt this is, from 1: counted when it begins, so that one that is never heard of again counts too. */
  readonly attempt: number
  /** When the first attempt that ended began, milliseconds since the epoch; null if none has. */
  readonly firstAttemptAtMs: number | null
}

const instant = (ms: number) => sql`${new Date(ms).toISOString()}::timestamptz`

/**
 * Claims at most `limit` deliveries that are due. A delivery without an attempt is always due, so that clocks that
 * differ delay nothing. The claim of an instance that dies lapses at `leaseUntilMs`.
 */
export async function claimDeliveries (
  database: Drizzle, nowMs: number, leaseUntilMs: number, limit: number
): Promise<Claim[]> {
  const rows = await database.execute<Claim & Record<string, unknown>>(sql`
    with claimed as (
      update ${alertDeliveries} as delivery set next_attempt_at = ${instant(leaseUntilMs)}, attempt_count = attempt_count + 1
      where id = any (array(
        select id from ${alertDeliveries} where state = 'pending' and (attempt_count = 0 or next_attempt_at <= ${instant(nowMs)})
        order by next_attempt_at, id limit ${limit} for update skip locked
      )) returning delivery.*
    )
    select claimed.id, channel, target, attempt_count as attempt,
      (extract(epoch from (attempts -> 0 ->> 'at')::timestamptz) * 1000)::float8 as "firstAttemptAtMs",
      alert.id as "alertId", budget_id as "budgetId", budget_name as "budgetName", prompt_type as "promptType", period,
      ${utc('period_start')} as "periodStart", threshold, action, limit_usd::text as "limitUsd", spent_usd::text as "spentUsd",
      ${utc('alert.created_at')} as "createdAt"
    from claimed join ${budgetAlerts} as alert on alert.id = claimed.alert_id`)
  return [...rows]
}

const utc = (column: string) => sql`to_char(${sql.raw(column)} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`

/** The result of an attempt, and what happens to the delivery next. */
export type Settlement =
  | { readonly state: 'delivered' | 'failed' }
  | { readonly state: 'pending', readonly nextAttemptAtMs: number }

/**
 * Stores the result of a claimed attempt. If the claim has lapsed and another instance attempts the delivery, the
 * attempt is still stored, and a success counts. After a failure the other instance decides.
 */
export async function settleDelivery (
  database: Drizzle, { id, attempt: number }: Claim, attempt: DeliveryAttempt, settlement: Settlement, nowMs: number
): Promise<void> {
  const { state } = settlement
  const isOwn = sql`${alertDeliveries.attempt_count} = ${number}`
  await database.update(alertDeliveries).set({
    attempts: sql`${alertDeliveries.attempts} || ${JSON.stringify([attempt])}::text::jsonb`,
    ...state === 'delivered'
      ? { state, delivered_at: sql`coalesce(${alertDeliveries.delivered_at}, ${instant(nowMs)})` }
      : { state: sql`case when ${isOwn} then ${state} else ${alertDeliveries.state} end` },
    ...state === 'pending'
      ? {
          next_attempt_at: sql`case when ${isOwn} then ${instant(settlement.nextAttemptAtMs)} else ${alertDeliveries.next_attempt_at} end`
        }
      : {}
  }).where(sql`${alertDeliveries.id} = ${id}`)
}

/** When the next delivery is due, milliseconds since the epoch; null if none waits. */
export async function nextDueMs (database: Drizzle): Promise<number | null> {
  const [row] = await database.execute<{ due: number | null }>(sql`
    select (extract(epoch from min(next_attempt_at)) * 1000)::float8 as due from ${alertDeliveries} where state = 'pending'`)
  return row?.due ?? null
}
