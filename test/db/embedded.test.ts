import { sql } from 'drizzle-orm'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { Test } from 'tap'
import type { Worker } from 'node:worker_threads'
import { openDatabase } from '../../src/db/open-database.js'
import type { Database } from '../../src/db/database.js'
import { vacuumHotTables } from '../../src/db/embedded-vacuum.js'
import { promptStats, usageLogs } from '../../src/db/schema/index.js'
import { createBatchWriter } from '../../src/recording/batch-writer.js'
import { batchOf, entry } from '../helpers/batches.js'
import { openTestDatabase, silentLog, temporaryFolder } from '../helpers/database.js'
import { until } from '../helpers/until.js'

const open = async (t: Test, dataDir: string): Promise<Database> => {
  const database = await openDatabase({ databaseUrl: null, dataDir, log: silentLog })
  t.teardown(async () => await database.close())
  return database
}

/** Starts a writer and resolves when its first record is committed; `ids` grows as it goes on. */
const startWriter = async (t: Test, dataDir: string): Promise<{ child: ChildProcess, ids: string[] }> => {
  const script = fileURLToPath(new URL('../helpers/embedded-writer.ts', import.meta.url))
  const child = spawn(process.execPath, [...process.execArgv, script, dataDir], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  t.teardown(() => child.kill('SIGKILL'))
  const ids: string[] = []
  const lines = createInterface({ input: child.stdout })
  lines.on('line', id => ids.push(id))
  await once(lines, 'line')
  return { child, ids }
}

t.test('a folder belongs to one process until that is closed or killed; then all that it committed is there', async t => {
  const dataDir = temporaryFolder(t)
  const { child, ids } = await startWriter(t, dataDir)
  const refusal = new RegExp(`in use by another promptmeter \\(process ${String(child.pid)}\\).*DATABASE_URL`)
  await t.rejects(openDatabase({ databaseUrl: null, dataDir, log: silentLog }), refusal)
  await until(() => ids.length >= 100)
  child.kill('SIGKILL')
  await once(child, 'close')

  for (const opening of ['after the kill', 'after a close']) {
    const database = await openDatabase({ databaseUrl: null, dataDir, log: silentLog })
    const rows = await database.recording.select({ id: usageLogs.id }).from(usageLogs)
    const found = new Set(rows.map(({ id }) => id))
    t.same(ids.filter(id => !found.has(id)), [], opening)
    const [stats] = await database.recording.select({ calls: promptStats.total_calls }).from(promptStats)
    t.equal(stats?.calls, rows.length)
    await database.close()
  }
})

t.test('a first start that was cut short is begun again', async t => {
  const dataDir = temporaryFolder(t)
  mkdirSync(join(dataDir, 'db.new'))
  writeFileSync(join(dataDir, 'db.new', 'PG_VERSION'), '18')
  const database = await open(t, dataDir)
  await t.resolves(database.ping())
  t.notOk(existsSync(join(dataDir, 'db.new')))
})

t.test('a listener is called when it begins and at a notification', async t => {
  const database = await openTestDatabase(t, 'embedded')
  const calls: string[] = []
  await database.listen('news', () => calls.push('news'))
  await database.listen('other', () => calls.push('other'))
  await database.operator.execute(sql`notify news`)
  t.same(calls, ['news', 'other', 'news'])
})

t.test('a long query leaves the event loop free', async t => {
  const database = await openTestDatabase(t, 'embedded')
  let answered = false
  const query = database.operator.execute(sql`select sum(sqrt(number)) from generate_series(1, 2000000) as number`)
    .then(() => { answered = true })
  for (let turn = 0; turn < 10; turn++) {
    await new Promise(resolve => setTimeout(resolve, 1))
    t.notOk(answered)
  }
  await query
})

t.test('if its thread dies, what is under way is rejected, and the next statement finds everything again', async t => {
  const workers: Worker[] = []
  const onWorker = (worker: Worker): void => { workers.push(worker) }
  process.on('worker', onWorker)
  t.teardown(() => process.off('worker', onWorker))
  const database = await open(t, temporaryFolder(t))
  const writer = createBatchWriter(database)
  await writer.write(batchOf(entry()))
  let calls = 0
  await database.listen('news', () => { calls++ })
  const underWay = database.recording.execute(sql`select sum(sqrt(number)) from generate_series(1, 20000000) as number`)
  const rejected = t.rejects(underWay, { cause: { message: /embedded database stopped/ } })
  await new Promise(resolve => setTimeout(resolve, 50))
  await workers.at(-1)?.terminate()
  await rejected
  await writer.write(batchOf(entry()))
  t.equal(await database.operator.$count(usageLogs), 2)
  t.equal(calls, 2)
  await database.operator.execute(sql`notify news`)
  t.equal(calls, 3)
})

t.test('counters do not bloat, vacuumed now and then', async t => {
  const database = await openTestDatabase(t, 'embedded')
  const writer = createBatchWriter(database)
  const payload = {
    prompt: 'p'.repeat(20_000), response: Array.from({ length: 3000 }, (_, i) => i.toString(36)).join(' ')
  }
  const sizeAfter = async (commits: number): Promise<number> => {
    for (let commit = 0; commit < commits; commit++) await writer.write(batchOf(entry({ logged: false }, payload)))
    await vacuumHotTables(database.operator)
    const [row] = await database.operator.execute<{ size: number }>(
      sql`select pg_total_relation_size('prompt_stats')::int + pg_total_relation_size('usage_rollups')::int as size`)
    return row?.size ?? 0
  }
  const before = await sizeAfter(50)
  for (let round = 0; round < 3; round++) t.ok(await sizeAfter(50) <= before * 1.1)
})
