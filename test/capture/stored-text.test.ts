import { createHash } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { storedBinary, storedText } from '../../src/capture/stored-text.js'

const big = 1 << 24
// Its base64 begins with a character that is escaped in some cases.
const png = Buffer.from([0xfb, ...Array.from({ length: 3000 }, (_, i) => (i * i * 31 + i * 7) >> 3)])

function placeholder (mime: string, bytes: Buffer): string {
  return `[elided ${mime}, ${bytes.length} bytes, sha256:${createHash('sha256').update(bytes).digest('hex')}]`
}

function isBase64Left (text: string): boolean {
  return /[A-Za-z0-9+/_-]{100}/.test(text)
}

t.test('a data: URL gives way to its type, size and hash, and every other byte stays', t => {
  const before = '{ "b":1.0,  "a" :1e3, "n":12345678901234567890,"messages":[{"url":"'
  const after = '"}],\n\t"z": "\\u0000 ünïcödé \\ud83d" }  '
  const body = `${before}data:image/png;base64,${png.toString('base64')}${after}`
  t.equal(storedText(body, big), before + placeholder('image/png', png) + after)
  t.equal(storedText(Buffer.from(body), big), before + placeholder('image/png', png) + after)
  t.end()
})

t.test('a data: URL is found inside longer text', t => {
  const url = `data:image/webp;base64,${png.toString('base64')}`
  const elided = placeholder('image/webp', png)
  for (const [start, end] of [
    ['![a](', ') and ![b]('],
    ['<img src="', '">'],
    ["url('", "')"],
    ['see ', ' there'],
    ['', ''],
    ['{\\"a\\":\\"', '\\"}']
  ] as const) {
    t.equal(storedText(`{"text":"x ${start}${url}${end}"}`, big), `{"text":"x ${start}${elided}${end}"}`)
  }
  t.end()
})

t.test('every way to write a data: URL of base64 is known', t => {
  const base64 = png.toString('base64')
  const lines = base64.replace(/.{76}/g, '$&\\n')
  const cases: Array<[string, string]> = [
    [`data:image\\/png;base64,${base64.replaceAll('/', '\\/')}`, 'image/png'],
    [`data:image/svg\\u002Bxml;base64,${base64.replaceAll('+', '\\u002B')}`, 'image/svg+xml'],
    [
      `data:image/png;base64,${base64.replaceAll('+', '\\u002b').replaceAll('/', '\\u002f').replaceAll('=', '\\u003d')}`,
      'image/png'
    ],
    [
      `data:image/png;base64,${base64.replaceAll('+', '%2B').replaceAll('/', '%2F').replaceAll('=', '%3D')}`,
      'image/png'
    ],
    [`data:image\\\\\\/png;base64,${base64.replaceAll('/', '\\\\\\/')}`, 'image/png'],
    [`data:application/pdf;name=a.pdf;base64,${png.toString('base64url')}`, 'application/pdf'],
    [`data:;base64,${base64.replaceAll('=', '')}`, 'text/plain'],
    [`data:image/png;BASE64,${lines}`, 'image/png'],
    [`data:image/png;base64,${base64.replace(/.{64}/g, '$&\\r\\n').replaceAll('+', '\\u002B')}`, 'image/png']
  ]
  for (const [url, mime] of cases) {
    t.equal(
      storedText(`{"u":"${url}"}`, big), `{"u":"${placeholder(mime, png)}"}`, url.slice(0, 40)
    )
  }
  t.end()
})

t.test('long media are decoded whole, wherever their escapes begin', t => {
  for (const sizeBytes of [767, 768, 769, 3840, 3841, 66_000, 130_001]) {
    const media = Buffer.from(Array.from({ length: sizeBytes }, (_, i) => (i * i * 31 + i * 7) >> 3))
    const base64 = media.toString('base64')
    for (const from of [0, 1000, 1025, 60_000]) {
      const escaped = base64.slice(0, from) + base64.slice(from).replaceAll('/', '\\/').replaceAll('+', '\\u002B')
      t.equal(storedText(
        `{"u":"data:image/png;base64,${escaped}"} `, big
      ), `{"u":"${placeholder('image/png', media)}"} `)
    }
  }
  t.end()
})

t.test('prose after an image is not taken for a line of it', t => {
  const url = `data:image/png;base64,${png.toString('base64')}`
  t.equal(storedText(`{"t":"${url}\\nDescribe this"}`, big), `{"t":"${placeholder('image/png', png)}\\nDescribe this"}`)
  t.end()
})

t.test('a percent-encoded data: URL is replaced', t => {
  const svg = Buffer.from(`<svg xmlns='http://www.w3.org/2000/svg'><path d="M 1 (2) é${'z'.repeat(99)}"/></svg>`)
  const encoded = encodeURIComponent(svg.toString())
  const elided = placeholder('image/svg+xml', svg)
  t.equal(storedText(`{"u":"data:image/svg+xml,${encoded}"}`, big), `{"u":"${elided}"}`)
  t.equal(storedText(`{"u":"![x](data:image/svg+xml,${encoded}) y"}`, big), `{"u":"![x](${elided}) y"}`)
  t.equal(storedText(`{"u":${JSON.stringify(`data:image/svg+xml;utf8,${svg.toString()}`)}}`, big), `{"u":"${elided}"}`)
  t.end()
})

t.test('prose that looks like a data: URL stays', t => {
  for (const text of ['data: {"a":1}\n\ndata: [DONE]', 'metadata:text/plain;base64,QUJD', 'data:', 'data:,', 'data:image/png', 'data:image/png;base64,',
    'data:a,b', 'see data:text/plain,hello', '"b64_json"', '{"response_format":"b64_json","file_data":null,"modalities":["audio"]}',
    '{"file_data":"not, base64"}', '{"type":"input_audio"}', '{"audio":{"voice":"alloy","format":"wav"}}']) {
    t.equal(
      storedText(text, big), text
    )
  }
  t.end()
})

t.test('input_audio.data is replaced, its type taken from the format beside it', t => {
  const data = png.toString('base64')
  t.equal(storedText(`[{"type":"input_audio","input_audio":{"data":"${data}", "format" : "wav"}}]`, big),
    `[{"type":"input_audio","input_audio":{"data":"${placeholder('audio/wav', png)}", "format" : "wav"}}]`)
  t.equal(storedText(`{"input_audio": {"format":"mp3",\n"data": "${data}"}, "format":"no"}`, big),
    `{"input_audio": {"format":"mp3",\n"data": "${placeholder('audio/mp3', png)}"}, "format":"no"}`)
  t.equal(storedText(`{"audio":{"id":"audio_1","data":"${data}","expires_at":1,"transcript":"Hi"}}`, big),
    `{"audio":{"id":"audio_1","data":"${placeholder('audio/*', png)}","expires_at":1,"transcript":"Hi"}}`)
  t.end()
})

t.test('file_data is replaced, as a data: URL or as bare base64', t => {
  const data = png.toString('base64')
  t.equal(storedText(`{"file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,${data}"}}`, big),
    `{"file":{"filename":"a.pdf","file_data":"${placeholder('application/pdf', png)}"}}`)
  t.equal(storedText(`{"file":{"file_data" : "${data}","filename":"a.pdf"}}`, big),
    `{"file":{"file_data" : "${placeholder('application/octet-stream', png)}","filename":"a.pdf"}}`)
  t.end()
})

t.test('b64_json is replaced, and so is a generated image among the output items', t => {
  const data = png.toString('base64')
  t.equal(storedText(`{"data":[{"b64_json":"${data}"},{"b64_json": "${data}"}]}`, big),
    `{"data":[{"b64_json":"${placeholder('image/png', png)}"},{"b64_json": "${placeholder('image/png', png)}"}]}`)
  t.equal(storedText(`{"data":[{"b64_json":"${data}"}],"output_format": "webp"}`, big),
    `{"data":[{"b64_json":"${placeholder('image/webp', png)}"}],"output_format": "webp"}`)
  t.equal(storedText(`[{"type":"image_generation_call","output_format":"jpeg","result":"${data}","size":"1x1"}]`, big),
    `[{"type":"image_generation_call","output_format":"jpeg","result":"${placeholder('image/jpeg', png)}","size":"1x1"}]`)
  t.end()
})

t.test('media that the end of the body cuts are replaced by what came of them', t => {
  const data = png.toString('base64')
  for (const length of [1, 2, 3, 5, 1023, 1024, 1025, 3000]) {
    const seen = data.slice(0, length)
    t.equal(storedText(
      `{"u":"data:image/png;base64,${seen}`, big
    ), `{"u":"${placeholder('image/png', Buffer.from(seen, 'base64'))}`)
    t.equal(storedText(
      `{"b64_json":"${seen}`, big
    ), `{"b64_json":"${placeholder('image/png', Buffer.from(seen, 'base64'))}`)
  }
  t.end()
})

t.test('what Postgres refuses is replaced, and its JSON escape stays', t => {
  t.equal(storedText('a\0b\ud800c \\u0000 \\ud800', big), 'a\ufffdb\ufffdc \\u0000 \\ud800')
  t.equal(storedText(Buffer.from([0x61, 0xff, 0xe2, 0x82, 0x62, 0]), big), 'a\ufffd\ufffdb\ufffd')
  t.end()
})

t.test('a long body is cut between two characters, and says so', t => {
  const text = storedText('€'.repeat(1000), 100)
  t.equal(text, `${'€'.repeat(20)}… [truncated: 60 of 3000 bytes kept]`)
  t.equal(storedText('a'.repeat(100), 100), 'a'.repeat(100))
  t.equal(storedText('€€€', 7), '€€')
  t.equal(storedText('abc', 0), '')
  t.equal(storedText('\0'.repeat(40), 100), `${'\ufffd'.repeat(20)}… [truncated: 60 of 120 bytes kept]`)
  t.end()
})

t.test('of a body of nothing but small media only what is kept is looked at', t => {
  for (const one of ['{"b64_json":"AAAA"},', '"data:image/png;base64,AAAA",', '"data:', '"data:text/plain,%41']) {
    const text = storedText(Buffer.alloc(30_000_000, one), 10_000)
    t.ok(Buffer.byteLength(text) <= 10_000)
    t.match(text, /\[truncated: \d+ of \d+ bytes kept\]$/)
    t.equal(text.includes('AAAA'), false, one)
  }
  t.equal(storedText(
    `"data:text/plain,${'%41'.repeat(10_000_000)}"`, 10_000
  ), `"${placeholder('text/plain', Buffer.alloc(10_000_000, 'A'))}"`)
  t.end()
})

t.test('whatever the body: within the limit, no NUL, valid UTF-8, and no error', t => {
  const fragment = fc.oneof(
    fc.string({ unit: 'binary' }), fc.uint8Array().map(bytes => Buffer.from(bytes).toString('base64')),
    fc.constantFrom(
      'data:',
      'image/png',
      ';base64,',
      ',',
      'b64_json',
      '"b64_json":"',
      '"file_data":"',
      '"input_audio":{"data":"',
      '"',
      '\\',
      '\\/',
      '\\n',
      '\0',
      '%2B',
      '(',
      ')'
    ))
  const body = fc.oneof(
    fc.array(fragment).map(parts => Buffer.from(parts.join(''))), fc.uint8Array().map(bytes => Buffer.from(bytes))
  )
  fc.assert(fc.property(body, fc.nat(400), (bytes, maxBytes) => {
    const text = storedText(bytes, maxBytes)
    return Buffer.byteLength(text) <= maxBytes && !text.includes('\0') && Buffer.from(text).toString() === text
  }), { numRuns: 2000 })
  t.pass()
  t.end()
})

t.test('a short body without media is itself', t => {
  fc.assert(fc.property(fc.json(), body => storedText(body, big) === Buffer.from(body).toString()))
  t.pass()
  t.end()
})

t.test('planted media are replaced wherever they stand, and nothing beside them changes', t => {
  const plain = fc.string({ unit: 'grapheme', maxLength: 50 })
  const place = fc.constantFrom(
    (data: string) => [`{"url":"data:image/png;base64,${data}"}`, 'image/png'],
    (data: string) => [`{"url":"data:image\\/gif;base64,${data.replaceAll('/', '\\/')}"}`, 'image/gif'],
    (data: string) => [`{"input_audio":{"data":"${data}","format":"mp3"}}`, 'audio/mp3'],
    (data: string) => [`{"file_data":"${data}"}`, 'application/octet-stream'],
    (data: string) => [`{"b64_json":"${data}"}`, 'image/png'])
  const item = fc.record({ text: plain, media: fc.uint8Array({ minLength: 80, maxLength: 6000 }), place })
  fc.assert(fc.property(fc.array(item, { minLength: 1, maxLength: 4 }), items => {
    const bodies = items.map(({ text, media, place }) => {
      const bytes = Buffer.from(media)
      const [json = '', mime = ''] = place(bytes.toString('base64'))
      return {
        body: JSON.stringify(text) + json,
        stored: JSON.stringify(text) +
          json.replace(/(?:data:[^"]*|[A-Za-z0-9+/]{80,}=*)(?=")/, placeholder(mime, bytes))
      }
    })
    const stored = storedText(bodies.map(({ body }) => body).join(','), big)
    return !isBase64Left(stored) && stored === Buffer.from(bodies.map(({ stored }) => stored).join(',')).toString()
  }), { numRuns: 300 })
  t.pass()
  t.end()
})

t.test('a body that is not text leaves its type and size', t => {
  t.equal(storedBinary('audio/mpeg', 123456), '[elided audio/mpeg, 123456 bytes]')
  t.equal(storedBinary('Multipart/Form-Data; boundary="x"', 5), '[elided multipart/form-data, 5 bytes]')
  t.equal(storedBinary(null, 0), '[elided application/octet-stream, 0 bytes]')
  t.equal(storedBinary('nonsense', 7), '[elided application/octet-stream, 7 bytes]')
  t.end()
})
