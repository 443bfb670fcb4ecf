import fc from 'fast-check'
import { constants, zstdCompressSync } from 'node:zlib'
import t from 'tap'
import { codingOf } from '../../src/decoders/content-coding.js'
import type { Decoder, Extent } from '../../src/decoders/staged-decoder.js'
import { noZstdEnd, noZstdFrames, zstdFrames } from '../helpers/codings.js'

// What a zstd body (RFC 8878) may ask for, and get. `content-coding.test.ts` has what all codings share.

const MB = 1024 * 1024

function zstdDecoder (extent: Extent): Decoder {
  const coding = codingOf('zstd')
  if (coding == null) throw new Error('zstd cannot be read')
  return coding.decoder(extent)
}

/** How a body is decoded: to how many bytes, and to what error. */
async function decode (body: Buffer, extent: Extent): Promise<{ text: Buffer, error: string | null }> {
  const decoder = zstdDecoder(extent)
  const parts: Buffer[] = []
  let error: string | null = null
  decoder.on('data', (part: Buffer) => parts.push(part))
  const over = new Promise<void>(resolve => {
    decoder.on('close', resolve)
    decoder.on('error', reason => { error = reason.message })
  })
  decoder.end(body)
  await over
  return { text: Buffer.concat(parts), error }
}

/** A frame with a window of `2 ** log` bytes and one stored block of one byte. */
const windowed = (log: number): Buffer => Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, (log - 10) << 3, 9, 0, 0, 0x61])

t.test('a window of 128 MiB is taken, a larger one is an error', async t => {
  for (const extent of ['whole', 'far'] as const) {
    t.match(await decode(windowed(27), extent), { error: null, text: Buffer.from('a') })
    for (const log of [28, 31, 41]) {
      t.match(await decode(windowed(log), extent), {
        error: /memory/, text: Buffer.alloc(0)
      })
    }
  }
})

t.test('a frame is held to what it says of itself', async t => {
  const text = Buffer.from('twelve bytes')
  const body = zstdCompressSync(text, { params: { [constants.ZSTD_c_checksumFlag]: 1 } })
  t.equal(body[4], 0x24, 'one segment, a length in one byte, a checksum')
  t.equal((await decode(body, 'whole')).error, null)
  for (const [at, byte] of [
    [5, 11], [5, 13], [body.length - 1, (body.at(-1) ?? 0) ^ 1], [4, 0x2c], [4, 0x25]
  ] as const) {
    const changed = Buffer.from(body)
    changed[at] = byte
    t.type((await decode(changed, 'whole')).error, 'string', `${at}: ${byte}`)
  }
})

t.test('frames follow each other in one piece', { skip: noZstdFrames }, async t => {
  const text = Buffer.from('twelve bytes')
  for (const extent of ['whole', 'far'] as const) {
    t.match(await decode(
      zstdFrames.code(text), extent
    ), { error: null, text })
  }
})

t.test('a body that breaks off is an error where it is to be read whole', { skip: noZstdEnd }, async t => {
  const body = zstdCompressSync(Buffer.from('twelve bytes'))
  t.type((await decode(body.subarray(0, -1), 'whole')).error, 'string')
  t.equal((await decode(body.subarray(0, -1), 'far')).error, null)
})

t.test('whatever bytes are made of a frame, decoding ends, with text or an error', async () => {
  const text = Buffer.from(
    Array.from({ length: 6000 }, (_, i) => `data: {"i":${i},"text":"word ${i % 7}"}\n\n`).join('')
  )
  const bodies = [1, 3, 19].map(level =>
    zstdCompressSync(text, { params: { [constants.ZSTD_c_compressionLevel]: level } }))
  const changes = fc.array(fc.tuple(fc.nat(3999), fc.nat(255)), { minLength: 1, maxLength: 6 })
  await fc.assert(fc.asyncProperty(fc.constantFrom(...bodies), changes, fc.constantFrom<Extent>('whole', 'far'), async (
    body, changes, extent
  ) => {
    const changed = Buffer.from(body)
    for (const [at, byte] of changes) changed[at % changed.length] = byte
    const decoded = await decode(changed, extent)
    if (decoded.text.length > 64 * MB) throw new Error(`${decoded.text.length}`)
  }), { numRuns: 300 })
})

t.test('a run of gigabytes is read in turns with the event loop, and no faster than its reader reads', async t => {
  const run = zstdCompressSync(Buffer.alloc(128 * MB, 'a'))
  const decoder = zstdDecoder('far')
  decoder.write(Buffer.concat(Array.from({ length: 20 }, () => run))) // 2.6 GB
  let turns = 0
  const timer = setInterval(() => { turns++ }, 1)
  let sizeBytes = 0
  await new Promise<void>(resolve => {
    decoder.on('data', (text: Buffer) => {
      sizeBytes += text.length
      if (sizeBytes < 200 * MB) return
      decoder.pause()
      resolve()
    })
  })
  t.ok(turns > 2, `${turns}`)
  await new Promise(resolve => setTimeout(resolve, 50))
  t.ok(decoder.readableLength < MB, `${decoder.readableLength} wait for a reader that has paused`)
  clearInterval(timer)
  decoder.destroy()
})
