import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { RecordBatch } from '../../src/recording/call-record.js'
import { FRAME_HEADER_BYTES, encodeFrame } from '../../src/recording/journal-frame.js'
import { Journal } from '../../src/recording/journal.js'
import { uuidV7 } from '../../src/recording/uuid-v7.js'
import { entry } from '../helpers/batches.js'
import { silentLog } from '../helpers/database.js'

let time = Date.UTC(2026, 10, 23)
const batch = (records: number, prompt: string): RecordBatch =>
  ({ id: uuidV7(time += 1000), entries: Array.from({ length: records }, () => entry({}, { prompt, response: null })) })

/** Texts that a caller may choose in order to be taken for a frame: as much of one as JSON text can hold. */
const forged = encodeFrame('{"id":"forged","entries":[]}', 1).toString('latin1')
const prompts = [
  'short',
  'x'.repeat(3000),
  forged.repeat(20),
  '{"record":{"id":"',
  `${forged}{`,
  '\0'.repeat(100),
  '\ud83d\ude00'.repeat(200)
]

interface Written {
  readonly bytes: Buffer
  /** Where each batch's frame begins and ends. */
  readonly frames: ReadonlyArray<{
    readonly id: string, readonly records: number, readonly start: number, readonly end: number
  }>
}

async function write (folder: string): Promise<Written> {
  const journal = await Journal.open(folder, silentLog)
  const frames: Array<Written['frames'][number]> = []
  for (const [i, prompt] of [...prompts, ...prompts].entries()) {
    const one = batch(1 + i % 4, prompt)
    const start = journal.sizeBytes
    await journal.append(one)
    frames.push({ id: one.id, records: one.entries.length, start, end: journal.sizeBytes })
  }
  await journal.close()
  return { bytes: readFileSync(join(folder, '00000001.journal')), frames }
}

/** What a new process finds in a journal of this one file. */
async function found (t: Test, bytes: Buffer): Promise<{ ids: string[], lost: number, left: string[] }> {
  const folder = t.testdir()
  for (const name of readdirSync(folder)) rmSync(join(folder, name))
  writeFileSync(join(folder, '00000001.journal'), bytes)
  let lost = 0
  const journal = await Journal.open(folder, silentLog, { onDamage: records => { lost += records } })
  const ids: string[] = []
  for (let one = await journal.oldest(); one !== null; one = await journal.oldest()) {
    ids.push(one.id)
    await journal.dropOldest()
  }
  if (!journal.isEmpty || journal.records !== 0 || journal.sizeBytes !== 0) throw new Error('something still waits')
  await journal.close()
  return { ids, lost, left: readdirSync(folder) }
}

t.test('whatever bytes of a file are overwritten, every frame beside them is read once, in order, and none that was not written', async t => {
  const { bytes, frames } = await write(join(t.testdir(), 'journal'))
  const range = fc.oneof(
    fc.record({ at: fc.nat(bytes.length - 1), length: fc.integer({ min: 1, max: 5000 }) }),
    // About the beginning of a frame, where its header is.
    fc.record({
      frame: fc.nat(frames.length - 1), by: fc.integer({ min: -20, max: 20 }), length: fc.integer({ min: 1, max: 40 })
    })
      .map(({ frame, by, length }) => ({ at: Math.max(0, (frames[frame]?.start ?? 0) + by), length })))
  const filler = fc.oneof(fc.constant(Buffer.from([0])), fc.constant(
    Buffer.from([0xff])
  ), fc.constant(Buffer.from('{')),
  fc.uint8Array({ minLength: 1, maxLength: 64 }).map(bytes => Buffer.from(bytes)))
  await fc.assert(fc.asyncProperty(range, filler, async ({ at, length }, filler) => {
    const damaged = Buffer.from(bytes)
    const end = Math.min(bytes.length, at + length)
    damaged.fill(filler, at, end)
    const hit = (start: number, stop: number): boolean =>
      !damaged.subarray(start, stop).equals(bytes.subarray(start, stop))
    const whole = frames.filter(({ start, end }) => !hit(start, end))
    const { ids, lost, left } = await found(t, damaged)
    if (ids.join() !== whole.map(({ id }) => id)
      .join()) throw new Error(`${ids.length} frames in place of ${whole.length}, damage from ${at} to ${end}`)
    // Of a frame whose header is whole it is known how many records it had.
    const known = frames.filter(({ start, end }) => hit(start, end) && !hit(start, start + FRAME_HEADER_BYTES))
      .reduce((sum, { records }) => sum + records, 0)
    const most = frames.filter(({ start, end }) => hit(start, end)).reduce((sum, { records }) => sum + records, 0)
    const last = frames.at(-1)
    const mayBeTorn = last !== undefined && hit(last.start, last.end)
    if (!mayBeTorn && (lost < known || lost > most)) throw new Error(`${lost} told as lost, of ${known} to ${most}`)
    if (left.length !== (whole.length === frames.length || (mayBeTorn && lost === 0)
      ? 0
      : 1)) throw new Error(left.join())
  }), { numRuns: 400 })
})

t.test('bytes that went missing, or came in between, cost the frames that they were in, and no other', async t => {
  const { bytes, frames } = await write(join(t.testdir(), 'journal'))
  await fc.assert(fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 3000 }), fc.boolean(), async (
    at, length, isMissing
  ) => {
    const damaged = isMissing
      ? Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)])
      : Buffer.concat([bytes.subarray(0, at), Buffer.alloc(length, 'x'), bytes.subarray(at)])
    const whole = frames.filter(({ start, end }) =>
      isMissing ? end <= at || start >= at + length : end <= at || start >= at)
    const { ids } = await found(t, damaged)
    if (ids.join() !== whole.map(({ id }) => id)
      .join()) throw new Error(`${ids.length} frames in place of ${whole.length}, at ${at}, ${length} bytes`)
  }), { numRuns: 200 })
})

t.test('several damages of one file are each told, and what is between them is read', async t => {
  const { bytes, frames } = await write(join(t.testdir(), 'journal'))
  const hit = [0, 3, 4, 9]
  for (const i of hit) bytes.fill(0xaa, frames[i]?.start, (frames[i]?.start ?? 0) + FRAME_HEADER_BYTES)
  const { ids, lost, left } = await found(t, bytes)
  t.same(ids, frames.filter((_, i) => !hit.includes(i)).map(({ id }) => id))
  t.equal(lost, hit.reduce((sum, i) => sum + (frames[i]?.records ?? 0), 0), 'counted by what still shows of them')
  t.same(left, ['00000001.journal.damaged'])
})

t.test('a torn end behind a damaged frame is still a torn end', async t => {
  const { bytes, frames } = await write(join(t.testdir(), 'journal'))
  bytes.fill(0xaa, frames[2]?.start, (frames[2]?.start ?? 0) + FRAME_HEADER_BYTES)
  const { ids, lost } = await found(t, bytes.subarray(0, bytes.length - 10))
  t.same(ids, frames.filter((_, i) => i !== 2 && i !== frames.length - 1).map(({ id }) => id))
  t.equal(lost, frames[2]?.records)
})

t.test('a batch that is set back comes after all others, again and again; it waits until it is dropped', async t => {
  const folder = join(t.testdir(), 'journal')
  let journal = await Journal.open(folder, silentLog)
  const batches = Array.from({ length: 4 }, (_, i) => batch(i + 1, 'p'))
  for (const one of batches) await journal.append(one)
  const size = journal.sizeBytes
  const next = async (): Promise<number> => {
    const one = await journal.oldest()
    return batches.findIndex(({ id }) => id === one?.id)
  }
  const ends: Array<[number, 'back' | 'drop']> = [
    [0, 'back'], [1, 'drop'], [2, 'back'], [3, 'drop'], [0, 'back'], [2, 'back'], [0, 'back'], [2, 'drop']
  ]
  for (const [wanted, how] of ends) {
    t.equal(await next(), wanted)
    if (how === 'drop') await journal.dropOldest()
    else journal.setOldestBack()
    t.equal(journal.isEmpty, false)
  }
  t.equal(journal.records, 1)
  t.ok(journal.sizeBytes > 0 && journal.sizeBytes < size / 4)
  t.equal(journal.oldestAtMs, time - 3000)
  const late = batch(1, 'late')
  batches.push(late)
  await journal.append(late)
  t.equal(await next(), 4, 'a new one comes first')
  await journal.close()
  journal = await Journal.open(folder, silentLog)
  t.equal(await next(), 0, 'a new process begins with the oldest')
  for (let i = 0; i < 5; i++) {
    await journal.oldest()
    await journal.dropOldest()
  }
  t.same([
    journal.isEmpty, journal.records, journal.sizeBytes, journal.oldestAtMs, readdirSync(folder)
  ], [true, 0, 0, null, []])
  await journal.close()
})
