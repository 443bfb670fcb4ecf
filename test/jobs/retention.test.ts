import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import t from 'tap'
import { lockKeys } from '../../src/db/advisory-locks.js'
import type { Database } from '../../src/db/database.js'
import { createPartitions } from '../../src/db/partitions.js'
import { promptStats, usageLogs, usageRollups } from '../../src/db/schema/index.js'
import { dropOldLogs, emptyOldPayloads, scheduleRetention } from '../../src/jobs/retention.js'
import { createBatchWriter } from '../../src/recording/batch-writer.js'
import { batchOf, entry } from '../helpers/batches.js'
import { forEachDatabase, openTestDatabase, silentLog } from '../helpers/database.js'

const DAY_MS = 86_400_000
const open = new AbortController().signal
const at = (time: string): number => Date.parse(time)

const months = async (database: Database): Promise<string[]> => {
  const rows = await database.operator.execute<{ name: string }>(sql`
    select relname as name from pg_class where relkind = 'r' and relname like 'usage\_logs\_%' order by relname`)
  return rows.map(({ name }) => name.slice('usage_logs_'.length))
}

const payload = { prompt: '{"messages":[]}', response: '{"choices":[]}' }

/** A call that was stored in full, finished then. */
const write = async (database: Database, ...times: string[]): Promise<void> =>
  await createBatchWriter(database)
    .write(batchOf(...times.map(time => entry({ createdAtMs: at(time), storeFullData: true }, payload))))

/** When the calls were, and whether they have their payload still. */
const logged = async (database: Database): Promise<string[]> =>
  (await database.operator.select().from(usageLogs).orderBy(usageLogs.created_at))
    .map(
      row => `${new Date(row.created_at).toISOString()} ${row.prompt === null && row.response === null ? 'empty' : 'full'}`
    )

forEachDatabase(t, 'a month goes when all of it is too old, to the millisecond, leap day counted', async (
  t, database
) => {
  await createPartitions(database.operator, [
    Date.UTC(2026, 11), Date.UTC(2027, 0), Date.UTC(2027, 1), Date.UTC(2027, 2)
  ])
  // 365 days after 1 March 2027 the leap day begins, not the next 1 March.
  t.same(await dropOldLogs(
    database.operator, at('2028-02-28T23:59:59.999Z'), 365, open
  ), ['usage_logs_2026_12', 'usage_logs_2027_01'])
  t.same(await months(database), ['2027_02', '2027_03'])
  t.same(await dropOldLogs(database.operator, at('2028-02-29T00:00:00.000Z'), 365, open), ['usage_logs_2027_02'])
  t.same(
    await dropOldLogs(database.operator, at('2028-03-30T23:59:59.999Z'), 365, open),
    [],
    'one of 31 days is still to come'
  )
  t.same(await dropOldLogs(database.operator, at('2028-03-31T00:00:00.000Z'), 365, open), ['usage_logs_2027_03'])
  t.same(await months(database), [])
})

forEachDatabase(t, 'rows go with their month; statistics, the latest call and rollups stay', async (t, database) => {
  await write(database, '2026-01-31T23:59:59.999Z', '2026-02-01T00:00:00.000Z')
  const [stats, rollups] = [
    await database.operator.select().from(promptStats), await database.operator.select().from(usageRollups)
  ]
  t.same(await dropOldLogs(database.operator, at('2026-03-01T00:00:00Z'), 1, open), ['usage_logs_2026_01'])
  t.same(await logged(database), ['2026-02-01T00:00:00.000Z full'])
  await dropOldLogs(database.operator, at('2026-04-01T00:00:00Z'), 1, open)
  t.same(await logged(database), [])
  t.same(await database.operator.select().from(promptStats), stats)
  t.match(stats, [{ total_calls: 2, last_prompt: payload.prompt, last_response: payload.response }])
  t.same(await database.operator.select().from(usageRollups), rollups)
})

forEachDatabase(t, 'a record that comes late for a month that is gone makes it again, and goes with it the next time', async (
  t, database
) => {
  await write(database, '2026-01-15T00:00:00.000Z')
  const now = at('2028-01-01T00:00:00Z')
  await dropOldLogs(database.operator, now, 365, open)
  await write(database, '2026-01-16T00:00:00.000Z', '2028-01-01T00:00:00.000Z')
  t.same(await logged(database), ['2026-01-16T00:00:00.000Z full', '2028-01-01T00:00:00.000Z full'])
  t.same(await dropOldLogs(database.operator, now + DAY_MS, 365, open), ['usage_logs_2026_01'])
  t.same(await logged(database), ['2028-01-01T00:00:00.000Z full'])
  t.match(await database.operator.select().from(promptStats), [{ total_calls: 3 }])
})

forEachDatabase(t, 'only months of the log are dropped', async (t, database) => {
  await createPartitions(database.operator, [Date.UTC(2020, 0)])
  await database.operator.execute(sql`create table usage_logs_2019_01 (mine int)`)
  await database.operator.execute(sql`create table usage_logs_archive (like ${usageLogs} including all)`)
  await database.operator.execute(
    sql`alter table ${usageLogs} attach partition usage_logs_archive for values from ('2000-01-01Z') to ('2010-01-01Z')`
  )
  t.teardown(async () => {
    await database.operator.execute(sql`drop table if exists usage_logs_2019_01, usage_logs_archive`)
  })
  t.same(await dropOldLogs(database.operator, at('2028-01-01T00:00:00Z'), 1, open), ['usage_logs_2020_01'])
  t.same(await months(database), ['2019_01', 'archive'])
})

forEachDatabase(t, 'payloads are emptied when they are too old, any number, so many at a time; the rows stay', async (
  t, database
) => {
  const now = at('2028-03-01T00:00:00Z')
  const times = [
    '2028-01-31T23:00:00.000Z', '2028-02-01T00:00:00.000Z', '2028-02-27T23:59:59.998Z', '2028-02-27T23:59:59.999Z',
    '2028-02-28T00:00:00.000Z', '2028-02-29T00:00:00.000Z'
  ]
  await write(database, ...times)
  const [before] = await database.operator.select().from(promptStats)
  t.equal(await emptyOldPayloads(database.operator, now, 2, open, 2), 4)
  t.same(await logged(database), times.map((time, i) => `${time} ${i < 4 ? 'empty' : 'full'}`))
  t.equal(await emptyOldPayloads(database.operator, now, 2, open, 2), 0)
  t.same(await database.operator.select().from(promptStats), [before], 'the latest call keeps its own')
})

forEachDatabase(t, 'the job does both when it starts, and says what it did', async (t, database) => {
  await write(database, '2026-01-15T00:00:00.000Z', '2027-12-01T00:00:00.000Z', '2027-12-31T00:00:00.000Z')
  const told: unknown[] = []
  const log = { ...silentLog, info: (details: object) => { told.push(details) } }
  const job = scheduleRetention(database.operator, { logs: 365, payloads: 30 }, log, () => at('2028-01-01T00:00:00Z'))
  await job.firstRun
  await job.close()
  t.same(await logged(database), ['2027-12-01T00:00:00.000Z empty', '2027-12-31T00:00:00.000Z full'])
  t.same(told, [{ partitions: ['usage_logs_2026_01'] }, { rows: 1 }])
})

forEachDatabase(t, 'a closing gateway ends the job between two steps', async (t, database) => {
  await write(database, '2026-01-15T00:00:00.000Z')
  const closed = AbortSignal.abort()
  t.same(await dropOldLogs(database.operator, at('2028-01-01T00:00:00Z'), 1, closed), [])
  t.equal(await emptyOldPayloads(database.operator, at('2028-01-01T00:00:00Z'), 1, closed), 0)
  t.same(await logged(database), ['2026-01-15T00:00:00.000Z full'])
})

t.test('nothing is done while another instance is at it', async t => {
  const database = await openTestDatabase(t, 'postgres')
  await write(database, '2026-01-15T00:00:00.000Z')
  const now = at('2028-01-01T00:00:00Z')
  await database.recording.transaction(async other => {
    await other.execute(sql`select pg_advisory_xact_lock(${lockKeys('retention')})`)
    t.same(await dropOldLogs(database.operator, now, 1, open), [])
    t.equal(await emptyOldPayloads(database.operator, now, 1, open), 0)
  })
  t.equal(await emptyOldPayloads(database.operator, now, 1, open), 1)
})

t.test('rows that somebody has locked are left for another day, and hold up nothing', async t => {
  const database = await openTestDatabase(t, 'postgres')
  await write(database, '2027-01-15T00:00:00.000Z', '2027-01-16T00:00:00.000Z')
  await database.recording.transaction(async other => {
    await other.execute(sql`select from ${usageLogs} where created_at < '2027-01-16' for update`)
    t.equal(await emptyOldPayloads(database.operator, at('2028-01-01T00:00:00Z'), 1, open), 1)
  })
  t.same(await logged(database), ['2027-01-15T00:00:00.000Z full', '2027-01-16T00:00:00.000Z empty'])
})

t.test('a drop that has to wait gives up soon, so that batches get by, and is tried again until the log is free', async t => {
  const database = await openTestDatabase(t, 'postgres')
  await write(database, '2026-01-15T00:00:00.000Z', '2028-01-01T00:00:00.000Z')
  const now = at('2028-01-01T00:00:00Z')
  let dropped: Promise<string[]> | undefined
  await database.operator.transaction(async reader => {
    // A query that goes on for long.
    await reader.execute(sql`select count(*) from ${usageLogs}`)
    dropped = dropOldLogs(database.operator, now, 365, open, 10)
    const until = performance.now() + 300
    while (performance.now() < until) {
      await write(database, '2028-01-01T00:00:00.000Z')
      await sleep(5)
    }
    t.same(await months(database), ['2026_01', '2028_01'])
  })
  t.same(await dropped, ['usage_logs_2026_01'])
  await database.operator.transaction(async reader => {
    await reader.execute(sql`select count(*) from ${usageLogs}`)
    await t.rejects(dropOldLogs(
      database.operator, at('2030-01-01T00:00:00Z'), 1, open, 1
    ), { cause: { code: '55P03' } })
  })
})
