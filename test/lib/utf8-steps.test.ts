import fc from 'fast-check'
import t from 'tap'
import { storedText } from '../../src/capture/stored-text.js'
import { batchJsonPieces, batchToJson, parseBatch } from '../../src/recording/batch-json.js'
import { encodeFrame, encodingFrame } from '../../src/recording/journal-frame.js'
import { inOneGo } from '../../src/lib/slices.js'
import { decodingUtf8 } from '../../src/lib/utf8-steps.js'
import { batchOf, entry } from '../helpers/batches.js'

const STEP = 65_536
const withoutBigints = (_key: string, value: unknown): unknown => typeof value === 'bigint' ? value.toString() : value
const bytes = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 24 }),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }).map(text => new Uint8Array(Buffer.from(text))),
  fc.array(fc.constantFrom(0x80, 0xbf, 0xe0, 0xf0, 0xf4, 0xed, 0xa0, 0x90, 0xc3, 0x41), { minLength: 1, maxLength: 16 })
    .map(all => Uint8Array.from(all))
)
/** With these bytes on the border of two steps. */
const around = fc.tuple(bytes, fc.nat(12), fc.nat(2))
  .map(([bytes, before, steps]) =>
    Buffer.concat([Buffer.alloc(STEP * (steps + 1) - before, 'a'), bytes, Buffer.from('zz')]))

t.test('bytes decoded in steps are the text that they are at once, valid or not', t => {
  fc.assert(fc.property(around, bytes => {
    if (inOneGo(decodingUtf8(bytes)) !== bytes.toString()) throw new Error(bytes.subarray(-40).toString('hex'))
  }), { numRuns: 800 })
  t.end()
})

t.test('a stored text of several steps is the body to the byte, and cut to the byte', t => {
  fc.assert(fc.property(around, fc.nat(100), (bytes, less) => {
    const whole = bytes.toString().replaceAll('\0', '\ufffd')
    const size = Buffer.byteLength(whole)
    if (storedText(bytes, size) !== whole) throw new Error('changed')
    const maxBytes = size - 1 - less
    const cut = storedText(bytes, maxBytes)
    const [, kept = '', said = ''] = /^([^]*)… \[truncated: (\d+) of \d+ bytes kept\]$/.exec(cut) ?? []
    if (Buffer.byteLength(cut) > maxBytes || !whole.startsWith(kept) || Buffer.byteLength(kept) !== Number(said)) {
      throw new Error(cut.slice(-80))
    }
  }), { numRuns: 300 })
  t.end()
})

t.test('a batch written in steps is the batch, and its frame the same', t => {
  const texts = fc.tuple(
    around.map(bytes => bytes.toString()), fc.constantFrom('', '\ud83d\ude00', '\ud83d', '\ude00', '"\\\n')
  )
    .map(([text, more]) => more + text.slice(0, -2) + more.repeat(40))
  fc.assert(fc.property(texts, fc.option(texts), (prompt, response) => {
    const batch = batchOf(
      entry({}, { prompt, response }), entry({ user: '"' }), entry({}, { prompt: null, response: '' })
    )
    const pieces = inOneGo(batchJsonPieces(batch))
    const json = Buffer.concat(pieces).toString()
    if (JSON.stringify(parseBatch(json), withoutBigints) !== JSON.stringify(
      parseBatch(batchToJson(batch)), withoutBigints
    )) {
      throw new Error('another batch')
    }
    if (!inOneGo(encodingFrame(pieces, 3)).equals(encodeFrame(json, 3))) throw new Error('another frame')
  }), { numRuns: 100 })
  t.end()
})
