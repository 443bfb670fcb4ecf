import t from 'tap'
import { sql } from 'drizzle-orm'
import { lockKeys } from '../../src/db/advisory-locks.js'
import type { Database } from '../../src/db/database.js'
import { gatewaySettings, staleDays, usageRollups, usageSummaries } from '../../src/db/schema/index.js'
import { advanceSummaries, scheduleSummaries, summariseStaleDays } from '../../src/jobs/summaries.js'
import { type RollupRow, rollupRow } from '../admin/rollup-rows.js'
import { forEachDatabase, openTestDatabase, silentLog } from '../helpers/database.js'

const rollup = (hour: string, fields: Partial<RollupRow> = {}): RollupRow => rollupRow({ hour, ...fields })

const fill = async (database: Database, ...rows: RollupRow[]): Promise<void> => {
  await database.operator.insert(usageRollups).values(rows)
}

const summarisedTo = async (database: Database): Promise<string | null> =>
  (await database.operator.select({ to: gatewaySettings.summarised_to }).from(gatewaySettings))[0]?.to ?? null

const stale = async (database: Database): Promise<string[]> =>
  (await database.operator.select().from(staleDays).orderBy(staleDays.day)).map(({ day }) => day)

/** `day 2026-11-01 prompt_type a: 3 0.000000000003` */
async function summaries (database: Database, grain: string): Promise<string[]> {
  const rows = await database.operator.execute<{ text: string }>(sql`
    select concat(bucket, ' ', dimension, ' ', key, ': ', calls, ' ', trim_scale(cost * 1e12)) as text from ${usageSummaries}
    where grain = ${grain} order by bucket, dimension, key`)
  return rows.map(({ text }) => text)
}

const at = (time: string): number => Date.parse(time)

forEachDatabase(t, 'days that are over are summed up along each dimension, their hours, weeks, months and quarters too', async (
  t, database
) => {
  await fill(database,
    rollup('2026-10-31T23:00:00Z'), rollup('2026-11-01T00:00:00Z', { user_name: 'u' }),
    rollup('2026-11-01T23:00:00Z', {
      prompt_type: 'b', model: '', cost: '0.000000000005'
    }), rollup('2026-11-02T00:00:00Z'))
  await advanceSummaries(database.operator, at('2026-11-02T00:15:00Z'))
  t.equal(await summarisedTo(database), '2026-11-02')
  t.same(await stale(database), ['2026-10-31', '2026-11-01'])
  t.equal(await summariseStaleDays(database.operator), 2)
  t.same(await stale(database), [])
  t.same(await summaries(database, 'day'), [
    '2026-10-31 all : 1 1', '2026-10-31 model m: 1 1', '2026-10-31 prompt_type a: 1 1', '2026-10-31 user : 1 1',
    '2026-11-01 all : 2 6', '2026-11-01 model : 1 5', '2026-11-01 model m: 1 1', '2026-11-01 prompt_type a: 1 1',
    '2026-11-01 prompt_type b: 1 5', '2026-11-01 user : 1 5', '2026-11-01 user u: 1 1'
  ])
  t.same(await summaries(database, 'hour'), [
    '2026-10-31 all 23: 1 1', '2026-10-31 model 23 m: 1 1', '2026-10-31 user 23 : 1 1',
    '2026-11-01 all 00: 1 1', '2026-11-01 all 23: 1 5', '2026-11-01 model 00 m: 1 1', '2026-11-01 model 23 : 1 5',
    '2026-11-01 user 00 u: 1 1', '2026-11-01 user 23 : 1 5'
  ])
  t.same((await summaries(database, 'month')).filter(row => row.includes(' all ')), [
    '2026-10-01 all : 1 1', '2026-11-01 all : 2 6'
  ],
  'the month that is under way has its days so far')
  t.same(
    (await summaries(database, 'week')).filter(row => row.includes(' all ')),
    ['2026-10-26 all : 3 7'],
    'it goes on beyond the month'
  )
  t.same(await summaries(database, 'quarter'), [
    '2026-10-01 all : 3 7', '2026-10-01 model : 1 5', '2026-10-01 model m: 2 2', '2026-10-01 prompt_type a: 2 2', '2026-10-01 prompt_type b: 1 5',
    '2026-10-01 user : 2 6', '2026-10-01 user u: 1 1'
  ])
})

forEachDatabase(t, 'a day is not summed up before a quarter past its midnight, and never twice for nothing', async (
  t, database
) => {
  await fill(database, rollup('2028-02-29T12:00:00Z'))
  await advanceSummaries(database.operator, at('2028-03-01T00:14:59Z'))
  t.equal(await summarisedTo(database), '2028-02-29')
  t.same(await stale(database), [])
  await advanceSummaries(database.operator, at('2028-03-01T00:15:00Z'))
  t.same(await stale(database), ['2028-02-29'])
  t.equal(await summariseStaleDays(database.operator), 1)
  await advanceSummaries(database.operator, at('2028-03-01T23:00:00Z'))
  t.equal(await summariseStaleDays(database.operator), 0)
  await advanceSummaries(database.operator, at('2028-02-01T00:00:00Z'))
  t.equal(await summarisedTo(database), '2028-03-01', 'a clock that steps back takes nothing back')
})

forEachDatabase(t, 'a late call makes its day stale, which is summed up again with its week, month and quarter', async (
  t, database
) => {
  await fill(database, rollup('2026-10-30T00:00:00Z'), rollup('2026-10-31T00:00:00Z'))
  await advanceSummaries(database.operator, at('2026-11-05T12:00:00Z'))
  await summariseStaleDays(database.operator)
  await fill(database, rollup('2026-10-31T01:00:00Z', { prompt_type: 'late' }))
  await database.operator.insert(staleDays).values({ day: '2026-10-31' })
  t.equal(await summariseStaleDays(database.operator), 1)
  t.same((await summaries(database, 'day')).filter(row => row.includes(' all ')), [
    '2026-10-30 all : 1 1', '2026-10-31 all : 2 2'
  ])
  t.same(await summaries(database, 'month'), [
    '2026-10-01 all : 3 3', '2026-10-01 model m: 3 3', '2026-10-01 prompt_type a: 2 2', '2026-10-01 prompt_type late: 1 1', '2026-10-01 user : 3 3'
  ])
  t.same(await summaries(database, 'quarter'), await summaries(database, 'month'))
  t.same(
    (await summaries(database, 'week')).map(row => row.replace('10-26', '10-01')), await summaries(database, 'month')
  )
})

forEachDatabase(t, 'a day whose calls are gone has no summaries left', async (t, database) => {
  await fill(database, rollup('2026-10-31T00:00:00Z'))
  await advanceSummaries(database.operator, at('2026-11-05T12:00:00Z'))
  await summariseStaleDays(database.operator)
  await database.operator.delete(usageRollups)
  await database.operator.insert(staleDays).values({ day: '2026-10-31' })
  await summariseStaleDays(database.operator)
  t.equal(await database.operator.$count(usageSummaries), 0)
})

t.test('the date moves only when no batch is under way that may have read the old one', async t => {
  const database = await openTestDatabase(t, 'postgres')
  await database.recording.transaction(async batch => {
    await batch.insert(usageRollups).values(rollup('2026-11-01T00:00:00Z'))
    await t.rejects(
      advanceSummaries(database.operator, at('2026-11-05T12:00:00Z')), 'the lock is not waited for for long'
    )
    t.equal(await summarisedTo(database), null)
  })
  await advanceSummaries(database.operator, at('2026-11-05T12:00:00Z'))
  t.same(await stale(database), ['2026-11-01'])
})

t.test('a day that a batch holds is left for later', async t => {
  const database = await openTestDatabase(t, 'postgres')
  await fill(database, rollup('2026-11-01T00:00:00Z'), rollup('2026-11-02T00:00:00Z'))
  await advanceSummaries(database.operator, at('2026-11-05T12:00:00Z'))
  await database.recording.transaction(async batch => {
    await batch.execute(sql`select from ${staleDays} where day = '2026-11-02' for update`)
    t.equal(await summariseStaleDays(database.operator), 1)
    t.same(await stale(database), ['2026-11-02'])
  })
  t.equal(await summariseStaleDays(database.operator), 1)
})

t.test('nothing is done while another instance is at it', async t => {
  const database = await openTestDatabase(t, 'postgres')
  await fill(database, rollup('2026-11-01T00:00:00Z'))
  await database.recording.transaction(async other => {
    await other.execute(sql`select pg_advisory_xact_lock(${lockKeys('summaries')})`)
    await advanceSummaries(database.operator, at('2026-11-05T12:00:00Z'))
    t.equal(await summarisedTo(database), null)
  })
  await advanceSummaries(database.operator, at('2026-11-05T12:00:00Z'))
  await database.recording.transaction(async other => {
    await other.execute(sql`select pg_advisory_xact_lock(${lockKeys('summaries')})`)
    t.equal(await summariseStaleDays(database.operator), 0)
  })
  t.same(await stale(database), ['2026-11-01'])
})

forEachDatabase(t, 'the job runs when it starts; closed in a run, it ends after the day that it is at', async (
  t, database
) => {
  const hours = ['2026-11-01T00:00:00Z', '2026-11-02T00:00:00Z', '2026-11-03T00:00:00Z']
  await fill(database, ...hours.map(hour => rollup(hour)))
  const job = scheduleSummaries(database.operator, silentLog, () => at('2026-11-05T12:00:00Z'))
  await job.firstRun
  await job.close()
  t.equal((await summaries(database, 'day')).length, 12)
  t.equal(await summariseStaleDays(database.operator, AbortSignal.abort()), 0)
})
