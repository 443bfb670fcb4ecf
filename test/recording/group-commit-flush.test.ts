import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { GroupCommit } from '../../src/recording/group-commit.js'
import type { RecordBatch } from '../../src/recording/call-record.js'
import { callRecord } from '../helpers/batches.js'
import { silentLog } from '../helpers/database.js'

const finished = (id: string) => ({
  record: callRecord({ id }), buildPayload: () => ({ prompt: null, response: null })
})

const groupOver = (save: (batch: RecordBatch) => Promise<void>): GroupCommit =>
  new GroupCommit({ save, recordWaitMs: 60_000, now: Date.now, log: silentLog })

/** How far a flush has come, after several turns of the event loop. */
function watch (promise: Promise<void>): () => Promise<boolean> {
  let done = false
  void promise.then(() => { done = true })
  return async () => {
    for (let i = 0; i < 5; i++) await nextTurn()
    return done
  }
}

t.test('flush waits for what is in line, and for what comes meanwhile', async t => {
  const ends: (() => void)[] = []
  const group = groupOver(() => new Promise(resolve => { ends.push(resolve) }))
  await group.flush()
  group.expect()
  void group.record(finished('1'))
  const isFlushed = watch(group.flush())
  t.equal(await isFlushed(), false)
  group.expect()
  void group.record(finished('2'))
  ends[0]?.()
  t.equal(await isFlushed(), false)
  t.equal(ends.length, 2)
  ends[1]?.()
  t.equal(await isFlushed(), true)
  t.equal(group.pending, 0)
})

t.test('flush waits for calls that are under way, one after the other', async t => {
  const saved: string[] = []
  const group = groupOver(batch => {
    saved.push(...batch.entries.map(({ record }) => record.id))
    return Promise.resolve()
  })
  group.expect()
  group.expect()
  const isFlushed = watch(group.flush())
  t.equal(await isFlushed(), false)
  await group.record(finished('1'))
  t.equal(await isFlushed(), false)
  await group.record(finished('2'))
  t.equal(await isFlushed(), true)
  t.same(saved, ['1', '2'])
})

t.test('several may wait for one flush', async t => {
  const group = groupOver(() => Promise.resolve())
  group.expect()
  const flushes = [watch(group.flush()), watch(group.flush())]
  await group.record(finished('1'))
  t.same(await Promise.all(flushes.map(isFlushed => isFlushed())), [true, true])
})

t.test('once flushed, nothing of it keeps the process from ending', async t => {
  const timers = (): number => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
  const group = groupOver(() => Promise.resolve())
  const before = timers()
  for (let i = 0; i < 4; i++) group.expect()
  await Promise.all(['1', '2', '3', '4'].map(id => group.record(finished(id))))
  await group.flush()
  t.equal(timers(), before)
})
