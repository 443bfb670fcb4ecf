import { performance } from 'node:perf_hooks'
import t, { type Test } from 'tap'
import { call, ids, someTurns, start } from './group-commit-scene.js'

// How long a batch waits for calls that are about to finish.

/** Holds the timers that are set from now on; answers with those that wait. */
function holdTimers (t: Test): { ms: number, fire: () => void }[] {
  const held: { ms: number, fire: () => void }[] = []
  const set = (fire: () => void, ms: number): object => {
    const timer = { ms, fire: () => { clear(timer); fire() } }
    held.push(timer)
    return timer
  }
  const clear = (timer: unknown): void => {
    const index = held.findIndex(one => one === timer)
    if (index !== -1) held.splice(index, 1)
  }
  t.intercept(globalThis, 'setTimeout', { value: set })
  t.intercept(globalThis, 'clearTimeout', { value: clear })
  return held
}

t.test('a call that is alone waits for nobody', async t => {
  const timers = holdTimers(t)
  const { group, next } = start()
  group.expect()
  const waiting = group.record(call('1'))
  const one = await next()
  t.equal(ids(one.batch), '1')
  t.equal(timers.length, 0)
  one.end()
  await waiting
})

/** Some calls have just finished, and were saved. */
async function finishOften ({ recordAll, next }: ReturnType<typeof start>): Promise<void> {
  const all = recordAll(['a', 'b', 'c'].map(id => call(id)))
  const save = await next()
  save.end()
  await all
}

t.test('where calls finish rarely a batch does not wait, however many are open', async t => {
  let clockMs = 1000
  t.intercept(performance, 'now', { value: () => clockMs })
  const timers = holdTimers(t)
  const { group, next } = start()
  for (let i = 0; i < 1000; i++) group.expect()
  for (let i = 0; i < 8; i++) {
    const waiting = group.record(call(String(i)))
    const one = await next()
    t.equal(ids(one.batch), String(i))
    one.end()
    await waiting
    clockMs += 5
  }
  t.equal(timers.length, 0)
})

t.test('a batch waits until two thirds of the open calls are in line, where calls finish often', async t => {
  t.intercept(performance, 'now', { value: () => 1000 })
  const timers = holdTimers(t)
  const scene = start()
  const { group, saves } = scene
  await finishOften(scene)
  for (let i = 0; i < 9; i++) group.expect()
  for (const id of ['1', '2']) void group.record(call(id))
  await someTurns()
  t.equal(saves.length, 0)
  t.same(timers.map(({ ms }) => ms), [3])
  void group.record(call('3'))
  await someTurns()
  t.equal(saves.length, 0)
  for (const id of ['4', '5', '6']) void group.record(call(id))
  await someTurns()
  t.equal(ids(saves[0]?.batch), '1,2,3,4,5,6')
  t.equal(timers.length, 0, 'its timer is gone')
})

t.test('… and no longer than 3 ms, however many calls are open', async t => {
  t.intercept(performance, 'now', { value: () => 1000 })
  const timers = holdTimers(t)
  const scene = start()
  const { group, saves } = scene
  await finishOften(scene)
  for (let i = 0; i < 1000; i++) group.expect()
  void group.record(call('1'))
  await someTurns()
  void group.record(call('2'))
  await someTurns()
  t.equal(saves.length, 0)
  timers[0]?.fire()
  await someTurns()
  t.equal(ids(saves[0]?.batch), '1,2')
  // Whoever comes now is of the next batch, which waits likewise once its turn has come.
  void group.record(call('3'))
  await someTurns()
  t.equal(timers.length, 0)
  saves[0]?.end()
  await someTurns()
  t.equal(timers.length, 1)
  timers[0]?.fire()
  await someTurns()
  t.equal(ids(saves[1]?.batch), '3')
})

t.test('a full batch does not wait', async t => {
  t.intercept(performance, 'now', { value: () => 1000 })
  const timers = holdTimers(t)
  const scene = start()
  const { group, saves } = scene
  await finishOften(scene)
  for (let i = 0; i < 2000; i++) group.expect()
  for (let i = 0; i < 511; i++) void group.record(call(String(i)))
  await someTurns()
  t.equal(saves.length, 0)
  void group.record(call('511'))
  await someTurns()
  t.equal(saves[0]?.batch.entries.length, 512)
  t.equal(timers.length, 0)
})
