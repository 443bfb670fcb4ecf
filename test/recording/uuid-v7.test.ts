import fc from 'fast-check'
import t from 'tap'
import { uuidV7 } from '../../src/recording/uuid-v7.js'

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const timeOf = (id: string): number => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
/** Later than any other in this file: the ids of a process only go up. */
let later = 1_800_000_000_000

t.test('an id has the form, version and variant of a UUIDv7, and its time', t => {
  for (let i = 0; i < 1000; i++) {
    const id = uuidV7(++later)
    if (!UUID_V7.test(id)) t.fail(id)
    if (timeOf(id) !== later) t.fail(`${id} is not of ${later}`)
  }
  t.match(uuidV7(++later), UUID_V7)
  t.equal(timeOf(uuidV7(++later)), later)
  t.end()
})

t.test('ids sort in the order in which they were made, whatever the clock does', t => {
  const start = later
  let last = uuidV7(++later)
  fc.assert(fc.property(fc.array(fc.integer({ min: -5000, max: 5000 }), { maxLength: 200 }), steps => {
    let now = start
    for (const step of steps) {
      now += step
      const id = uuidV7(now)
      if (id <= last) throw new Error(`${id} after ${last}`)
      if (!UUID_V7.test(id)) throw new Error(id)
      last = id
    }
  }), { numRuns: 200 })
  later += 2_000_000
  t.ok(uuidV7(0) > last)
  t.end()
})

t.test('more ids than a millisecond has numbers for take the next millisecond\'s', t => {
  later += 1000
  const ids = Array.from({ length: 10_000 }, () => uuidV7(later))
  t.equal(new Set(ids).size, 10_000)
  t.same([...ids].sort(), ids)
  t.equal(timeOf(ids.at(0) ?? ''), later)
  t.equal(timeOf(ids.at(-1) ?? ''), later + 2)
  later += 10
  t.equal(timeOf(uuidV7(later)), later, 'and the clock leads again once it is past them')
  t.end()
})

t.test('the random part is not used twice', t => {
  later += 1000
  const parts = Array.from({ length: 5000 }, () => uuidV7(++later).slice(19))
  t.equal(new Set(parts).size, parts.length)
  t.end()
})
