import type { Transform } from 'node:stream'
import t from 'tap'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { codingOf, readableCodings } from '../../src/proxy/content-coding.js'

const coding = (name: string): NonNullable<ReturnType<typeof codingOf>> => {
  const found = codingOf(name)
  if (found == null) throw new Error(`${name} cannot be read`)
  return found
}

async function decode (decoder: Transform, chunks: readonly Buffer[]): Promise<string> {
  for (const chunk of chunks) decoder.write(chunk)
  decoder.end()
  return Buffer.concat(await decoder.toArray() as Buffer[]).toString()
}

t.test('Content-Encoding names a coding, none, or one that cannot be read', t => {
  for (const none of [null, '', ' ', 'identity', ' Identity ']) t.equal(codingOf(none), null)
  for (const name of ['gzip', 'GZIP', ' x-gzip', 'X-Gzip', 'deflate', 'br', 'BR ']) t.ok(codingOf(name), name)
  for (const name of ['zstd', 'compress', 'gzip, br', 'gzip,gzip', 'toString', '*']) t.equal(codingOf(name), undefined, name)
  t.end()
})

t.test('every coding is decoded, however its bytes are cut', async t => {
  const text = 'data: {"é":"' + 'x'.repeat(5000) + '"}\n\n'
  for (const [name, coded] of [['gzip', gzipSync(text)], ['x-gzip', gzipSync(text)], ['deflate', deflateSync(text)], ['br', brotliCompressSync(text)]] as const) {
    t.equal(await decode(coding(name).decoder(), [...coded].map(byte => Buffer.of(byte))), text, name)
  }
})

t.test('what is coded and flushed can be decoded at once, before more comes', async t => {
  for (const name of ['gzip', 'deflate', 'br']) {
    const encoder = coding(name).encoder()
    const decoder = coding(name).decoder()
    encoder.on('data', (chunk: Buffer) => decoder.write(chunk))
    for (const event of ['data: one\n\n', 'data: two\n\n']) {
      encoder.write(event)
      encoder.flush()
      let got = ''
      while (got.length < event.length) {
        const [chunk] = await new Promise<Buffer[]>(resolve => decoder.once('data', (chunk: Buffer) => resolve([chunk])))
        got += String(chunk)
      }
      t.equal(got, event, name)
    }
    encoder.destroy()
    decoder.destroy()
  }
})

t.test('of an answer that is cut, what came is decoded', async t => {
  const text = Array.from({ length: 3000 }, (_, i) => `${i * 7919} `).join('')
  for (const [name, coded] of [['gzip', gzipSync(text)], ['deflate', deflateSync(text)]] as const) {
    const got = await decode(coding(name).decoder(), [coded.subarray(0, coded.length - 100)])
    t.ok(got.length > text.length / 2 && text.startsWith(got), name)
  }
})

t.test('Accept-Encoding keeps what can be undone, in its order and with its weights', t => {
  const cases = [
    ['gzip, deflate, br', 'gzip, deflate, br'],
    ['gzip, deflate, br, zstd', 'gzip, deflate, br'],
    ['zstd;q=1.0, GZip;q=0.5 ,identity;q=0', 'GZip;q=0.5 ,identity;q=0'],
    ['x-gzip', 'x-gzip'],
    ['zstd', 'identity'],
    ['*', 'identity'],
    ['zstd, *;q=0.1', 'identity'],
    ['', 'identity'],
    ['identity', 'identity']
  ] as const
  for (const [accept, expected] of cases) t.equal(readableCodings(accept), expected, accept)
  t.end()
})
