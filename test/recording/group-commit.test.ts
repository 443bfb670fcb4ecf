import { performance } from 'node:perf_hooks'
import t from 'tap'
import type {
  BatchEntry, CallRecord, FinishedCall, RecordBatch, StoredPayload
} from '../../src/recording/call-record.js'
import { callRecord } from '../helpers/batches.js'
import { call, ids, someTurns, start } from './group-commit-scene.js'

const payloads = (batch: RecordBatch): Array<string | null> =>
  batch.entries.map(({ payload }) => payload?.prompt ?? null)

/** Whether the promise has settled by now; what it waits for is given several turns of the event loop. */
async function settled (promise: Promise<unknown>): Promise<boolean> {
  let done = false
  void promise.then(() => { done = true })
  await someTurns()
  return done
}

t.test('calls that finish in one turn are one batch, and those that finish while it is saved are the next', async t => {
  const { group, saves, next } = start()
  const record = (id: string): Promise<void> => { group.expect(); return group.record(call(id)) }
  const first = ['1', '2'].map(record)
  const one = await next()
  t.equal(ids(one.batch), '1,2')
  const second = ['3', '4', '5'].map(record)
  t.equal(await settled(Promise.race([...first, ...second])), false, 'nobody is let go before the batch is safe')
  t.equal(saves.length, 0, 'one at a time')
  t.equal(group.pending, 5)
  one.end()
  await Promise.all(first)
  const two = await next()
  t.equal(ids(two.batch), '3,4,5')
  t.not(two.batch.id, one.batch.id)
  t.equal(group.pending, 3)
  two.end()
  await Promise.all(second)
  await group.flush()
  t.equal(group.pending, 0)
})

t.test('a call that is recorded the moment another is let go is saved too', async t => {
  const { group } = start({ onSave: () => {} })
  for (let turns = 0; turns < 8; turns++) {
    group.expect()
    await group.record(call('first'))
    // Somewhere in these turns of the microtask queue the run that served the first call ends.
    for (let i = 0; i < turns; i++) await Promise.resolve()
    group.expect()
    const second = group.record(call('second'))
    await group.flush()
    t.equal(group.pending, 0, `after ${turns} turns`)
    await second
  }
})

t.test('a batch has until recordWaitMs after its first record came', async t => {
  let clockMs = 1000
  t.intercept(performance, 'now', { value: () => clockMs })
  const { group, next } = start({ recordWaitMs: 20 })
  for (let i = 0; i < 3; i++) group.expect()
  const all = [group.record(call('1'))]
  clockMs = 1015
  all.push(group.record(call('2')))
  const one = await next()
  t.equal(one.deadlineMs, 1020)
  clockMs = 1018
  all.push(group.record(call('3')))
  clockMs = 1030
  one.end()
  const two = await next()
  t.equal(two.deadlineMs, 1038, 'also where it waited for the batch before it')
  two.end()
  await Promise.all(all)
})

t.test('a payload is built for the newest call of each type, and where full data is stored', async t => {
  const built: string[] = []
  const tracked = (id: string, changes: Partial<CallRecord>): FinishedCall =>
    call(id, changes, () => { built.push(id); return { prompt: id, response: id } })
  const { recordAll, next } = start()
  const all = recordAll([
    tracked('1-old', { promptType: 'a' }),
    tracked('2-full', { promptType: 'a', storeFullData: true }),
    tracked('3-b', { promptType: 'b', storeFullData: true, logged: false }),
    tracked('4-unlogged', { promptType: 'a', storeFullData: true, logged: false }),
    tracked('5-b2', { promptType: 'b', logged: false }),
    tracked('6-newest', { promptType: 'a' })
  ])
  const { batch, end } = await next()
  t.same(payloads(batch), [null, '2-full', null, null, '5-b2', '6-newest'])
  t.same(built, ['2-full', '5-b2', '6-newest'])
  end()
  await all
})

t.test('the newest call is the one that finished last, in whatever order they come', async t => {
  const { recordAll, next } = start()
  const at = callRecord().createdAtMs
  const all = recordAll([
    call('2', { createdAtMs: at + 1 }), call('3', { createdAtMs: at }), call('1', { createdAtMs: at + 1 })
  ])
  const { batch, end } = await next()
  t.same(payloads(batch), ['prompt of 2', null, null])
  end()
  await all
})

t.test('a payload that cannot be built does not stop the record or the line', async t => {
  const { recordAll, next, logged } = start()
  const all = recordAll([call('1', {}, () => { throw new Error('cannot be read') }), call('2', { promptType: 'b' })])
  const { batch, end } = await next()
  t.equal(ids(batch), '1,2')
  t.same(payloads(batch), [null, 'prompt of 2'])
  t.match(logged, [{ fields: { id: '1', err: { message: 'cannot be read' } } }])
  end()
  await all
})

t.test('a batch takes 512 records, and no more payload than a statement can hold well', async t => {
  const batches: BatchEntry[][] = []
  const batchIds = new Set<string>()
  const { recordAll } = start({ onSave: batch => { batches.push([...batch.entries]); batchIds.add(batch.id) } })
  const all = Array.from({ length: 1300 }, (_, i) => String(i))
  await recordAll(all.map(id => call(id)))
  t.same(batches.map(batch => batch.length), [512, 512, 276])
  t.same(batches.flat().map(({ record }) => record.id), all)

  batches.length = 0
  batchIds.clear()
  const large = (): StoredPayload => ({ prompt: 'x'.repeat(1024 * 1024), response: 'y'.repeat(1024 * 1024) })
  const largeCalls = Array.from({ length: 10 }, (_, i) => call(String(i), { storeFullData: true }, large))
  const huge = call('a', {}, () => ({ prompt: 'x'.repeat(20 * 1024 * 1024), response: null }))
  await recordAll([...largeCalls, huge])
  t.same(batches.flat().map(({ record }) => record.id), ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a'])
  t.ok(batches.every(batch => batch.length === 1 || batch.length <= 4))
  t.same(batches.at(-1)?.map(({ record }) => record.id), ['a'], 'one alone goes whatever its size')
  t.ok(batches.flat().every(({ payload }) => payload !== null))
  t.equal(batchIds.size, batches.length, 'each part is a batch of its own')
})

t.test('of a batch that is divided, each part has the payload of its newest calls', async t => {
  const batches: RecordBatch[] = []
  const { recordAll } = start({ onSave: batch => { batches.push(batch) } })
  const large = (): StoredPayload => ({ prompt: 'x'.repeat(5 * 1024 * 1024), response: null })
  await recordAll([
    call('1', { promptType: 'b' }), call('2'), call('3'), call('4', { promptType: 'b' }, large), call('5', {}, large)
  ])
  t.same(batches.map(ids), ['1,2,3', '4', '5'])
  t.same(batches.map(batch => payloads(batch).map(payload => payload?.slice(0, 11))), [
    ['prompt of 1', undefined, 'prompt of 3'], ['xxxxxxxxxxx'], ['xxxxxxxxxxx']
  ])
})
