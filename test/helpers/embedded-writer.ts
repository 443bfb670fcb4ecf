import { openDatabase } from '../../src/db/open-database.js'
import { createBatchWriter } from '../../src/recording/batch-writer.js'
import { batchOf, entry } from './batches.js'
import { silentLog } from './database.js'

// A process of its own on the embedded database in the folder that it is given: writes record after record, and says
// each one's id on a line once it is committed.
const [dataDir = ''] = process.argv.slice(2)
const database = await openDatabase({ databaseUrl: null, dataDir, log: silentLog })
const writer = createBatchWriter(database)
for (;;) {
  const one = entry()
  await writer.write(batchOf(one))
  process.stdout.write(`${one.record.id}\n`)
}
