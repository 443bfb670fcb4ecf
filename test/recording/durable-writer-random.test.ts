import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { until } from '../helpers/until.js'
import { Scene, batch, idsOf, shorten, within } from './durable-writer-scene.js'

const away = new Error('the database is away')
const full = new Error('the disk is full')

t.test('a fast and faulty database, and a fast and faulty disk: each record is in the books, or was told as lost', async t => {
  shorten(t, 50, 100, 200, 400, 800, 1600, 2000)
  let seed = 7
  const chance = (one: number): boolean => (seed = seed * 48_271 % 0x7fff_ffff) % one === 0
  const scene = new Scene(t)
  const lost: string[] = []
  scene.onWrite = async () => {
    if (chance(2)) throw away
    if (chance(3)) await sleep(3)
  }
  scene.onPing = () => { if (chance(2)) throw away }
  scene.onAppend = async one => {
    if (chance(4)) {
      lost.push(idsOf(one))
      throw full
    }
    if (chance(2)) await sleep(1)
  }
  scene.onOldest = () => { if (chance(5)) throw new Error('EIO') }
  const all = Array.from({ length: 150 }, (_, i) => String(i))
  for (const id of all) await scene.writer.save(batch(id), within(2))
  await until(() => scene.journal.length === 0 && !scene.writer.isUnavailable)
  const told = (): number => scene.events.filter(event => event === 'lost 1').length
  // Whether a batch that both refused is lost, its last try decides.
  await until(() => scene.books.length + told() >= all.length)
  t.same([...new Set([...scene.books, ...lost])].sort(), all.sort())
  t.equal(scene.books.length, scene.committed.size)
  t.equal(told(), all.length - scene.books.length)
})
