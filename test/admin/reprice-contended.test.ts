import { sql } from 'drizzle-orm'
import t from 'tap'
import { lockKeys } from '../../src/db/advisory-locks.js'
import type { Database } from '../../src/db/database.js'
import { promptConfigs, promptStats, usageLogs, usageRollups } from '../../src/db/schema/index.js'
import { createBatchWriter } from '../../src/recording/batch-writer.js'
import { batchOf, entry } from '../helpers/batches.js'
import { openTestDatabase } from '../helpers/database.js'
import { until } from '../helpers/until.js'
import { errorOf, startAdmin } from './start-admin.js'

const path = '/admin/api/usage-logs/reprice'

/** A database with one call that costs a dollar by mistake. */
async function withCall (database: Database): Promise<void> {
  await createBatchWriter(database).write(batchOf(entry({ costPicoUsd: 10n ** 12n })))
}

/** Resolves when so many sessions wait for a lock. */
async function untilWaiting (database: Database, sessions: number): Promise<void> {
  await until(async () => {
    const [row] = await database.recording.execute<{ waiting: number }>(sql`
      select count(*)::int as waiting from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`)
    return row?.waiting === sessions
  })
}

t.test('a second repricing is told that there is one under way', async t => {
  const database = await openTestDatabase(t, 'postgres')
  const { call } = await startAdmin(t, database)
  await withCall(database)
  await database.recording.transaction(async other => {
    await other.execute(sql`select pg_advisory_xact_lock(${lockKeys('reprice')})`)
    t.equal(errorOf(await call('POST', path, { only_unpriced: false })), '409 repricing')
  })
  t.match((await call('POST', path, { only_unpriced: false })).body, { rows: 1, cost_before: 1 })
})

t.test('whoever loses a deadlock against others begins again, and counts once', async t => {
  const database = await openTestDatabase(t, 'postgres')
  const { call } = await startAdmin(t, database)
  await withCall(database)
  const repriced = await database.recording.transaction(async other => {
    // So that it is the repricing that finds the deadlock, and gives way.
    await other.execute(sql`set local deadlock_timeout = '1min'`)
    await other.execute(sql`select from ${promptStats} for update`)
    const repriced = call('POST', path, { only_unpriced: false })
    await untilWaiting(database, 1)
    await other.execute(sql`update ${usageLogs} set prompt = 'x'`)
    return { answer: repriced }
  })
  t.match(await repriced.answer, { status: 200, body: { rows: 1, cost_before: 1, cost_after: 0.0000195 } })
  for (const [table, column] of [[promptStats, 'total_cost'], [usageRollups, 'cost'], [usageLogs, 'cost']] as const) {
    t.same(await database.operator.execute(
      sql`select ${sql.identifier(column)}::text as cost from ${table}`
    ), [{ cost: '0.000019500000' }])
  }
})

t.test('a batch that comes meanwhile is added, and a config that is deleted meanwhile is gone', async t => {
  const database = await openTestDatabase(t, 'postgres')
  const { call } = await startAdmin(t, database)
  const batches = createBatchWriter(database)
  await withCall(database)
  const work = await database.recording.transaction(async other => {
    await other.execute(sql`select from ${usageRollups} for update`)
    const repriced = call('POST', path, { only_unpriced: false })
    await untilWaiting(database, 1)
    // It has the statistics already, on which the batch waits, and the config, on which the deletion does.
    const written = batches.write(batchOf(entry()))
    await untilWaiting(database, 2)
    const deleted = call('DELETE', '/admin/api/prompt-configs/summarize')
    await untilWaiting(database, 3)
    return { repriced, written, deleted }
  })
  t.match(await work.repriced, { status: 200, body: { rows: 1 } })
  await work.written
  t.equal((await work.deleted).status, 204)
  t.match(await database.operator.select().from(usageRollups), [{ calls: 2, cost: '0.000039000000' }])
  t.same(await database.operator.select().from(promptConfigs), [])
  t.same((await database.operator.select().from(usageLogs)).map(row => [row.cost, row.prompt_config_id]), [
    ['0.000019500000', null], ['0.000019500000', null]
  ])
})
