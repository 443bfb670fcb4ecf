import { sql } from 'drizzle-orm'
import t from 'tap'
import type { Database } from '../../src/db/database.js'
import { promptConfigs, promptStats, usageLogs } from '../../src/db/schema/index.js'
import { createBatchWriter } from '../../src/recording/batch-writer.js'
import { batchOf, entry } from '../helpers/batches.js'
import { forEachDatabase } from '../helpers/database.js'

// The writer remembers configs' ids, and other instances delete and make configs behind its back.

/** Each log row's type, and the type of the config that it refers to. */
const links = async (database: Database): Promise<unknown> => await database.operator.execute(sql`
  select ${usageLogs.prompt_type} as type, ${promptConfigs.prompt_type} as config
  from ${usageLogs} left join ${promptConfigs} on ${promptConfigs.id} = ${usageLogs.prompt_config_id} order by ${usageLogs.id}`)

const calls = async (database: Database): Promise<unknown> =>
  await database.operator.select({ type: promptStats.prompt_type, calls: promptStats.total_calls }).from(promptStats)
    .orderBy(promptStats.prompt_type)

forEachDatabase(t, 'known types and new ones in one batch each get their own config', async (t, database) => {
  const writer = createBatchWriter(database)
  await writer.write(batchOf(entry({ promptType: 'b' }), entry({ promptType: 'd' })))
  const types = ['a', 'b', 'c', 'd', 'e']
  await writer.write(batchOf(...types.map(promptType => entry({ promptType }))))
  await writer.write(batchOf(...types.map(promptType => entry({ promptType }))))
  const expected = ['b', 'd', ...types, ...types].map(type => ({ type, config: type }))
  t.same(await links(database), expected)
  t.same(await calls(database), types.map(type => ({ type, calls: type === 'b' || type === 'd' ? 3 : 2 })))
})

forEachDatabase(t, 'a config that another instance deleted and made again is found under its new id', async (
  t, database
) => {
  const [here, there] = [createBatchWriter(database), createBatchWriter(database)]
  await here.write(batchOf(entry(), entry({ promptType: 'stays' })))
  await database.operator.delete(promptConfigs).where(sql`${promptConfigs.prompt_type} = 'summarize'`)
  await there.write(batchOf(entry()))
  await here.write(batchOf(entry(), entry({ promptType: 'stays' })))
  t.same(await links(database), [
    { type: 'summarize', config: null },
    { type: 'stays', config: 'stays' },
    { type: 'summarize', config: 'summarize' },
    { type: 'summarize', config: 'summarize' },
    { type: 'stays', config: 'stays' }
  ])
  t.same(await calls(database), [{ type: 'stays', calls: 2 }, { type: 'summarize', calls: 2 }])
})

forEachDatabase(t, 'a type without log rows whose config was deleted gets a new one', async (t, database) => {
  const writer = createBatchWriter(database)
  await writer.write(batchOf(entry({ logged: false })))
  await database.operator.delete(promptConfigs)
  await writer.write(batchOf(entry({ logged: false })))
  t.equal(await database.operator.$count(promptConfigs), 1)
  t.same(await calls(database), [{ type: 'summarize', calls: 1 }])
})

forEachDatabase(t, 'more types than are remembered are written all the same', async (t, database) => {
  const writer = createBatchWriter(database, { maxConfigIds: 2 })
  const types = ['a', 'b', 'c']
  for (let round = 0; round < 3; round++) {
    await writer.write(batchOf(...types.map(promptType => entry({ promptType }))))
    await writer.write(batchOf(entry({ promptType: types[round] ?? '' })))
  }
  t.same(await calls(database), types.map(type => ({ type, calls: 4 })))
})

forEachDatabase(t, 'trying a batch out leaves nothing behind, nor in the writer\'s memory', async (t, database) => {
  const writer = createBatchWriter(database)
  await writer.write(batchOf(entry({ promptType: 'other' })))
  const batch = batchOf(entry())
  await writer.tryOut(batch)
  t.equal(await database.operator.$count(promptConfigs), 1)
  await writer.write(batch)
  t.same(await links(database), [{ type: 'other', config: 'other' }, { type: 'summarize', config: 'summarize' }])
})
