import { eq, gte, lt, sql, type SQL } from 'drizzle-orm'
import type { Drizzle } from '../../db/database.js'
import { gatewaySettings, staleDays, usageRollups, usageSummaries } from '../../db/schema/index.js'
import { all } from '../queries/expressions.js'
import { type CostPiece, costPieces, type Grain, type SummaryState } from './cost-range-plan.js'
import { type CostInterval, type CostRange, DAY_MS } from './cost-range.js'

/** What costs are grouped by; `all` is one sum. */
export type CostDimension = 'all' | 'prompt_type' | 'model' | 'user'

/**
 * Sums of one group in one bucket, as the database returns them. Reading a value for each count would double the time.
 */
export interface CostSum {
  /** A prompt type, model or user; '' of `all`, and where a call named none. */
  readonly group: string
  /** Start of the bucket, milliseconds since the epoch; null where there is one bucket for all time. */
  readonly bucketMs: number | null
  /** Exact decimal text. */
  readonly costUsd: string
  /** `COUNTS` in their order, with a blank between them. */
  readonly counts: string
}

/** The counts of calls; durations are milliseconds of all calls together. */
export const COUNTS = [
  'calls', 'failed_calls', 'blocked_calls', 'unpriced_calls', 'input_tokens', 'cached_input_tokens', 'output_tokens',
  'duration_ms'
] as const

export interface CostQuestion {
  readonly range: CostRange
  readonly dimension: CostDimension
  readonly interval: CostInterval
  /** Of this prompt type alone. */
  readonly promptType?: string
  /** Of these groups alone. */
  readonly groups?: readonly string[]
  /** Not more groups, or sums, than these. */
  readonly most: number
}

/** Groups of 10,000 prompt types do not fit into what a sort or hash may take by default, and would go by the disk. */
const WORK_MEM = '64MB'

/** Of each database, when the last of those that wait for their turn is done. */
const turns = new WeakMap<Drizzle, Promise<unknown>>()

/**
 * Runs the work over one snapshot of the books, for any number of queries. Runs one after the other: a page of the
 * console asks five such queries at once, which would take all processors from the calls.
 */
export async function inSnapshot<T> (database: Drizzle, work: (snapshot: Drizzle) => Promise<T>): Promise<T> {
  const turn = async (): Promise<T> => await database.transaction(async snapshot => {
    await snapshot.execute(sql.raw(`set local work_mem = '${WORK_MEM}'`))
    return await work(snapshot)
  }, { isolationLevel: 'repeatable read', accessMode: 'read only' })
  const done = (turns.get(database) ?? Promise.resolve()).then(turn)
  turns.set(database, done.catch(() => {})) // Its caller gets the error.
  return await done
}

/** The days of the range for which the summaries agree with the rollups. */
export async function readSummaryState (snapshot: Drizzle, { fromMs, toMs }: CostRange): Promise<SummaryState> {
  const [settings] = await snapshot.select({ summarisedTo: gatewaySettings.summarised_to }).from(gatewaySettings)
  const rows = await snapshot.select().from(staleDays)
    .where(all(gte(staleDays.day, dateOf(fromMs)), lt(staleDays.day, dateOf(toMs + DAY_MS))))
  return {
    summarisedToMs: settings?.summarisedTo == null ? null : Date.parse(settings.summarisedTo),
    staleDays: new Set(rows.map(({ day }) => Date.parse(day)))
  }
}

/**
 * The groups with the greatest cost, that one first. Only the cost of every group is summed, which takes half the
 * time.
 */
export async function greatestGroups (
  snapshot: Drizzle, state: SummaryState, question: Omit<CostQuestion, 'interval' | 'groups'>
): Promise<string[]> {
  const parts = partsOf(state, { ...question, interval: 'none' })
  const rows = await snapshot.execute<{ group: string }>(sql`
    select "group" from (${sql.join(parts, sql` union all `)}) as sums group by "group" order by sum(cost) desc, "group" limit ${question.most}`)
  return rows.map(({ group }) => group)
}

/** What a group cost in a period and in the one before. */
export interface CostChange {
  readonly group: string
  /** USD in the period, in the one before, and by how much the first is the greater one. */
  readonly cost: number
  readonly previousCost: number
  readonly change: number
  readonly calls: number
  readonly previousCalls: number
}

/** Which changes are asked for: increases, decreases, or both. */
export type CostDirection = 'up' | 'down' | 'both'

const IS_IN_DIRECTION: Record<CostDirection, SQL> = {
  up: sql`sum(cost) > 0`, down: sql`sum(cost) < 0`, both: sql`true`
}

/**
 * The groups whose cost changed most since the period before, that one first. As above, only the change of every group
 * is summed.
 */
export async function greatestChanges (
  snapshot: Drizzle, state: SummaryState, before: CostRange, question: Omit<CostQuestion, 'interval' | 'groups'>, direction: CostDirection = 'both'
): Promise<CostChange[]> {
  const ofPeriod = (range: CostRange, sign: '+' | '-'): SQL =>
    sql`select "group", ${sql.raw(sign)}cost as cost from (${sql.join(partsOf(state, { ...question, range, interval: 'none' }), sql` union all `)}) as part`
  const changed = await snapshot.execute<{ group: string, change: number }>(sql`
    select "group", sum(cost)::float8 as change
    from (${ofPeriod(question.range, '+')} union all ${ofPeriod(before, '-')}) as changes group by "group"
    having ${IS_IN_DIRECTION[direction]} order by abs(sum(cost)) desc, "group" limit ${question.most}`)
  const groups = changed.map(({ group }) => group)
  const figuresIn = async (range: CostRange): Promise<ReadonlyMap<string, CostSum>> =>
    new Map(
      (await sumCosts(snapshot, state, { ...question, range, interval: 'none', groups })).map(sum => [sum.group, sum])
    )
  const [now, previous] = [await figuresIn(question.range), await figuresIn(before)]
  return changed.map(({ group, change }) => ({
    group,
    cost: Number(now.get(group)?.costUsd ?? 0),
    previousCost: Number(previous.get(group)?.costUsd ?? 0),
    change,
    calls: callsOf(now.get(group)),
    previousCalls: callsOf(previous.get(group))
  }))
}

const callsOf = (sum: CostSum | undefined): number => parseInt(sum?.counts ?? '0')

/** The sums of each group and bucket in which there were calls. */
export async function sumCosts (snapshot: Drizzle, state: SummaryState, question: CostQuestion): Promise<CostSum[]> {
  const { interval, most } = question
  const isWhole = comesWhole(interval)
  const everything = sql`(${sql.join(partsOf(state, question), sql` union all `)}) as sums`
  return [...await snapshot.execute<CostSum & Record<string, unknown>>(sql`
    select "group", date_part('epoch', bucket) * 1000 as "bucketMs", sums.cost::text as "costUsd", concat_ws(' ', ${counts}) as counts
    from ${isWhole ? everything : sql`(select "group", bucket, ${summed} from ${everything} group by "group", bucket) as sums`} limit ${most}`)]
}

/** Days are cut at their ends, so that of a day or an hour one piece has all. */
const comesWhole = (interval: CostInterval): boolean => interval === 'day' || interval === 'hour'

/** What is to be summed up, from the rows that say it in the fewest: a query for each piece of the range. */
function partsOf (state: SummaryState, question: CostQuestion): SQL[] {
  const { range, dimension, interval, promptType } = question
  // A type's calls by model or user are in the rollups only; of a type by itself they are a row of a summary.
  const isOneType = promptType !== undefined && (dimension === 'all' || dimension === 'prompt_type')
  const summary = isOneType ? 'prompt_type' : promptType === undefined ? dimension : null
  const pieces = costPieces(range, summary === null ? [] : grainsOf(interval, summary), state)
  return pieces.map(piece => {
    const part = piece.source === 'rollups'
      ? rollupPart(piece, question)
      : summaryPart(piece, summary ?? 'all', question)
    const isFiner = piece.source === 'rollups' || (piece.source === 'hour' && interval === 'day')
    return comesWhole(interval) && isFiner
      ? sql`select "group", bucket, ${summed} from (${part}) as part group by "group", bucket`
      : part
  })
}

/** The summaries whose rows each fall into one bucket, the coarsest first. Of hours there are none by prompt type. */
function grainsOf (interval: CostInterval, summary: CostDimension): Grain[] {
  const hours: Grain[] = summary === 'prompt_type' ? [] : ['hour']
  switch (interval) {
    case 'none': return ['quarter', 'month', 'week', 'day', ...hours]
    case 'month': return ['month', 'week', 'day', ...hours]
    case 'week': return ['week', 'day', ...hours]
    case 'day': return ['day', ...hours]
    case 'hour': return hours
  }
}

const counts = sql.raw(COUNTS.join(', '))
const columns = sql`${counts}, cost`
// The sum of bigints is numeric, and a sixth slower than that of floats, which are exact up to 2^53, as JSON's numbers
// are for who reads them.
const summed =
  sql`${sql.raw(COUNTS.map(column => `sum(${column}::float8)::bigint as ${column}`).join(', '))}, sum(cost) as cost`

function summaryPart (
  { source, fromMs, toMs }: CostPiece, summary: CostDimension, { dimension, interval, promptType, groups }: CostQuestion
): SQL {
  const isHour = source === 'hour'
  const group = dimension === 'all' ? sql`''` : isHour ? sql`substr(key, 4)` : sql`key`
  const time = isHour ? sql`bucket::timestamp + left(key, 2)::int * interval '1 hour'` : sql`bucket::timestamp`
  const isWholeDays = fromMs % DAY_MS === 0 && toMs % DAY_MS === 0
  return sql`select ${group} as "group", ${source === interval ? time : bucketOf(interval, time)} as bucket, ${columns} from ${usageSummaries}
    where grain = ${source} and dimension = ${summary} and bucket >= ${dateOf(fromMs)}::date and bucket <= ${dateOf(toMs - 1)}::date
    and ${isWholeDays ? sql`true` : sql`${time} >= ${momentOf(fromMs)}::timestamp and ${time} < ${momentOf(toMs)}::timestamp`}
    and ${promptType === undefined ? sql`true` : eq(usageSummaries.key, promptType)} and ${groups === undefined ? sql`true` : isOneOf(group, groups)}`
}

const rollupColumns: Record<CostDimension, SQL> = {
  all: sql`''`, prompt_type: sql`prompt_type`, model: sql`model`, user: sql`user_name`
}

function rollupPart ({ fromMs, toMs }: CostRange, { dimension, interval, promptType, groups }: CostQuestion): SQL {
  const group = rollupColumns[dimension]
  const time = sql`hour at time zone 'UTC'`
  return sql`select ${group} as "group", ${interval === 'hour' ? time : bucketOf(interval, time)} as bucket, ${columns} from ${usageRollups}
    where hour >= ${new Date(fromMs).toISOString()}::timestamptz and hour < ${new Date(toMs).toISOString()}::timestamptz
    and ${promptType === undefined ? sql`true` : eq(usageRollups.prompt_type, promptType)}
    and ${groups === undefined ? sql`true` : isOneOf(group, groups)}`
}

/** Moments without a zone are UTC's here. `date_trunc` begins weeks on Monday, as ISO 8601 does. */
const bucketOf = (interval: CostInterval, time: SQL): SQL =>
  interval === 'none' ? sql`null::timestamp` : sql`date_trunc(${sql.raw(`'${interval}'`)}, ${time})`

const isOneOf = (column: SQL, names: readonly string[]): SQL =>
  sql`${column} = any(array(select jsonb_array_elements_text(${JSON.stringify(names)}::text::jsonb)))`

const momentOf = (timeMs: number): string => new Date(timeMs).toISOString().slice(0, -1)
const dateOf = (timeMs: number): string => new Date(timeMs).toISOString().slice(0, 10)
