import { asc, desc, gt, max, min, sql, sum } from 'drizzle-orm'
import type { Drizzle } from '../../db/database.js'
import { usageLogs, usageRollups } from '../../db/schema/index.js'
import { type KeysetPage, pageOf } from '../keyset-page.js'
import { instantNotNull } from './expressions.js'
import { isUnpriced } from './usage-logs.js'

/** A model with calls that have no cost although they should. */
export interface UnpricedModelRow {
  readonly model: string
  readonly unpriced_calls: number
  /** Hours, RFC 3339 UTC. */
  readonly since: string
  readonly last_seen: string
}

/** The last model of a page. */
export type UnpricedModelPlace = readonly [unpricedCalls: number, model: string]

/**
 * At most `limit` models after `after`, those with most such calls first. Reads the rollups, so it covers all calls,
 * of inactive types too.
 */
export async function listUnpricedModels (
  database: Drizzle, limit: number, after: UnpricedModelPlace | null
): Promise<KeysetPage<UnpricedModelRow, UnpricedModelPlace>> {
  const model = usageRollups.model
  const calls = sum(usageRollups.unpriced_calls)
  const unpriced = database
    .select({
      model,
      unpriced_calls: calls.mapWith(Number),
      since: instantNotNull(sql`${min(usageRollups.hour)}`),
      last_seen: instantNotNull(sql`${max(usageRollups.hour)}`)
    })
    .from(usageRollups).where(gt(usageRollups.unpriced_calls, 0)).groupBy(model)
  const rows = await unpriced
    .having(after === null ? undefined : sql`(-${calls}, ${model}) > (${-after[0]}, ${after[1]})`)
    .orderBy(desc(calls), asc(model))
    .limit(limit + 1)
  return pageOf(rows, limit, (row): UnpricedModelPlace => [row.unpriced_calls, row.model])
}

export async function countUnpricedModels (database: Drizzle): Promise<number> {
  const counted = database.selectDistinct({ model: usageRollups.model }).from(usageRollups)
    .where(gt(usageRollups.unpriced_calls, 0)).as('counted')
  return await database.$count(counted)
}

/**
 * When the first unpriced call of each of these models began, as far as the usage log contains it; RFC 3339 UTC, by
 * model. Reads only the hours in which the first calls finished, each once.
 */
export async function firstUnpricedCalls (
  database: Drizzle, models: ReadonlyArray<Pick<UnpricedModelRow, 'model' | 'since'>>
): Promise<ReadonlyMap<string, string>> {
  if (models.length === 0) return new Map()
  const model = sql`coalesce(${usageLogs.response_model}, ${usageLogs.request_model}, '')`
  const asked = JSON.stringify(models.map(({ model, since }) => ({ model, since })))
  const rows = await database.execute<{ model: string, began_at: string }>(sql`
    with asked as (select * from jsonb_to_recordset(${asked}::text::jsonb) as asked (model text, since timestamptz)),
      began as (
        select hours.since, ${model} as model, min(${usageLogs.created_at} - ${usageLogs.duration_ms} * interval '1 millisecond') as began_at
        from (select distinct since from asked) as hours
        join ${usageLogs} on ${usageLogs.created_at} >= hours.since and ${usageLogs.created_at} < hours.since + interval '1 hour'
        where ${isUnpriced} group by 1, 2)
    select model, ${instantNotNull(sql`began_at`)} as began_at from began join asked using (model, since)`)
  return new Map(rows.map(row => [row.model, row.began_at]))
}
