import { performance } from 'node:perf_hooks'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { gate } from '../helpers/gate.js'
import { until } from '../helpers/until.js'
import { Scene, batch, hang, idsOf, nowMs, shorten, within } from './durable-writer-scene.js'

const away = new Error('the database is away')
const full = new Error('the disk is full')

t.test('a batch that is committed in time is in the database only', async t => {
  const scene = new Scene(t)
  await scene.writer.save(batch('1', '2'), within(5000))
  t.same(scene.books, ['1', '2'])
  t.same(scene.journal, [])
  t.same(scene.events, ['committed 2'])
  t.equal(scene.writer.isUnavailable, false)
  t.same(scene.logged, [])
})

t.test('a write that fails is tried again with the same batch until its time is up', async t => {
  const scene = new Scene(t)
  let failures = 2
  scene.onWrite = () => { if (failures-- > 0) throw away }
  await scene.writer.save(batch('1'), within(60_000))
  t.same(scene.writes, ['1', '1', '1'])
  t.same(scene.events, ['committed 1'])
  t.equal(scene.writer.isUnavailable, false)
})

t.test('a write that hangs goes to the journal when its time is up, and the next ones at once', async t => {
  const scene = new Scene(t)
  scene.onWrite = hang
  scene.onPing = hang
  const startedAtMs = performance.now()
  await scene.writer.save(batch('1'), within(30))
  t.ok(performance.now() - startedAtMs >= 29)
  t.equal(scene.writer.isUnavailable, true)
  t.same(scene.journal.map(idsOf), ['1'])
  await scene.writer.save(batch('2'), within(1_000_000))
  await scene.writer.save(batch('3'), within(1_000_000))
  t.same(scene.journal.map(idsOf), ['1', '2', '3'])
  t.same(scene.events, ['journaled 1', 'journaled 1', 'journaled 1'])
  t.match(scene.messages('error'), [/go to the journal/])
  t.equal(scene.messages('error').length, 1, 'told once')
})

t.test('a batch whose time was up before its turn came is tried, and is safe either way', async t => {
  const scene = new Scene(t)
  scene.onWrite = hang
  await scene.writer.save(batch('1'), performance.now() - 100)
  t.same(scene.journal.map(idsOf), ['1'])
})

t.test('the journal is replayed in order, and with its first success new batches go to the database again', async t => {
  const scene = new Scene(t)
  scene.onWrite = () => { throw away }
  await scene.writer.save(batch('1'), within(1))
  await scene.writer.save(batch('2'), within(1))
  await scene.writer.save(batch('3', '4'), within(1))
  t.same(scene.journal.map(idsOf), ['1', '2', '3,4'])
  const second = gate()
  scene.onWrite = async batch => { if (idsOf(batch) === '2') await second.passed() }
  await until(() => !scene.writer.isUnavailable)
  await scene.writer.save(batch('5'), within(60_000))
  t.same(scene.books, ['1', '5'], 'beside what is left of the journal')
  second.open()
  await until(() => scene.journal.length === 0)
  t.same(scene.books, ['1', '5', '2', '3', '4'])
  t.same(scene.events.filter(event => !event.startsWith('journaled')), [
    'replayed 1', 'committed 1', 'replayed 1', 'replayed 2'
  ])
  t.same(scene.messages('info'), ['the database accepts records again'])
})

t.test('a commit whose answer was lost is not committed again by the replay', async t => {
  const scene = new Scene(t)
  const late = gate()
  let writes = 0
  scene.onWrite = async () => { if (++writes === 1) await late.passed() }
  const one = batch('1')
  await scene.writer.save(one, within(5))
  await until(() => scene.journal.length === 0)
  late.open()
  await nextTurn()
  t.same([...scene.committed], [[one.id, '1']])
})

t.test('while there is nothing to replay a ping finds the database again', async t => {
  const scene = new Scene(t)
  scene.onWrite = () => { throw away }
  scene.onPing = () => { throw away }
  scene.onAppend = () => { throw full }
  await scene.writer.save(batch('1'), within(1))
  t.same([scene.writer.isUnavailable, scene.writer.journalFails], [true, true])
  scene.onPing = () => {}
  await until(() => !scene.writer.isUnavailable)
  scene.onWrite = () => {}
  await scene.writer.save(batch('2'), within(60_000))
  t.same(scene.books, ['2'])
})

t.test('what neither takes is counted as lost, logged once a minute, and over once the disk is mended', async t => {
  let offsetMs = 0
  const clock = performance.now.bind(performance)
  t.intercept(performance, 'now', { value: () => clock() + offsetMs })
  const scene = new Scene(t)
  scene.onWrite = () => { throw away }
  scene.onPing = hang
  scene.onAppend = () => { throw full }
  const losses = (): unknown[] => scene.logged.filter(({ message }) => message.startsWith('records are lost'))
    .map(({ fields }) => fields['records'])
  await scene.writer.save(batch('1', '2'), within(1))
  await until(() => scene.events.length > 0)
  for (const id of ['3', '4', '5']) await scene.writer.save(batch(id), within(1))
  t.same(scene.events, ['lost 2', 'lost 1', 'lost 1', 'lost 1'])
  t.same(losses(), [2])
  t.equal(scene.writer.journalFails, true)
  offsetMs += 59_000
  await scene.writer.save(batch('6'), within(1))
  t.same(losses(), [2])
  offsetMs += 1_001
  await scene.writer.save(batch('7'), within(1))
  t.same(losses(), [2, 5], 'with those that were lost meanwhile')
  scene.onAppend = () => {}
  await scene.writer.save(batch('8'), within(1))
  t.equal(scene.writer.journalFails, false)
  t.same(scene.journal.map(idsOf), ['8'])
})

t.test('with a disk that refuses, a commit that is only late is no loss, and the database that is back ends the alarm', async t => {
  const scene = new Scene(t)
  const commit = gate()
  scene.onWrite = commit.passed
  scene.onPing = hang
  scene.onAppend = () => { throw full }
  await scene.writer.save(batch('1'), within(1))
  t.equal(scene.writer.journalFails, true)
  scene.onPing = () => {}
  commit.open()
  shorten(t, 10_000)
  await until(() => !scene.writer.isUnavailable || scene.reconnects > 0)
  await until(() => !scene.writer.isUnavailable)
  t.equal(scene.writer.journalFails, false)
  t.same(scene.events, [])
})

t.test('a statement that is not answered for 10 s is given up with its connections', async t => {
  shorten(t, 10_000)
  const scene = new Scene(t)
  scene.onWrite = hang
  scene.onPing = hang
  await scene.writer.save(batch('1'), within(1))
  await until(() => scene.reconnects > 1)
  t.equal(scene.writer.isUnavailable, true)
  t.match(scene.messages('warn'), [/does not accept the records of the journal/])
  scene.onWrite = () => {}
  await until(() => scene.journal.length === 0)
  t.same(scene.books, ['1'])
})

t.test('a ping that is not answered is given up likewise', async t => {
  shorten(t, 10_000)
  const scene = new Scene(t)
  scene.onWrite = () => { throw away }
  scene.onAppend = () => { throw full }
  scene.onPing = hang
  await scene.writer.save(batch('1'), within(1))
  await until(() => scene.reconnects > 1)
  scene.onPing = () => {}
  await until(() => !scene.writer.isUnavailable)
  t.same(scene.journal, [])
})

t.test('what an earlier run left is replayed at the start', async t => {
  const scene = new Scene(t)
  scene.journal.push(batch('1'), batch('2'))
  scene.writer.start()
  t.equal(scene.writer.isUnavailable, false, 'new batches need not wait for it')
  await until(() => scene.journal.length === 0)
  t.same(scene.books, ['1', '2'])
})

t.test('a start with nothing left does nothing', async t => {
  const scene = new Scene(t)
  scene.onPing = () => { t.fail('pinged') }
  scene.onOldest = () => { t.fail('read') }
  scene.writer.start()
  await nextTurn()
  t.same(scene.logged, [])
})

t.test('a batch of which the database may have forgotten that it has it is kept aside', async t => {
  const scene = new Scene(t, { now: () => nowMs + 1001 })
  scene.journal.push(batch('1', '2'))
  scene.writer.start()
  await until(() => scene.journal.length === 0)
  t.match(scene.aside, [/^1: Error: .*too old/, /^2: Error: .*too old/])
  t.same(scene.writes, [])
  t.same(scene.events, ['rejected 1', 'rejected 1'])
})

t.test('… which says nothing of whether the database is there', async t => {
  const scene = new Scene(t, { now: () => nowMs + 1001 })
  scene.onWrite = hang
  const asking = gate()
  scene.onPing = async () => { asking.open(); await hang() }
  await scene.writer.save(batch('1'), within(1))
  await asking.passed()
  t.same(scene.aside.length, 1)
  t.equal(scene.writer.isUnavailable, true)
  t.same(scene.messages('info'), [])
})

t.test('close ends the replay soon, though the database hangs; what is left stays in the journal', async t => {
  const scene = new Scene(t)
  scene.onWrite = hang
  scene.journal.push(batch('1'))
  scene.writer.start()
  await until(() => scene.writes.length === 1)
  const startedAtMs = performance.now()
  await scene.writer.close()
  t.ok(performance.now() - startedAtMs < 5000)
  t.same(scene.journal.map(idsOf), ['1'])
})

t.test('close does not wait for the next try', async t => {
  const scene = new Scene(t)
  scene.onWrite = () => { throw away }
  scene.journal.push(batch('1'))
  scene.writer.start()
  // By now the pauses are longer than what close waits for a write.
  await until(() => scene.writes.length === 6)
  const startedAtMs = performance.now()
  await scene.writer.close()
  t.ok(performance.now() - startedAtMs < 900)
})

t.test('a record that comes after the close goes to the journal at once where the database is away', async t => {
  const scene = new Scene(t)
  scene.onWrite = () => { throw away }
  await scene.writer.close()
  await scene.writer.save(batch('1'), within(60_000))
  t.same(scene.writes, ['1'])
  t.same(scene.journal.map(idsOf), ['1'])
})

t.test('a journal that cannot be read does not keep new batches from a database that is back', async t => {
  const scene = new Scene(t)
  scene.onWrite = () => { throw away }
  scene.onOldest = () => { throw new Error('EIO') }
  await scene.writer.save(batch('1'), within(1))
  scene.onWrite = () => {}
  await until(() => !scene.writer.isUnavailable)
  await scene.writer.save(batch('2'), within(60_000))
  t.same(scene.books, ['2'])
  scene.onOldest = () => {}
  await until(() => scene.journal.length === 0)
  t.same(scene.books, ['2', '1'])
})

t.test('no batch is stranded in the journal, whenever it comes while another is replayed', async t => {
  // The second batch's append ends after so many turns of the microtask queue, of which the replay's last are some.
  for (let turns = 0; turns < 40; turns++) {
    const scene = new Scene(t)
    let failing = true
    const second = gate()
    scene.onWrite = () => {
      if (failing) throw away
      second.open()
    }
    scene.onAppend = async one => {
      if (idsOf(one) !== '2') return
      await second.passed()
      for (let i = 0; i < turns; i++) await Promise.resolve()
    }
    await scene.writer.save(batch('1'), within(1))
    const saved = scene.writer.save(batch('2'), within(1))
    failing = false
    await saved
    await until(() => scene.journal.length === 0)
    t.same(scene.books, ['1', '2'], `after ${turns} turns`)
    t.equal(scene.writer.isUnavailable, false)
  }
})
