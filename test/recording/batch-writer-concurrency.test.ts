import { sql } from 'drizzle-orm'
import t from 'tap'
import { openDatabase } from '../../src/db/open-database.js'
import type { Database } from '../../src/db/database.js'
import { POLICY_CHANNEL, readPolicyPulse } from '../../src/db/policy-store.js'
import { promptConfigs, promptStats, usageLogs, usageRollups } from '../../src/db/schema/index.js'
import { createBatchWriter } from '../../src/recording/batch-writer.js'
import { batchOf, entry } from '../helpers/batches.js'
import { forEachDatabase, silentLog, testDatabaseOptions } from '../helpers/database.js'
import { gate } from '../helpers/gate.js'

const count = async (
  database: Database, table: typeof usageLogs | typeof promptConfigs | typeof promptStats
): Promise<number> =>
  await database.operator.$count(table)

forEachDatabase(t, 'a batch that is written twice, or twice at once, counts once', async (t, database) => {
  const writer = createBatchWriter(database)
  const batch = batchOf(entry(), entry({ promptType: 'other' }), entry())
  await Promise.all([writer.write(batch), writer.write(batch), writer.write(batch)])
  await writer.write(batch)
  t.equal(await count(database, usageLogs), 3)
  const totals = await database.operator.select({ type: promptStats.prompt_type, calls: promptStats.total_calls })
    .from(promptStats).orderBy(promptStats.prompt_type)
  t.same(totals, [{ type: 'other', calls: 1 }, { type: 'summarize', calls: 2 }])
  const [rollups] = await database.operator.execute(
    sql`select sum(${usageRollups.calls})::int as calls from ${usageRollups}`
  )
  t.same(rollups, { calls: 3 })
})

forEachDatabase(t, 'a thousand concurrent first calls make one config, whose version is announced', async (
  t, database
) => {
  const before = (await readPolicyPulse(database.operator)).version
  let notifications = 0
  const announced = gate()
  // The first call back says that it listens.
  await database.listen(POLICY_CHANNEL, () => { if (++notifications === 2) announced.open() })
  const writers = [createBatchWriter(database), createBatchWriter({ recording: database.operator })]
  const entries = Array.from({ length: 1000 }, (_, i) => entry({ taskDescription: `call ${i}` }))
  await Promise.all(entries.map(async (one, i) => await writers[i % 2]?.write(batchOf(one))))
  t.equal(await count(database, promptConfigs), 1)
  t.equal(await count(database, usageLogs), 1000)
  const [stats] = await database.operator.select().from(promptStats)
  t.equal(stats?.total_calls, 1000)
  const [linked] = await database.operator.execute(sql`select count(*)::int as rows from ${usageLogs}
    where ${usageLogs.prompt_config_id} = (select ${promptConfigs.id} from ${promptConfigs})`)
  t.same(linked, { rows: 1000 })
  t.equal((await readPolicyPulse(database.operator)).version, before + 1)
  await announced.passed()
})

t.test('writers whose batches overlap do not deadlock, in whatever order their calls came', async t => {
  const { databaseUrl, dataDir } = await testDatabaseOptions(t, 'postgres')
  // PostgreSQL leaves a deadlock alone for so long, and the test runs out of time.
  const database = await openDatabase({
    databaseUrl: `${databaseUrl ?? ''}?options=-c%20deadlock_timeout%3D600000`, dataDir, log: silentLog
  })
  t.teardown(async () => await database.close())
  const writers = [createBatchWriter(database), createBatchWriter({ recording: database.operator })]
  const types = Array.from({ length: 20 }, (_, i) => `type-${i}`)
  const work = async (index: number): Promise<void> => {
    for (let round = 0; round < 15; round++) {
      const order = index % 2 === 0 ? types : types.toReversed()
      await writers[index % 2]?.write(
        batchOf(...order.map(promptType => entry({ promptType, user: `user-${round % 3}` })))
      )
    }
  }
  await Promise.all([0, 1, 2, 3].map(work))
  const stats = await database.operator.select({ calls: promptStats.total_calls }).from(promptStats)
  t.same(stats, types.map(() => ({ calls: 60 })))
})

forEachDatabase(t, 'configs may be deleted while their calls are written', async (t, database) => {
  const writer = createBatchWriter(database)
  const types = ['a', 'b', 'c']
  const rounds = 40
  const write = async (): Promise<void> => {
    for (let round = 0; round < rounds; round++) {
      await writer.write(
        batchOf(...types.map(promptType => entry({ promptType })))
      )
    }
  }
  const remove = async (): Promise<void> => {
    for (let round = 0; round < rounds; round++) await database.operator.delete(promptConfigs)
  }
  await Promise.all([write(), remove()])
  t.equal(await count(database, usageLogs), 120)
})
