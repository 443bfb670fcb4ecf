import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { RecordBatch } from '../../src/recording/call-record.js'
import { gate } from '../helpers/gate.js'
import { until } from '../helpers/until.js'
import { Refusal, Scene, StatementRefusal, batch, idsOf, within } from './durable-writer-scene.js'

const away = new Error('the database is away')
const all = Array.from({ length: 13 }, (_, i) => String(i))

/** A database that takes no batch with one of these records. */
const refuse = (scene: Scene, ...bad: string[]): void => {
  const check = (batch: RecordBatch): void => {
    if (batch.entries.some(({ record }) => bad.includes(record.id))) throw new Refusal('bad data')
  }
  scene.onWrite = check
  scene.onTryOut = check
}

t.test('refused records are found and kept aside; the others are one commit, under the batch\'s own id, in order', async t => {
  const scene = new Scene(t)
  refuse(scene, '0', '6', '7', '12')
  const whole = batch(...all)
  await scene.writer.save(whole, within(60_000))
  t.same([...scene.committed], [[whole.id, '1,2,3,4,5,8,9,10,11']])
  t.same(scene.aside, ['0', '6', '7', '12'].map(id => `${id}: Error: bad data`))
  t.same(scene.events, ['rejected 1', 'rejected 1', 'rejected 1', 'rejected 1', 'committed 9'])
  t.equal(scene.writer.isUnavailable, false)
  t.same(scene.journal, [])
})

t.test('a batch that is refused whole waits in the journal, aloud; its records are aside once others went in, and hold up nobody', async t => {
  for (const ids of [['1'], ['1', '2'], all]) {
    const scene = new Scene(t)
    refuse(scene, ...ids)
    const whole = batch(...ids)
    await scene.writer.save(whole, within(60_000))
    t.same(scene.events, [`refused ${ids.length}`, `journaled ${ids.length}`])
    t.equal(scene.writer.isUnavailable, true)
    await sleep(300)
    t.same(
      [scene.aside, scene.journal.length], [[], 1], 'tried again, and again refused: still the database may be at fault'
    )
    await scene.writer.save(batch('other'), within(60_000))
    await until(() => scene.journal.length === 0)
    t.same(scene.aside, ids.map(id => `${id}: Error: bad data`))
    t.same(scene.books, ['other'])
    t.equal(scene.writer.isUnavailable, false)
    t.match(scene.logged.filter(({ level }) => level === 'error'), [
      { fields: { records: ids.length }, message: /rejects whole batches.*Fix the database/ },
      ...ids.map(id => ({ fields: { id } }))
    ])
  }
})

t.test('a database that refuses everything, and then takes it again, costs no record its place in the books', async t => {
  for (const error of [new Refusal('a trigger'), new StatementRefusal('not supported')]) {
    const scene = new Scene(t)
    let refuses = true
    const check = (): void => { if (refuses) throw error }
    scene.onWrite = check
    scene.onTryOut = check
    for (const ids of [['1', '2'], ['3'], ['4', '5', '6']]) await scene.writer.save(batch(...ids), within(60_000))
    await sleep(500)
    t.same([scene.journal.length, scene.aside], [3, []])
    t.equal(scene.events.filter(event => event.startsWith('refused')).length, 3, 'each batch is counted once')
    t.equal(scene.messages('error').length, 1, 'and told once a minute')
    refuses = false
    await until(() => scene.journal.length === 0)
    t.same(scene.books.toSorted(), ['1', '2', '3', '4', '5', '6'])
    t.same(scene.aside, [])
  }
})

t.test('a statement that is refused is no record\'s fault, whatever else goes in: it waits, and holds up nobody', async t => {
  const scene = new Scene(t)
  const check = (batch: RecordBatch): void => {
    if (batch.entries.some(({ record }) => record.id === 'odd')) throw new StatementRefusal('not supported')
  }
  scene.onWrite = check
  scene.onTryOut = check
  await scene.writer.save(batch('odd', 'good'), within(60_000))
  for (const id of ['1', '2', '3']) await scene.writer.save(batch(id), within(60_000))
  await until(() => scene.books.length === 3)
  await sleep(300)
  t.same([scene.aside, scene.journal.map(idsOf)], [[], ['odd,good']])
  scene.onWrite = () => {}
  await until(() => scene.journal.length === 0)
  t.same(scene.books.toSorted(), ['1', '2', '3', 'good', 'odd'])
})

t.test('many poisoned batches in the journal do not hold up those behind them', async t => {
  const scene = new Scene(t)
  const bad = Array.from({ length: 12 }, (_, i) => `bad${i}`)
  refuse(scene, ...bad)
  for (const id of bad) scene.journal.push(batch(id))
  scene.journal.push(batch('good'))
  scene.writer.start()
  await until(() => scene.journal.length === 0)
  t.same(scene.books, ['good'])
  t.equal(scene.aside.length, 12)
})

t.test('records of which each would do, only not all together, are aside once others went in, all of them', async t => {
  const scene = new Scene(t)
  const together = (batch: RecordBatch): void => { if (batch.entries.length > 1) throw new Refusal('too much') }
  scene.onWrite = together
  scene.onTryOut = together
  await scene.writer.save(batch('1', '2'), within(60_000))
  t.same([scene.aside, scene.journal.length], [[], 1])
  await scene.writer.save(batch('3'), within(60_000))
  await until(() => scene.journal.length === 0)
  t.same(scene.aside.length, 2)
  t.same(scene.books, ['3'])
})

t.test('a batch that is refused whole while the disk refuses too is lost, aloud', async t => {
  const scene = new Scene(t)
  refuse(scene, '1')
  scene.onAppend = () => { throw new Error('the disk is full') }
  await scene.writer.save(batch('1'), within(60_000))
  await until(() => scene.events.includes('lost 1'))
  t.same(scene.aside, [])
})

t.test('a refusal that passes by costs no record its place in the books', async t => {
  const scene = new Scene(t)
  let refusals = 1
  scene.onWrite = () => { if (refusals-- > 0) throw new Refusal('the config was deleted') }
  await scene.writer.save(batch('1', '2', '3'), within(60_000))
  t.same(scene.books, ['1', '2', '3'])
  t.same(scene.aside, [])
})

t.test('a database that comes to itself in the middle of the search has all records', async t => {
  for (let refusals = 1; refusals < 16; refusals++) {
    const scene = new Scene(t)
    let left = refusals
    const check = (): void => { if (left-- > 0) throw new Refusal('a trigger') }
    scene.onWrite = check
    scene.onTryOut = check
    await scene.writer.save(batch('1', '2', '3', '4', '5'), within(60_000))
    await until(() => scene.journal.length === 0 && !scene.writer.isUnavailable)
    t.same([scene.books, scene.aside], [['1', '2', '3', '4', '5'], []], `after ${refusals} refusals`)
  }
})

t.test('in the journal, too, a batch has refused records', async t => {
  const scene = new Scene(t)
  refuse(scene, '2')
  scene.journal.push(batch('1', '2', '3'))
  scene.writer.start()
  await until(() => scene.journal.length === 0)
  t.same(scene.books, ['1', '3'])
  t.same(scene.events, ['rejected 1', 'replayed 2'])
})

t.test('a database that goes away while refused records are looked for has the batch later, and each record once', async t => {
  // Of the batch with two bad ones this many statements are answered before it goes away.
  for (let answered = 1; answered < 12; answered++) {
    const scene = new Scene(t)
    refuse(scene, '1', '4')
    let statements = 0
    const { onWrite } = scene
    const counted = (batch: RecordBatch): void => {
      if (++statements > answered && statements < answered + 3) throw away
      void onWrite(batch)
    }
    scene.onWrite = counted
    scene.onTryOut = counted
    const whole = batch('0', '1', '2', '3', '4')
    await scene.writer.save(whole, within(1))
    await until(() => scene.journal.length === 0 && !scene.writer.isUnavailable)
    t.same([...scene.committed], [[whole.id, '0,2,3']], `after ${answered} statements`)
    t.same(scene.aside.map(line => line[0]), ['1', '4'], 'none is aside twice')
  }
})

t.test('a search that takes longer than the batch has is given up; the replay begins it again', async t => {
  const scene = new Scene(t)
  refuse(scene, '1')
  const check = scene.onTryOut
  const slow = gate()
  let tries = 0
  scene.onTryOut = async part => {
    if (++tries === 1) await slow.passed()
    await check(part)
  }
  const whole = batch('1', '2')
  await scene.writer.save(whole, within(20))
  t.equal(scene.events[0], 'journaled 2')
  await until(() => scene.journal.length === 0)
  slow.open()
  await new Promise(resolve => setImmediate(resolve))
  t.same(scene.aside, ['1: Error: bad data'])
  t.same(scene.events, ['journaled 2', 'rejected 1', 'replayed 1'])
  t.same([...scene.committed], [[whole.id, '2']])
})

t.test('a record that can be neither committed nor kept aside is lost aloud, and no other with it', async t => {
  const scene = new Scene(t)
  refuse(scene, 'bad')
  scene.onSetAside = () => { throw new Error('the disk is full') }
  await scene.writer.save(batch('1', 'bad', '2'), within(60_000))
  t.same(scene.books, ['1', '2'])
  t.same(scene.events, ['lost 1', 'committed 2'])
  t.match(scene.logged, [
    {
      level: 'error',
      fields: { id: 'bad', err: { message: 'the disk is full' }, rejection: { message: 'bad data' } },
      message: /lost/
    }
  ])
  t.equal(scene.logged.length, 1)
})

t.test('many refused records take many statements, each of which may take its time', async t => {
  const scene = new Scene(t)
  const ids = Array.from({ length: 512 }, (_, i) => `r${i}`)
  refuse(scene, ...ids.slice(1))
  scene.journal.push(batch(...ids))
  // What hangs is told by a timer of 10 s: none is set for the whole search, only one for each statement.
  let open = 0
  const { setTimeout, clearTimeout } = globalThis
  const timers = new Set<unknown>()
  t.intercept(globalThis, 'setTimeout', {
    value: (callback: () => void, ms: number) => {
      const timer = setTimeout(callback, ms)
      if (ms === 10_000) {
        timers.add(timer)
        open++
      }
      return timer
    }
  })
  t.intercept(globalThis, 'clearTimeout', {
    value: (timer: NodeJS.Timeout) => { timers.delete(timer); clearTimeout(timer) }
  })
  let most = 0
  const check = scene.onTryOut
  scene.onTryOut = part => {
    most = Math.max(most, timers.size)
    return check(part)
  }
  scene.writer.start()
  await until(() => scene.journal.length === 0)
  t.same(scene.books, ['r0'])
  t.equal(scene.aside.length, 511)
  t.equal(most, 0, 'each is set when its statement is sent')
  t.equal(open, scene.tries.length + scene.writes.length)
})

t.test('a record that is aside does not stop a later one of that id', async t => {
  const scene = new Scene(t)
  refuse(scene, '1')
  await scene.writer.save(batch('1', '2'), within(60_000))
  await scene.writer.save(batch('1', '3'), within(60_000))
  t.equal(scene.aside.length, 2)
  t.same(scene.journal.map(idsOf), [])
})
