import { sql, type SQL } from 'drizzle-orm'
import { lockKeys } from '../db/advisory-locks.js'
import type { Drizzle } from '../db/database.js'
import { gatewaySettings, staleDays, usageRollups, usageSummaries } from '../db/schema/index.js'
import type { Log } from '../log.js'
import { type Job, repeatedly } from '../lib/scheduled-job.js'

// The rollups of a day are summed up into `usage_summaries` once the day is over (docs/decisions/0012-summaries.md).
//
//   gateway_settings.summarised_to   hours before it are summed up, or their day is in usage_summaries_stale
//   usage_summaries_stale            days to sum up (again); a write into an hour before summarised_to puts its
//                                    day here in the same transaction, and locks it if it is there already
//
// So who reads both and the summaries in one snapshot knows for each day whether its summaries say what its rollups
// say.

const EVERY_MS = 5 * 60_000
/** Batches of a day's last calls come in a little later. What comes later still makes its day stale. */
const MARGIN_MS = 15 * 60_000
/** Batches queue up while the job waits for those in flight: at most as long as a call may wait for its record. */
const LOCK_TIMEOUT = '200ms'

/**
 * Marks the days that ended before `nowMs` as summarised, and as stale. The lock waits for every batch that is writing
 * into the rollups, and holds new ones back: no batch can have seen the old date and still have to commit.
 */
export async function advanceSummaries (database: Drizzle, nowMs: number): Promise<void> {
  const to = new Date(nowMs - MARGIN_MS).toISOString().slice(0, 10)
  await database.transaction(async tx => {
    await tx.execute(sql.raw(`set local lock_timeout = '${LOCK_TIMEOUT}'`))
    if (!await isAlone(tx)) return
    const [settings] = await tx.execute<{ from: string | null, isDone: boolean }>(sql`
      select summarised_to::text as from, coalesce(summarised_to >= ${to}::date, false) as "isDone" from ${gatewaySettings}`)
    if (settings === undefined || settings.isDone) return
    await tx.execute(sql`lock table ${usageRollups} in share mode`)
    // The next day that has rollups, again and again: a look into the index each, however many rows a day has.
    const firstDaySince = (day: SQL): SQL => sql`
      (select min(hour) at time zone 'UTC' from ${usageRollups} where hour >= ${startOfDay(day)} and hour < ${startOfDay(sql`${to}::date`)})::date`
    await tx.execute(sql`
      with recursive days (day) as (
        select ${firstDaySince(sql`coalesce(${settings.from}::date, '-infinity')`)}
        union all
        select ${firstDaySince(sql`day + 1`)} from days where day is not null
      )
      insert into ${staleDays} (day) select day from days where day is not null on conflict (day) do nothing`)
    await tx.execute(sql`update ${gatewaySettings} set summarised_to = ${to}::date`)
  })
}

/**
 * Summarises every stale day, the latest first, each with its week, month and quarter in one transaction. Returns how
 * many there were.
 */
export async function summariseStaleDays (database: Drizzle, closing?: AbortSignal): Promise<number> {
  let days = 0
  while (closing?.aborted !== true && await summariseOne(database)) days++
  return days
}

async function summariseOne (database: Drizzle): Promise<boolean> {
  return await database.transaction(async tx => {
    if (!await isAlone(tx)) return false
    // A day of a busy gateway has a million rollups.
    await tx.execute(sql`set local statement_timeout = 0`)
    // One that a batch holds is the next run's: from the delete on, what a batch writes into the day makes it stale
    // anew.
    const [stale] = await tx.execute<{ day: string }>(sql`
      delete from ${staleDays} where day = (select day from ${staleDays} order by day desc limit 1 for update skip locked) returning day::text as day`)
    if (stale === undefined) return false
    await summariseDay(tx, sql`${stale.day}::date`)
    for (const grain of ['week', 'month', 'quarter'] as const) await summariseDaysOf(tx, grain, stale.day)
    return true
  })
}

const allDimensions = sql`('all', 'prompt_type', 'model', 'user')`
const sums = sql.raw(['calls', 'failed_calls', 'blocked_calls', 'unpriced_calls', 'input_tokens', 'cached_input_tokens', 'output_tokens',
  'reasoning_tokens', 'cost', 'duration_ms'].map(column => `sum(${column})`).join(', '))

async function summariseDay (tx: Drizzle, day: SQL): Promise<void> {
  await tx.execute(
    sql`delete from ${usageSummaries} where grain in ('day', 'hour') and dimension in ${allDimensions} and bucket = ${day}`
  )
  const isOfDay = sql`hour >= ${startOfDay(day)} and hour < ${startOfDay(sql`${day} + 1`)}`
  await tx.execute(sql`
    insert into ${usageSummaries}
    select 'day', case grouping(prompt_type, model, user_name) when 7 then 'all' when 3 then 'prompt_type' when 5 then 'model' else 'user' end,
      ${day}, coalesce(prompt_type, model, user_name, ''), ${sums}
    from ${usageRollups} where ${isOfDay}
    group by grouping sets ((), (prompt_type), (model), (user_name)) having count(*) > 0`)
  await tx.execute(sql`
    insert into ${usageSummaries}
    select 'hour', case grouping(model, user_name) when 3 then 'all' when 1 then 'model' else 'user' end,
      ${day}, to_char(hour at time zone 'UTC', 'HH24') || coalesce(' ' || model, ' ' || user_name, ''), ${sums}
    from ${usageRollups} where ${isOfDay}
    group by grouping sets ((hour), (hour, model), (hour, user_name))`)
}

/** Of what a grain's rows are summed up. */
const partOf = { week: 'day', month: 'day', quarter: 'month' } as const

/**
 * The sum of the days so far of the week, month or quarter that holds the day. While one of them is stale it is not
 * read: then it is left to the last of those.
 */
async function summariseDaysOf (tx: Drizzle, grain: keyof typeof partOf, day: string): Promise<void> {
  const start = sql`date_trunc(${sql.raw(`'${grain}'`)}, ${day}::timestamp)::date`
  const end = sql`(${start} + interval '${sql.raw(grain === 'quarter' ? '3 months' : `1 ${grain}`)}')::date`
  const isWithin = (column: SQL): SQL => sql`${column} >= ${start} and ${column} < ${end}`
  const [found] = await tx.execute(sql`select from ${staleDays} where ${isWithin(sql`day`)} limit 1`)
  if (found !== undefined) return
  await tx.execute(
    sql`delete from ${usageSummaries} where grain = ${grain} and dimension in ${allDimensions} and bucket = ${start}`
  )
  await tx.execute(sql`
    insert into ${usageSummaries}
    select ${grain}, dimension, ${start}, key, ${sums} from ${usageSummaries}
    where grain = ${partOf[grain]} and dimension in ${allDimensions} and ${isWithin(sql`bucket`)}
    group by dimension, key`)
}

const startOfDay = (day: SQL): SQL => sql`((${day})::timestamp at time zone 'UTC')`

/** Whether no other instance does this work, until the transaction ends. */
async function isAlone (tx: Drizzle): Promise<boolean> {
  const [lock] = await tx.execute<{ held: boolean }>(
    sql`select pg_try_advisory_xact_lock(${lockKeys('summaries')}) as held`
  )
  return lock?.held === true
}

/** Keeps the summaries up to date: now and every five minutes. */
export const scheduleSummaries = (database: Drizzle, log: Log, now: () => number = Date.now): Job =>
  repeatedly(EVERY_MS, async closing => {
    await advanceSummaries(database, now())
    const days = await summariseStaleDays(database, closing)
    if (days > 0) log.debug({ days }, 'Summed up days of the rollups')
  }, 'Could not sum up the rollups', log)
