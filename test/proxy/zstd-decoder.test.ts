import fc from 'fast-check'
import t from 'tap'
import { ZstdDecoder } from '../../src/proxy/zstd-decoder.js'
import { blockHeader, skippableFrame, zstdFrame } from '../helpers/codings.js'
import { sampleText, zstdSamples } from '../helpers/zstd-samples.js'

interface Decoded { readonly text: Buffer, readonly error: string | null, readonly usedBytes: number }

/** Decodes a body that comes in pieces of these sizes, the rest as one. */
async function decode (body: Buffer, sizes: readonly number[] = [], extent: 'whole' | 'far' = 'whole'): Promise<Decoded> {
  const decoder = new ZstdDecoder(extent)
  const parts: Buffer[] = []
  let error: string | null = null
  decoder.on('data', (part: Buffer) => parts.push(part))
  const over = new Promise<void>(resolve => {
    decoder.on('end', resolve)
    decoder.on('error', reason => {
      error = reason.message
      resolve()
    })
  })
  let at = 0
  for (const size of sizes) {
    decoder.write(body.subarray(at, at + size))
    at += size
  }
  decoder.end(body.subarray(at))
  await over
  return { text: Buffer.concat(parts), error, usedBytes: decoder.bytesWritten }
}

const head = (...more: number[]): Buffer => Buffer.from([0x28, 0xb5, 0x2f, 0xfd, ...more])

t.test('what the reference implementation wrote is read, however it is cut', async t => {
  for (const { args, kind, base64 } of zstdSamples()) {
    const body = Buffer.from(base64, 'base64')
    for (const sizes of [[], Array<number>(body.length).fill(1), Array<number>(20).fill(1000)]) {
      const { text, error } = await decode(body, sizes)
      t.equal(error, null, `${kind} ${args}`)
      t.ok(text.equals(sampleText(kind)), `${kind} ${args}`)
    }
  }
})

t.test('frames of any form follow each other, cut anywhere', async () => {
  const frame = fc.record({
    text: fc.oneof(fc.string({ unit: 'binary', maxLength: 60 }), fc.integer({ min: 0, max: 3000 }).map(size => 'x'.repeat(size))),
    window: fc.boolean(),
    checksum: fc.boolean(),
    blockBytes: fc.integer({ min: 1, max: 2000 }),
    isSkipped: fc.boolean()
  })
  await fc.assert(fc.asyncProperty(fc.array(frame, { minLength: 1, maxLength: 4 }), fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 40 }), async (frames, sizes) => {
    const text = Buffer.concat(frames.map(({ text }) => Buffer.from(text)))
    const body = Buffer.concat(frames.flatMap(({ text, isSkipped, ...options }) => [...(isSkipped ? [skippableFrame] : []), zstdFrame(Buffer.from(text), options)]))
    const decoded = await decode(body, sizes)
    if (decoded.error !== null || !decoded.text.equals(text)) throw new Error(`${decoded.error ?? ''} ${decoded.text.length} of ${text.length}`)
  }), { numRuns: 200 })
})

t.test('a body that breaks off, or is none, is an error; where it is read as far as it goes, its text is there', async t => {
  const text = sampleText('words')
  const body = Buffer.from(zstdSamples()[0]?.base64 ?? '', 'base64')
  t.equal((await decode(body.subarray(0, -8))).error, 'it breaks off')
  const far = await decode(body.subarray(0, -20), [], 'far')
  t.equal(far.error, null)
  t.ok(far.text.length > 100_000 && text.subarray(0, far.text.length).equals(far.text))
  t.match(await decode(Buffer.concat([body, Buffer.from('behind it')])), { error: /begin/ })
  const behind = await decode(Buffer.concat([body, Buffer.from('behind it')]), [], 'far')
  t.equal(behind.error, null)
  t.ok(behind.text.equals(text))
  for (const junk of ['{"model":"a"}', '(\xb5/', '\0\0\0\0\0\0']) t.type((await decode(Buffer.from(junk, 'latin1'))).error, 'string', junk)
})

t.test('a frame is held to what it says of itself', async t => {
  const sized = zstdFrame(Buffer.from('twelve bytes'), { blockBytes: 5 })
  sized[5] = 13
  t.match(await decode(sized), { error: /shorter/ })
  sized[5] = 11
  t.match(await decode(sized), { error: /longer|none/ })
  t.match(await decode(head(0x21, 1, 1)), { error: /dictionary/ })
  t.match(await decode(head(0x00, 0xf8)), { error: /memory/ }, 'a window of terabytes')
  t.match(await decode(head(0x08, 0x70)), { error: /reserved/ })
  t.match(await decode(Buffer.concat([head(0x00, 0x70), Buffer.from([7, 0, 0])])), { error: /none/ }, 'a block of a type that there is not')
  t.match(await decode(Buffer.concat([head(0x00, 0x00), blockHeader(1, 1025, true), Buffer.from('a')])), { error: /none/ }, 'a run longer than the window')
})

t.test('no block decodes to more than it may, whatever it asks for', async t => {
  // A few bytes, with tables of one code each: 98,047 sequences of 65,539 bytes.
  for (const codes of [[35, 0, 52], [0, 0, 52], [35, 31, 52], [0, 31, 0]]) {
    const block = Buffer.from([0x00, 255, 0xff, 0xff, 0b01010100, ...codes, 1])
    const startedAt = performance.now()
    const { error, text } = await decode(Buffer.concat([head(0x00, 0x70), blockHeader(2, block.length, true), block]))
    t.type(error, 'string', codes.join())
    t.ok(text.length <= 128 * 1024 && performance.now() - startedAt < 1000, codes.join())
  }
})

t.test('whatever bytes are made of a frame, decoding ends, with text or an error', async () => {
  const bodies = zstdSamples().filter(({ kind }) => kind !== 'runs').map(({ base64 }) => Buffer.from(base64, 'base64').subarray(0, 4000))
  const changes = fc.array(fc.tuple(fc.nat(3999), fc.nat(255)), { minLength: 1, maxLength: 6 })
  await fc.assert(fc.asyncProperty(fc.constantFrom(...bodies), changes, async (body, changes) => {
    const changed = Buffer.from(body)
    for (const [at, byte] of changes) changed[at % changed.length] = byte
    const { text } = await decode(changed, [], 'far')
    if (text.length > 64 * 1024 * 1024) throw new Error(`${text.length}`)
  }), { numRuns: 400 })
})

t.test('a run of gigabytes is read in turns with the event loop, and no faster than its reader reads', async t => {
  const run = blockHeader(1, 128 * 1024, false)
  const body = Buffer.concat([head(0x00, 0x70), ...Array.from({ length: 20_000 }, () => [run, Buffer.from('a')]).flat()]) // 2.6 GB
  const decoder = new ZstdDecoder('far')
  decoder.write(body)
  let turns = 0
  const timer = setInterval(() => { turns++ }, 1)
  let sizeBytes = 0
  await new Promise<void>(resolve => {
    decoder.on('data', (text: Buffer) => {
      sizeBytes += text.length
      if (sizeBytes < 200 * 1024 * 1024) return
      decoder.pause()
      resolve()
    })
  })
  t.ok(turns > 2, `${turns}`)
  await new Promise(resolve => setTimeout(resolve, 50))
  t.ok(decoder.readableLength < 1024 * 1024, `${decoder.readableLength} wait for a reader that has paused`)
  clearInterval(timer)
  decoder.destroy()
})
