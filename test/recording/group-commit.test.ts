import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import type { BatchEntry, CallRecord, FinishedCall, RecordBatch, StoredPayload } from '../../src/recording/call-record.js'
import { GroupCommit, type GroupCommitOptions } from '../../src/recording/group-commit.js'
import { callRecord } from '../helpers/batches.js'

const call = (id: string, changes: Partial<CallRecord> = {}, buildPayload = (): StoredPayload => ({ prompt: `prompt of ${id}`, response: null })): FinishedCall =>
  ({ record: callRecord({ promptType: 'a', ...changes, id }), buildPayload })

/** An end that the test decides on. */
interface Write {
  readonly batch: RecordBatch
  readonly succeed: () => void
  readonly fail: (error: Error) => void
}

interface Logged { readonly fields: object, readonly message: string }

/** A database that the test plays: each write waits in `writes` for its end, or ends as `answer` says. */
function start (changes: Partial<GroupCommitOptions> & { readonly answer?: (batch: RecordBatch) => void } = {}): {
  recorder: GroupCommit, writes: Write[], next: () => Promise<Write>, aside: Array<[string, unknown]>, logged: Logged[]
} {
  const writes: Write[] = []
  const aside: Array<[string, unknown]> = []
  const logged: Logged[] = []
  const log = (fields: object, message: string): void => { logged.push({ fields, message }) }
  const { answer, ...options } = changes
  const recorder = new GroupCommit({
    write: async batch => {
      if (answer === undefined) await new Promise<void>((resolve, reject) => { writes.push({ batch, succeed: resolve, fail: reject }) })
      else answer(batch)
    },
    isRefusal: error => error instanceof RangeError,
    setAside: (entry, error) => { aside.push([entry.record.id, error]); return Promise.resolve() },
    recordWaitMs: 500,
    now: () => 1_700_000_000_000,
    log: { debug: log, info: log, warn: log, error: log },
    ...options
  })
  const next = async (): Promise<Write> => {
    for (;;) {
      const write = writes.shift()
      if (write !== undefined) return write
      await nextTurn()
    }
  }
  return { recorder, writes, next, aside, logged }
}

const ids = (batch: RecordBatch): string => batch.entries.map(({ record }) => record.id).join()
const payloads = (batch: RecordBatch): Array<string | null> => batch.entries.map(({ payload }) => payload?.prompt ?? null)

/** Whether the promise has settled by now; what it waits for is given several turns of the event loop. */
async function settled (promise: Promise<unknown>): Promise<boolean> {
  let done = false
  void promise.then(() => { done = true })
  for (let i = 0; i < 5; i++) await nextTurn()
  return done
}

t.test('calls that finish in one turn are one batch, and those that finish while a commit is on its way are the next', async t => {
  const { recorder, writes, next } = start()
  const first = [recorder.record(call('1')), recorder.record(call('2'))]
  const one = await next()
  t.equal(ids(one.batch), '1,2')
  const second = ['3', '4', '5'].map(id => recorder.record(call(id)))
  t.equal(await settled(Promise.race([...first, ...second])), false, 'nobody is let go before the commit')
  t.equal(writes.length, 0, 'one commit at a time')
  t.equal(recorder.pending, 5)
  one.succeed()
  await Promise.all(first)
  const two = await next()
  t.equal(ids(two.batch), '3,4,5')
  t.not(two.batch.id, one.batch.id)
  t.equal(recorder.pending, 3)
  two.succeed()
  await Promise.all(second)
  await recorder.flush()
  t.equal(recorder.pending, 0)
})

t.test('a call that is recorded the moment another is let go is committed too', async t => {
  const { recorder } = start({ answer: () => {} })
  for (let turns = 0; turns < 8; turns++) {
    await recorder.record(call('first'))
    // Somewhere in these turns of the microtask queue the run that served the first call ends.
    for (let i = 0; i < turns; i++) await Promise.resolve()
    const second = recorder.record(call('second'))
    await recorder.flush()
    t.equal(recorder.pending, 0, `after ${turns} turns`)
    await second
  }
})

t.test('a batch that could not be committed is tried again with its id and contents, until it can', async t => {
  const { recorder, next, logged } = start()
  const waiting = recorder.record(call('1'))
  const tries = [await next()]
  const late = recorder.record(call('2'))
  t.equal(recorder.failing, false)
  for (let i = 0; i < 2; i++) {
    tries.at(-1)?.fail(new Error('the database is away'))
    tries.push(await next())
    t.equal(recorder.failing, true)
  }
  t.equal(new Set(tries.map(({ batch }) => batch)).size, 1, 'the very same batch')
  t.equal(await settled(waiting), false)
  tries.at(-1)?.succeed()
  await waiting
  t.equal(recorder.failing, false)
  const next2 = await next()
  t.equal(ids(next2.batch), '2')
  next2.succeed()
  await late
  t.same(logged.map(({ message }) => message), ['records cannot be committed; trying again until they are', 'the database takes records again'])
})

t.test('a caller waits no longer than recordWaitMs, and its record stays in line', async t => {
  let clock = 0
  const { recorder, next } = start({ recordWaitMs: 20, monotonicMs: () => clock })
  const first = recorder.record(call('1'))
  const write = await next()
  clock = 10
  const second = recorder.record(call('2'))
  clock = 19
  t.equal(await settled(first), false)
  clock = 20
  await first
  t.equal(await settled(second), false, 'each has its own deadline')
  clock = 30
  await second
  t.equal(recorder.pending, 2)
  write.succeed()
  const later = await next()
  t.equal(ids(later.batch), '2')
  later.succeed()
  await recorder.flush()
  t.equal(recorder.pending, 0)
})

t.test('a wall clock that is set back does not make callers wait', async t => {
  let now = 1_700_000_000_000
  const { recorder, next } = start({ recordWaitMs: 20, now: () => now })
  const waiting = recorder.record(call('1'))
  const write = await next()
  now -= 3_600_000
  await waiting
  t.equal(recorder.pending, 1)
  write.succeed()
  await recorder.flush()
})

t.test('refused records are found and set aside; the others are committed once, in order', async t => {
  const refused = new Set(['0', '6', '7', '12'])
  const committed: string[] = []
  const batchIds: string[] = []
  const { recorder, aside } = start({
    answer: batch => {
      batchIds.push(batch.id)
      if (batch.entries.some(({ record }) => refused.has(record.id))) throw new RangeError('bad data')
      committed.push(...batch.entries.map(({ record }) => record.id))
    }
  })
  const all = Array.from({ length: 13 }, (_, i) => String(i))
  await Promise.all(all.map(id => recorder.record(call(id))))
  t.same(committed, all.filter(id => !refused.has(id)))
  t.same(aside.map(([id]) => id), [...refused])
  t.ok(aside.every(([, error]) => error instanceof RangeError))
  t.equal(new Set(batchIds).size, batchIds.length, 'a part is another batch than the whole')
  t.equal(recorder.pending, 0)
})

t.test('a part of a refused batch waits for the database as the whole would', async t => {
  const { recorder, next, aside } = start()
  const all = Promise.all(['1', '2'].map(id => recorder.record(call(id))))
  ;(await next()).fail(new RangeError('bad data'))
  const part = await next()
  part.fail(new Error('the database is away'))
  const again = await next()
  t.equal(again.batch, part.batch)
  t.equal(ids(again.batch), '1')
  again.succeed()
  ;(await next()).fail(new RangeError('bad data'))
  await all
  t.same(aside.map(([id]) => id), ['2'])
  t.equal(recorder.failing, false)
})

t.test('a record that can be neither committed nor set aside is lost aloud, and no other with it', async t => {
  const committed: string[] = []
  const { recorder, logged } = start({
    answer: batch => {
      if (ids(batch).includes('bad')) throw new RangeError('bad data')
      committed.push(ids(batch))
    },
    setAside: () => Promise.reject(new Error('the disk is full'))
  })
  await Promise.all([recorder.record(call('1')), recorder.record(call('bad')), recorder.record(call('2'))])
  await recorder.record(call('3'))
  t.same(committed, ['1', '2', '3'])
  t.equal(recorder.pending, 0)
  t.match(logged, [{ fields: { id: 'bad', err: { message: 'the disk is full' }, refusal: { message: 'bad data' } }, message: /lost/ }])
  t.equal(logged.length, 1)
})

t.test('a payload is built for the newest call of each type, and where full data is stored', async t => {
  const built: string[] = []
  const tracked = (id: string, changes: Partial<CallRecord>): FinishedCall =>
    call(id, changes, () => { built.push(id); return { prompt: id, response: id } })
  const { recorder, next } = start()
  const all = Promise.all([
    tracked('1-old', { promptType: 'a' }),
    tracked('2-full', { promptType: 'a', storeFullData: true }),
    tracked('3-b', { promptType: 'b', storeFullData: true, logged: false }),
    tracked('4-unlogged', { promptType: 'a', storeFullData: true, logged: false }),
    tracked('5-b2', { promptType: 'b', logged: false }),
    tracked('6-newest', { promptType: 'a' })
  ].map(call => recorder.record(call)))
  const { batch, succeed } = await next()
  t.same(payloads(batch), [null, '2-full', null, null, '5-b2', '6-newest'])
  t.same(built, ['2-full', '5-b2', '6-newest'])
  succeed()
  await all
})

t.test('of a batch that is divided, each part has the payload of its newest calls', async t => {
  const { recorder, next } = start()
  const all = Promise.all(['1', '2', '3'].map(id => recorder.record(call(id))))
  const whole = await next()
  t.same(payloads(whole.batch), [null, null, 'prompt of 3'])
  whole.fail(new RangeError('bad data'))
  const first = await next()
  t.same(payloads(first.batch), [null, 'prompt of 2'])
  first.succeed()
  const last = await next()
  t.same(payloads(last.batch), ['prompt of 3'])
  last.fail(new RangeError('bad data'))
  await all
})

t.test('a payload that cannot be built does not stop the record or the line', async t => {
  const { recorder, next, logged } = start()
  const all = Promise.all([
    recorder.record(call('1', {}, () => { throw new Error('cannot be read') })),
    recorder.record(call('2', { promptType: 'b' }))
  ])
  const { batch, succeed } = await next()
  t.equal(ids(batch), '1,2')
  t.same(payloads(batch), [null, 'prompt of 2'])
  t.match(logged, [{ fields: { id: '1', err: { message: 'cannot be read' } } }])
  succeed()
  await all
})

t.test('a batch takes 512 records, and no more payload than a statement can hold well', async t => {
  const batches: BatchEntry[][] = []
  const { recorder } = start({ answer: batch => { batches.push([...batch.entries]) } })
  await Promise.all(Array.from({ length: 1300 }, (_, i) => recorder.record(call(String(i)))))
  t.same(batches.map(batch => batch.length), [512, 512, 276])
  t.same(batches.flat().map(({ record }) => record.id), Array.from({ length: 1300 }, (_, i) => String(i)))

  batches.length = 0
  const large = (): StoredPayload => ({ prompt: 'x'.repeat(1024 * 1024), response: 'y'.repeat(1024 * 1024) })
  const largeCalls = Array.from({ length: 10 }, (_, i) => call(String(i), { storeFullData: true }, large))
  const huge = call('a', {}, () => ({ prompt: 'x'.repeat(20 * 1024 * 1024), response: null }))
  await Promise.all([...largeCalls, huge].map(call => recorder.record(call)))
  t.same(batches.flat().map(({ record }) => record.id), ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a'])
  t.ok(batches.every(batch => batch.length === 1 || batch.length <= 4))
  t.same(batches.at(-1)?.map(({ record }) => record.id), ['a'], 'one alone goes whatever its size')
  t.ok(batches.flat().every(({ payload }) => payload !== null))
})

t.test('flush waits for all there is, also for what comes meanwhile', async t => {
  const { recorder, next } = start({ recordWaitMs: 1 })
  await recorder.flush()
  void recorder.record(call('1'))
  const flushed = recorder.flush()
  const one = await next()
  void recorder.record(call('2'))
  one.succeed()
  const two = await next()
  t.equal(await settled(flushed), false)
  two.succeed()
  await flushed
  t.equal(recorder.pending, 0)
})
