import { sql } from 'drizzle-orm'
import t from 'tap'
import type { Database } from '../../src/db/database.js'
import { monthOf, partitionName } from '../../src/db/partitions.js'
import { usageLogs } from '../../src/db/schema/index.js'
import { ensurePartitions, schedulePartitions } from '../../src/jobs/partitions.js'
import { forEachDatabase, silentLog } from '../helpers/database.js'

/** The months that rows may fall in, with their bounds as Postgres has them. */
const partitions = async (database: Database): Promise<string[]> => {
  const rows = await database.operator.transaction(async tx => {
    await tx.execute(sql`set local timezone = 'UTC'`)
    return await tx.execute<{ name: string, bounds: string }>(sql`
      select relname as name, pg_get_expr(relpartbound, pg_class.oid) as bounds
      from pg_inherits join pg_class on pg_class.oid = inhrelid where inhparent = 'usage_logs'::regclass order by relname`)
  })
  return rows.map(({
    name, bounds
  }) => `${name} ${bounds.replace(/[^0-9 -]|00:00:00\+00/g, '').trim().replace(/ +/g, ' ')}`)
}

forEachDatabase(t, 'this month and the next three have a partition, over the turn of the year', async (t, database) => {
  const names = await ensurePartitions(database.operator, Date.UTC(2026, 10, 30, 23, 59, 59, 999))
  t.same(names, ['usage_logs_2026_11', 'usage_logs_2026_12', 'usage_logs_2027_01', 'usage_logs_2027_02'])
  t.same(await partitions(database), [
    'usage_logs_2026_11 2026-11-01 2026-12-01',
    'usage_logs_2026_12 2026-12-01 2027-01-01',
    'usage_logs_2027_01 2027-01-01 2027-02-01',
    'usage_logs_2027_02 2027-02-01 2027-03-01'
  ])
  t.same(await ensurePartitions(database.operator, Date.UTC(2026, 11, 1)), ['usage_logs_2027_03'])
  t.same(await ensurePartitions(database.operator, Date.UTC(2026, 11, 31, 23, 59, 59, 999)), [])
})

forEachDatabase(t, 'a month is made by several instances at once, once', async (t, database) => {
  const made = await Promise.all(Array.from({ length: 6 }, async (_, i) =>
    await ensurePartitions(i % 2 === 0 ? database.operator : database.recording, Date.UTC(2026, 0))))
  t.equal(made.flat().length, 4)
})

forEachDatabase(t, 'a partition has the indexes and the foreign key of its table', async (t, database) => {
  await ensurePartitions(database.operator, Date.UTC(2026, 0))
  const [row] = await database.operator.execute(sql`
    select (select count(*)::int from pg_index where indrelid = 'usage_logs_2026_01'::regclass) as indexes,
      (select count(*)::int from pg_index where indrelid = ${sql`'usage_logs'`}::regclass) as own,
      (select count(*)::int from pg_constraint where conrelid = 'usage_logs_2026_01'::regclass and contype = 'f') as keys`)
  t.same(row, { indexes: 8, own: 8, keys: 1 })
})

t.test('months begin at midnight UTC, leap days and years included', t => {
  t.equal(monthOf(Date.UTC(2024, 1, 29, 23, 59, 59, 999)), Date.UTC(2024, 1))
  t.equal(monthOf(Date.UTC(2024, 1, 29), 1), Date.UTC(2024, 2))
  t.equal(monthOf(Date.UTC(2026, 0, 31), 1), Date.UTC(2026, 1))
  t.equal(monthOf(Date.UTC(2026, 11, 31), 1), Date.UTC(2027, 0))
  t.equal(partitionName(Date.UTC(2027, 0)), 'usage_logs_2027_01')
  t.end()
})

forEachDatabase(t, 'the job makes them when it starts, and closing it waits for that', async (t, database) => {
  const job = schedulePartitions(database.operator, silentLog, () => Date.UTC(2026, 10, 20))
  await job.close()
  t.equal((await partitions(database)).length, 4)
})

forEachDatabase(t, 'a failure is logged, and the job goes on', async (t, database) => {
  const errors: string[] = []
  await database.operator.execute(sql`create table usage_logs_2026_11 ()`)
  t.teardown(async () => { await database.operator.execute(sql`drop table usage_logs_2026_11`) })
  const log = { ...silentLog, error: (_details: object, message: string) => { errors.push(message) } }
  const job = schedulePartitions(database.operator, log, () => Date.UTC(2026, 10, 20))
  await job.close()
  t.same(errors, ['Could not create partitions of the usage log; trying again in a minute'])
})

forEachDatabase(t, 'the log is written while a partition is made', async (t, database) => {
  await ensurePartitions(database.operator, Date.UTC(2026, 0))
  const insert = async (): Promise<unknown> => await database.recording.execute(sql`insert into ${usageLogs}
    (id, created_at, prompt_type, provider, endpoint, stream, status_code, success, usage_source, duration_ms, request_bytes, response_bytes)
    values (gen_random_uuid(), '2026-01-02', 'a', 'openai', 'models', false, 200, true, 'none', 1, 0, 0)`)
  const made = ensurePartitions(database.operator, Date.UTC(2026, 5))
  for (let i = 0; i < 10; i++) await insert()
  t.equal((await made).length, 4)
  t.equal(await database.operator.$count(usageLogs), 10)
})
