import { desc, eq, getTableColumns, gte, lt, or, sql, type SQL } from 'drizzle-orm'
import type { Drizzle } from '../../db/client.js'
import { usageLogs } from '../../db/schema/index.js'
import type { UsageLog, UsageLogSummary } from '../schemas/usage-log.js'
import { all, fromMicroseconds, instantNotNull, inUtc, microseconds, usdNumber } from './expressions.js'

export interface UsageLogFilter {
  readonly prompt_type?: string
  /** The response's model or the request's. */
  readonly model?: string
  readonly user?: string
  readonly key_id?: string
  readonly success?: boolean
  readonly status_code?: number
  readonly unpriced?: boolean
  readonly upstream_request_id?: string
  /** Inclusive. */
  readonly from?: string
  /** Exclusive. */
  readonly to?: string
}

/** Where a page ended: its last row's moment, in microseconds since the epoch, and its id. */
export interface UsageLogPlace {
  readonly createdAtUs: number
  readonly id: string
}

export interface UsageLogPage {
  readonly items: UsageLogSummary[]
  /** Where the next page begins; null if there is none. */
  readonly next: UsageLogPlace | null
}

const { prompt, response, user_name: userName, ...plainColumns } = getTableColumns(usageLogs)
const summaryColumns = {
  ...plainColumns,
  created_at: instantNotNull(usageLogs.created_at),
  user: userName,
  cost: usdNumber(usageLogs.cost)
}

/** At most `limit` rows after `after`, newest first. */
export async function listUsageLogs (
  database: Drizzle, filter: UsageLogFilter, limit: number, after: UsageLogPlace | null
): Promise<UsageLogPage> {
  const isAfter = after === null
    ? undefined
    : sql`(${usageLogs.created_at}, ${usageLogs.id}) < (${fromMicroseconds(after.createdAtUs)}, ${after.id}::uuid)`
  const rows = await database
    .select({ ...summaryColumns, created_at_us: microseconds(usageLogs.created_at) })
    .from(usageLogs)
    .where(all(...conditions(filter), isAfter))
    .orderBy(desc(usageLogs.created_at), desc(usageLogs.id))
    .limit(limit + 1)
  const page = rows.slice(0, limit)
  const last = rows.length > limit ? page.at(-1) : undefined
  return {
    items: page.map(({ created_at_us: _us, ...row }) => toUsageLog(row)),
    next: last === undefined ? null : { createdAtUs: last.created_at_us, id: last.id }
  }
}

/** How many rows the filter matches; `ceiling` means that many or more, for counting goes no further. */
export async function countUsageLogs (database: Drizzle, filter: UsageLogFilter, ceiling: number): Promise<number> {
  const counted = database.select({ id: usageLogs.id }).from(usageLogs).where(all(...conditions(filter))).limit(ceiling).as('counted')
  return await database.$count(counted)
}

/** The calls that `unpriced_calls` counts: there was something to price, and no price. */
const isUnpriced = sql`(${usageLogs.cost} is null and ${usageLogs.cost_reason} in ('unknown_model', 'no_usage')
  and (${usageLogs.success} or ${usageLogs.input_tokens} is not null or ${usageLogs.output_tokens} is not null))`

function conditions (filter: UsageLogFilter): (SQL | undefined)[] {
  const { model, unpriced, from, to } = filter
  return [
    is(usageLogs.prompt_type, filter.prompt_type),
    model === undefined ? undefined : or(eq(usageLogs.response_model, model), eq(usageLogs.request_model, model)),
    is(usageLogs.user_name, filter.user),
    is(usageLogs.key_id, filter.key_id),
    is(usageLogs.success, filter.success),
    is(usageLogs.status_code, filter.status_code),
    unpriced === undefined ? undefined : unpriced ? isUnpriced : sql`${isUnpriced} is not true`,
    is(usageLogs.upstream_request_id, filter.upstream_request_id),
    from === undefined ? undefined : gte(usageLogs.created_at, inUtc(from)),
    to === undefined ? undefined : lt(usageLogs.created_at, inUtc(to))
  ]
}

type FilterColumn = typeof plainColumns[keyof typeof plainColumns] | typeof userName

const is = (column: FilterColumn, value: string | number | boolean | undefined): SQL | undefined =>
  value === undefined ? undefined : eq(column, value)

/** The JSON text of a row becomes an object. */
function toUsageLog<T extends { metadata: string | null }> (row: T) {
  return { ...row, metadata: row.metadata === null ? null : JSON.parse(row.metadata) as Record<string, unknown> }
}

/** One row in full. */
export async function findUsageLog (database: Drizzle, id: string): Promise<UsageLog | null> {
  const [row] = await database
    .select({ ...summaryColumns, prompt, response })
    .from(usageLogs)
    .where(all(eq(usageLogs.id, id), ...aroundIdTime(id)))
  return row === undefined ? null : toUsageLog(row)
}

/**
 * A UUIDv7 begins with the 48 bits of its milliseconds (RFC 9562 §5.7), made when the row's `created_at` was: within
 * the hour around it there is one partition to look into, or two at a month's end, and not every month.
 */
function aroundIdTime (id: string): SQL[] {
  if (id[14] !== '7') return []
  const us = Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16) * 1000
  const halfHourUs = 30 * 60 * 1_000_000
  return [gte(usageLogs.created_at, fromMicroseconds(us - halfHourUs)), lt(usageLogs.created_at, fromMicroseconds(us + halfHourUs))]
}
