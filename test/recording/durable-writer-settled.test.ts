import t, { type Test } from 'tap'
import { gate } from '../helpers/gate.js'
import { until } from '../helpers/until.js'
import { Refusal, Scene, batch, idsOf, within } from './durable-writer-scene.js'

/** A writer, and the batches of which it told that nothing more becomes of them. */
function sceneOf (t: Test): { scene: Scene, settled: string[] } {
  const settled: string[] = []
  return { scene: new Scene(t, { onSettled: batch => { settled.push(idsOf(batch)) } }), settled }
}

const away = (): never => { throw new Error('away') }

t.test('a batch is settled once it is in the database: by the first try, or by its replay', async t => {
  const { scene, settled } = sceneOf(t)
  await scene.writer.save(batch('a'), within(1000))
  t.same(settled, ['a'])
  scene.onWrite = away
  scene.onPing = away
  await scene.writer.save(batch('b'), within(10))
  await scene.writer.save(batch('c'), within(10))
  t.same(settled, ['a'], 'what is in the journal is not')
  scene.onWrite = () => {}
  await until(() => scene.journal.length === 0)
  t.same(settled, ['a', 'b', 'c'])
})

t.test('a commit that is late settles the batch, which its replay then does not', async t => {
  const { scene, settled } = sceneOf(t)
  const [first, replay] = [gate(), gate()]
  scene.onWrite = async () => { await (scene.writes.length === 1 ? first : replay).passed() }
  await scene.writer.save(batch('a'), within(10))
  t.same(settled, [])
  first.open()
  await until(() => settled.length > 0)
  replay.open()
  await until(() => scene.journal.length === 0)
  t.same(settled, ['a'])
})

t.test('a try that is answered after the replay settles nothing', async t => {
  const { scene, settled } = sceneOf(t)
  const first = gate()
  scene.onWrite = async () => { if (scene.writes.length === 1) await first.passed() }
  await scene.writer.save(batch('a'), within(10))
  await until(() => scene.journal.length === 0)
  first.open()
  await scene.writer.save(batch('b'), within(1000))
  t.same(settled, ['a', 'b'])
})

t.test('a batch with records that are kept aside is settled whole, and so is one that is lost', async t => {
  const { scene, settled } = sceneOf(t)
  scene.onWrite = batch => { if (idsOf(batch).includes('bad')) throw new Refusal('no') }
  scene.onTryOut = scene.onWrite
  await scene.writer.save(batch('good', 'bad'), within(1000))
  t.same(settled, ['good,bad'])
  scene.onWrite = away
  scene.onPing = away
  scene.onAppend = away
  await scene.writer.save(batch('lost'), within(10))
  await until(() => settled.length === 2)
  t.same(settled, ['good,bad', 'lost'])
})
