import { getTableName, sql } from 'drizzle-orm'
import { lockKeys } from './advisory-locks.js'
import type { Drizzle } from './database.js'
import { usageLogs } from './schema/index.js'

/** The first millisecond of a UTC month. */
export type MonthStartMs = number

/** The month that a moment falls in, or a later one. */
export const monthOf = (timeMs: number, monthsLater = 0): MonthStartMs => {
  const time = new Date(timeMs)
  return Date.UTC(time.getUTCFullYear(), time.getUTCMonth() + monthsLater)
}

/** `usage_logs_2026_11` */
export const partitionName = (month: MonthStartMs): string =>
  `${getTableName(usageLogs)}_${new Date(month).toISOString().slice(0, 7).replace('-', '_')}`

/** The longest that making a partition may wait for a lock: batches of new prompt types queue up behind it. */
const lockTimeout = '2s'

/**
 * Makes the partitions that are missing of `usage_logs`, and answers with their names. Safe on several instances at
 * once.
 *
 * A partition is made as a table of its own and then attached, not with `CREATE TABLE … PARTITION OF`: attaching leaves
 * the log readable and writable, the other waits for every query on it to end and lets none in meanwhile.
 */
export const createPartitions = async (database: Drizzle, months: Iterable<MonthStartMs>): Promise<string[]> =>
  await database.transaction(async tx => {
    await tx.execute(sql.raw(`set local lock_timeout = '${lockTimeout}'`))
    await tx.execute(sql`select pg_advisory_xact_lock(${lockKeys('partitions')})`)
    const names = new Set(await attachedPartitions(tx))
    const created: string[] = []
    for (const month of [...new Set(months)].sort((a, b) => a - b)) {
      const name = partitionName(month)
      if (names.has(name)) continue
      const partition = sql.identifier(name)
      const bounds = sql.raw(`from ('${instant(month)}') to ('${instant(monthOf(month, 1))}')`)
      await tx.execute(sql`create table ${partition} (like ${usageLogs} including all)`)
      await tx.execute(sql`alter table ${usageLogs} attach partition ${partition} for values ${bounds}`)
      created.push(name)
    }
    return created
  })

/** How long dropping a partition may wait for its lock: all batches and queries of the log queue up behind it. */
const dropLockTimeout = '100ms'

/**
 * Drops the oldest partition of `usage_logs` whose whole month is before that moment, and returns its name. Null if
 * there is none, or another instance drops one. Rejects (SQLSTATE 55P03) if the log is in use just then.
 *
 * It takes an ACCESS EXCLUSIVE lock on the log, which waits for every query on it, but is then held for milliseconds,
 * whatever the partition's size: its files go after the commit. A drop needs none on `prompt_configs`; a DETACH would.
 */
export const dropPartitionBefore = async (database: Drizzle, beforeMs: number): Promise<string | null> =>
  await database.transaction(async tx => {
    await tx.execute(sql.raw(`set local lock_timeout = '${dropLockTimeout}'`))
    const [lock] = await tx.execute<{ held: boolean }>(
      sql`select pg_try_advisory_xact_lock(${lockKeys('retention')}) as held`
    )
    if (lock?.held !== true) return null
    const name = (await attachedPartitions(tx)).filter(name => (partitionEndMs(name) ?? Infinity) <= beforeMs).sort()[0]
    if (name === undefined) return null
    await tx.execute(sql`drop table ${sql.identifier(name)}`)
    return name
  })

const attachedPartitions = async (database: Drizzle): Promise<string[]> => {
  const rows = await database.execute<{ name: string }>(sql`
    select pg_class.relname as name from pg_inherits join pg_class on pg_class.oid = pg_inherits.inhrelid
    where pg_inherits.inhparent = ${getTableName(usageLogs)}::regclass`)
  return rows.map(({ name }) => name)
}

/** The first millisecond after a partition's month; null for a table of another name. */
const partitionEndMs = (name: string): number | null => {
  const [, year, month] = /^usage_logs_(\d{4})_(\d\d)$/.exec(name) ?? []
  return year === undefined ? null : Date.UTC(Number(year), Number(month))
}

const instant = (timeMs: number): string => new Date(timeMs).toISOString()
