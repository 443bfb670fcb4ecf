import t from 'tap'
import { sql } from 'drizzle-orm'
import { lockKeys } from '../../src/db/advisory-locks.js'
import type { Database } from '../../src/db/database.js'
import { RECORDED_BATCHES_KEPT_MS } from '../../src/db/recorded-batches-horizon.js'
import { recordedBatches } from '../../src/db/schema/index.js'
import { forgetOldBatches, scheduleRecordedBatches } from '../../src/jobs/recorded-batches.js'
import { forEachDatabase, silentLog } from '../helpers/database.js'

const nowMs = Date.UTC(2031, 0, 31)
const horizonMs = nowMs - RECORDED_BATCHES_KEPT_MS

/** `uuidV7` never goes back in time; these tests do. */
const uuidOf = (timeMs: number): string => {
  const time = timeMs.toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-000000000000`
}

/** A batch made at one moment and committed at another. */
const remember = async (database: Database, madeMs: number, recordedMs = madeMs): Promise<string> => {
  const id = uuidOf(madeMs)
  await database.operator.insert(recordedBatches).values({ id, recorded_at: new Date(recordedMs).toISOString() })
  return id
}

const kept = async (database: Database): Promise<string[]> =>
  (await database.operator.select({ id: recordedBatches.id }).from(recordedBatches)
    .orderBy(recordedBatches.id)).map(({ id }) => id)

forEachDatabase(t, 'a batch is remembered for as long as a journal may bring it again, and no longer', async (
  t, database
) => {
  await remember(database, horizonMs - 2)
  await remember(database, horizonMs - 1)
  const late = await remember(database, horizonMs - 3, horizonMs)
  const young = await remember(database, horizonMs)
  t.equal(await forgetOldBatches(database.operator, nowMs), 2)
  t.same(await kept(database), [late, young])
  t.equal(await forgetOldBatches(database.operator, nowMs), 0)
})

forEachDatabase(t, 'any number go, so many at a time', async (t, database) => {
  for (let i = 0; i < 7; i++) await remember(database, horizonMs - 1000 + i)
  t.equal(await forgetOldBatches(database.operator, nowMs, 3), 7)
  t.same(await kept(database), [])
})

forEachDatabase(t, 'nothing is done while another instance is at it', async (t, database, kind) => {
  const old = await remember(database, horizonMs - 1)
  // The embedded database has one session, which would hold the lock itself.
  if (kind === 'embedded') {
    t.equal(await forgetOldBatches(database.operator, nowMs), 1)
    return
  }
  await database.recording.transaction(async other => {
    await other.execute(sql`select pg_advisory_xact_lock(${lockKeys('recordedBatches')})`)
    t.equal(await forgetOldBatches(database.operator, nowMs), 0)
  })
  t.same(await kept(database), [old])
})

forEachDatabase(t, 'the job runs when it starts, and closing it waits for that', async (t, database) => {
  await remember(database, horizonMs - 1)
  await scheduleRecordedBatches(database.operator, silentLog, () => nowMs).close()
  t.same(await kept(database), [])
})

forEachDatabase(t, 'a failure is logged, and the job goes on', async (t, database) => {
  const errors: string[] = []
  const log = { ...silentLog, error: (_details: object, message: string) => { errors.push(message) } }
  await scheduleRecordedBatches(database.operator, log, () => Number.MAX_SAFE_INTEGER).close()
  t.same(errors, ['Could not delete the ids of old batches; trying again in a minute'])
})
