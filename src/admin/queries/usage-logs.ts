import { performance } from 'node:perf_hooks'
import { eq, getTableColumns, gte, inArray, lt, or, sql, type SQL } from 'drizzle-orm'
import type { Drizzle } from '../../db/database.js'
import { usageLogs } from '../../db/schema/index.js'
import { shownObject } from '../../lib/stored-object.js'
import type { KeysetPage } from '../keyset-page.js'
import type { UsageLog, UsageLogSummary } from '../schemas/usage-log.js'
import { all, exactUsd, fromMicroseconds, instantNotNull, inUtc, microseconds } from './expressions.js'
import { isAfter, isUpTo, newestFirst, newestFirstPage, type NewestFirstPlace } from './newest-first.js'

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

/** A row as the database has it: money as exact decimal text, metadata as JSON text. */
export type UsageLogRow = Omit<UsageLogSummary, 'cost' | 'metadata'> & {
  cost: string | null, metadata: string | null, payload_bytes: number
}

const { prompt, response, usage_details: _details, user_name: userName, ...plainColumns } = getTableColumns(usageLogs)
const summaryColumns = {
  ...plainColumns,
  created_at: instantNotNull(usageLogs.created_at),
  user: userName,
  cost: exactUsd(usageLogs.cost)
}

/** The limits of a search through rows that no index finds. */
export interface SearchBounds {
  /** Rows that are read per query: other queries run in between. */
  readonly windowRows: number
  /** After this time no further query begins. */
  readonly budgetMs: number
}

const BOUNDS: SearchBounds = { windowRows: 20_000, budgetMs: 500 }
/** Shorter than for the rows: a count is worth less waiting. */
const COUNT_BOUNDS: SearchBounds = { ...BOUNDS, budgetMs: 250 }

/**
 * At most `limit` rows after `after`, newest first. A search for something rare without an index may return fewer: it
 * ends after a time limit, and `next` is how far it came.
 */
export async function listUsageLogRows (
  database: Drizzle, filter: UsageLogFilter, limit: number, after: NewestFirstPlace | null, bounds = BOUNDS
): Promise<KeysetPage<UsageLogRow, NewestFirstPlace>> {
  const rows: Array<UsageLogRow & { created_at_us: number }> = []
  const searchedTo = await inWindows(database, filter, after, bounds, async isInWindow => {
    rows.push(...await readRows(database, isInWindow, limit + 1 - rows.length))
    return rows.length > limit
  })
  const { items, next } = newestFirstPage(rows, limit)
  return { items, next: next ?? searchedTo }
}

/** As `listUsageLogRows`, as the JSON bodies have them. */
export async function listUsageLogs (
  database: Drizzle, filter: UsageLogFilter, limit: number, after: NewestFirstPlace | null, bounds = BOUNDS
): Promise<KeysetPage<UsageLogSummary, NewestFirstPlace>> {
  const { items, next } = await listUsageLogRows(database, filter, limit, after, bounds)
  return { items: items.map(toUsageLog), next }
}

const readRows = async (
  database: Drizzle, where: SQL, limit: number
): Promise<Array<UsageLogRow & { created_at_us: number }>> => await database
  .select({
    ...summaryColumns,
    payload_bytes: sql<number>`coalesce(octet_length(${prompt}), 0) + coalesce(octet_length(${response}), 0)`,
    created_at_us: microseconds(usageLogs.created_at)
  })
  .from(usageLogs)
  .where(where)
  .orderBy(...newestFirst(usageLogs))
  .limit(limit)

export interface UsageLogCount {
  readonly total: number
  /** False: there are that many or more. */
  readonly isExact: boolean
}

/** The number of rows that the filter matches. Counting ends at `ceiling`, or after the time limit of a search. */
export async function countUsageLogs (
  database: Drizzle, filter: UsageLogFilter, ceiling: number, bounds = COUNT_BOUNDS
): Promise<UsageLogCount> {
  let total = 0
  const left = await inWindows(database, filter, null, bounds, async isInWindow => {
    const counted = database.select({ id: usageLogs.id }).from(usageLogs).where(isInWindow).limit(ceiling - total)
      .as('counted')
    total += await database.$count(counted)
    return total >= ceiling
  })
  return { total, isExact: left === null && total < ceiling }
}

/**
 * Calls `look` with the condition of one window of rows after another, from `after` on, until it has seen enough
 * (true), there are no more rows, or the time is up. Answers with how far it came in the last case; null otherwise.
 * What indexes find is one window without an end.
 */
async function inWindows (
  database: Drizzle, filter: UsageLogFilter, after: NewestFirstPlace | null, { windowRows, budgetMs }: SearchBounds,
  look: (isInWindow: SQL) => Promise<boolean>
): Promise<NewestFirstPlace | null> {
  const { indexed, sifted } = conditions(filter)
  const startedAt = performance.now()
  for (let place = after; ;) {
    const isLeft = isAfter(usageLogs, place)
    const end = sifted.length === 0 ? null : await placeOfRow(database, all(...indexed, isLeft), windowRows)
    const isEnough = await look(all(...indexed, ...sifted, isLeft, isUpTo(usageLogs, end)))
    if (isEnough || end === null) return null
    if (performance.now() - startedAt > budgetMs) return end
    place = end
  }
}

/** The place of the row of that number; null if there are fewer. */
async function placeOfRow (database: Drizzle, where: SQL, number: number): Promise<NewestFirstPlace | null> {
  const [row] = await database.select({ createdAtUs: microseconds(usageLogs.created_at), id: usageLogs.id })
    .from(usageLogs).where(where).orderBy(...newestFirst(usageLogs)).offset(number - 1).limit(1)
  return row === undefined ? null : [row.createdAtUs, row.id]
}

/** The calls that `unpriced_calls` counts: they should have a cost but have none. Written as in its index. */
export const isUnpriced = sql`(${usageLogs.cost} is null and ${usageLogs.cost_reason} <> 'not_metered' and ${usageLogs.cost_reason} in ('unknown_model', 'no_usage')
  and (${usageLogs.success} or ${usageLogs.input_tokens} is not null or ${usageLogs.output_tokens} is not null))`

/** What the filter asks for: what an index finds, and what rows have to be looked at for. */
function conditions (filter: UsageLogFilter): { indexed: SQL[], sifted: SQL[] } {
  const { model, success, unpriced, from, to } = filter
  const indexed = [
    is(usageLogs.prompt_type, filter.prompt_type),
    success === false ? sql`not ${usageLogs.success}` : undefined,
    unpriced === true ? isUnpriced : undefined,
    is(usageLogs.upstream_request_id, filter.upstream_request_id),
    from === undefined ? undefined : gte(usageLogs.created_at, inUtc(from)),
    to === undefined ? undefined : lt(usageLogs.created_at, inUtc(to))
  ]
  const sifted = [
    model === undefined ? undefined : or(eq(usageLogs.response_model, model), eq(usageLogs.request_model, model)),
    is(usageLogs.user_name, filter.user),
    is(usageLogs.key_id, filter.key_id),
    success === true ? sql`${usageLogs.success}` : undefined,
    is(usageLogs.status_code, filter.status_code),
    unpriced === false ? sql`${isUnpriced} is not true` : undefined
  ]
  const asked = (conditions: Array<SQL | undefined>): SQL[] => conditions.filter(condition => condition !== undefined)
  return { indexed: asked(indexed), sifted: asked(sifted) }
}

type FilterColumn = typeof plainColumns[keyof typeof plainColumns] | typeof userName

const is = (column: FilterColumn, value: string | number | boolean | undefined): SQL | undefined =>
  value === undefined ? undefined : eq(column, value)

/** Exact text becomes the nearest number, JSON text an object. */
export function toUsageLog<T extends {
  cost: string | null, metadata: string | null, payload_bytes?: number
}> ({ payload_bytes: _bytes, ...row }: T) {
  return {
    ...row,
    cost: row.cost === null ? null : Number(row.cost),
    metadata: shownObject(row.metadata)
  }
}

/** Prompt and response of these rows, by id. */
export async function readPayloads (database: Drizzle, rows: readonly UsageLogRow[]): Promise<ReadonlyMap<string, {
  prompt: string | null, response: string | null
}>> {
  const times = rows.map(row => row.created_at).sort()
  const found = await database.select({ id: usageLogs.id, prompt, response }).from(usageLogs).where(all(
    inArray(usageLogs.id, rows.map(row => row.id)),
    // The partitions that they lie in; the text of a time has lost its microseconds.
    gte(usageLogs.created_at, times[0] ?? ''), lt(
      usageLogs.created_at, sql`${times.at(-1) ?? ''}::timestamptz + interval '1 millisecond'`
    )))
  return new Map(found.map(({ id, ...payload }) => [id, payload]))
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
  return [
    gte(usageLogs.created_at, fromMicroseconds(us - halfHourUs)),
    lt(usageLogs.created_at, fromMicroseconds(us + halfHourUs))
  ]
}
