import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import {
  FRAME_HEADER_BYTES, UnreadableFrame, encodeFrame, readFrame, readFrameHeader
} from '../../src/recording/journal-frame.js'
import { measureDamage } from '../../src/recording/journal-segment.js'

const json = '{"id":"ä😀\\u0000"}'
const frame = encodeFrame(json, 3)
const three = Buffer.concat([frame, encodeFrame('{"two":2}', 1), encodeFrame('{"three":3}', 512)])

/** A file of these bytes. */
async function fileOf (t: Test, bytes: Buffer): Promise<FileHandle> {
  const file = await open(join(t.testdir(), 'frames'), 'w+')
  t.teardown(async () => await file.close())
  await file.write(bytes)
  return file
}

/** What the file holds: each frame's JSON, or of what kind it is where it cannot be read. */
async function readAll (file: FileHandle, size: number): Promise<string[]> {
  const found: string[] = []
  for (let offset = 0; offset < size;) {
    try {
      found.push(await readFrame(file, offset, size))
      offset += (await readFrameHeader(file, offset, size)).sizeBytes
    } catch (error) {
      if (!(error instanceof UnreadableFrame)) throw error
      const { kind, sizeBytes } = await measureDamage(file, error, size)
      found.push(kind)
      offset += sizeBytes
    }
  }
  return found
}

t.test('a frame is read as it was written', async t => {
  const file = await fileOf(t, three)
  t.same(await readAll(file, three.length), [json, '{"two":2}', '{"three":3}'])
  t.match(await readFrameHeader(file, 0, three.length), {
    records: 3, sizeBytes: FRAME_HEADER_BYTES + Buffer.byteLength(json)
  })
})

t.test('a file cut short at any byte holds all frames before, and a torn one', async t => {
  const file = await fileOf(t, three)
  const ends = [frame.length, frame.length + FRAME_HEADER_BYTES + 9, three.length]
  for (let size = three.length; size >= 0; size--) {
    await file.truncate(size)
    const whole = ends.filter(end => end <= size).length
    const wanted = [json, '{"two":2}', '{"three":3}'].slice(0, whole)
    t.same(await readAll(file, size), ends.includes(size) || size === 0 ? wanted : [...wanted, 'torn'], `${size} bytes`)
  }
})

t.test('zeros at the end, in place of any part of the last frame or behind it, are a torn frame', async t => {
  const start = three.length - FRAME_HEADER_BYTES - 11
  const file = await fileOf(t, three)
  for (const from of [start, ...Array.from({ length: 11 }, (_, i) => three.length - 11 + i)]) {
    await file.write(Buffer.concat([three.subarray(0, from), Buffer.alloc(three.length - from)]), 0, three.length, 0)
    t.same(await readAll(file, three.length), [json, '{"two":2}', 'torn'], `from byte ${from}`)
  }
  for (const zeros of [1, FRAME_HEADER_BYTES - 1, FRAME_HEADER_BYTES, 4096]) {
    await file.write(Buffer.concat([three, Buffer.alloc(zeros)]), 0, three.length + zeros, 0)
    t.same(await readAll(file, three.length + zeros), [json, '{"two":2}', '{"three":3}', 'torn'], `${zeros} zeros`)
  }
})

t.test('a flipped bit is damage to its own frame, wherever it is; it is never taken for a torn end, and no frame is read that was not written', async t => {
  const file = await fileOf(t, three)
  const written = new Set([json, '{"two":2}', '{"three":3}', 'damaged'])
  for (let bit = 0; bit < three.length * 8; bit++) {
    const flipped = Buffer.from(three)
    flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
    await file.write(flipped, 0, flipped.length, 0)
    const found = await readAll(file, flipped.length)
    const ok = found.filter(one => one === 'damaged').length === 1 && found.every(one => written.has(one)) &&
      found.length === 3
    if (!ok) t.fail(`bit ${bit}`, { found })
  }
  t.same(await readAll(file, three.length), [json, '{"two":2}', 'damaged'], 'the last bit of all')
})

t.test('a file that is cut while it is read is damaged', async t => {
  const file = await fileOf(t, frame)
  await file.truncate(frame.length - 1)
  await t.rejects(readFrame(file, 0, frame.length), new UnreadableFrame('damaged', 0, 3))
})
