import fc from 'fast-check'
import t from 'tap'
import { MultipartModel } from '../../src/decoders/multipart-model.js'
import { startGateway } from '../helpers/gateway.js'
import { json, startUpstream } from '../helpers/upstream.js'
import { logRowsOnce } from '../proxy/raw-caller.js'
import { quickestMs } from '../helpers/cpu-time.js'

const TYPE = 'multipart/form-data; boundary=----Form7X'
const form = (...parts: ReadonlyArray<readonly [string, string]>): string =>
  `${parts.map(([disposition, value]) => `------Form7X\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n${value}\r\n`).join('')}------Form7X--\r\n`
const file = [
  'name="file"; filename="a.wav"\r\nContent-Type: audio/wav', 'RIFF\r\n\r\nname="model"\r\n\r\ncheap\r\n--Form7X\r\n'
] as const

/** The model of a form that comes in pieces. */
function modelOf (body: string, cuts: readonly number[] = [], type = TYPE): string | null {
  const reader = MultipartModel.of(type)
  const bytes = Buffer.from(body, 'latin1')
  const places = [0, ...cuts.map(cut => Math.min(cut, bytes.length)).toSorted((a, b) => a - b), bytes.length]
  for (let i = 1; i < places.length; i++) reader?.feed(bytes.subarray(places[i - 1], places[i]))
  return reader?.model ?? null
}

t.test('the field is found wherever it stands and however the body is cut', t => {
  const bodies = [
    form(['name="model"', 'gpt-4o-transcribe'], file),
    form(file, ['name="prompt"', 'x'.repeat(10_000)], [
      'name="model"\r\nContent-Type: text/plain', 'gpt-4o-transcribe'
    ], ['name="n"', '1']),
    `preamble\r\n${form(['name=model', 'gpt-4o-transcribe'])}`
  ]
  fc.assert(
    fc.property(fc.constantFrom(...bodies), fc.array(fc.nat(11_000), { maxLength: 30 }), (body, cuts) => {
      t.equal(modelOf(body, cuts), 'gpt-4o-transcribe')
    })
  )
  t.equal(modelOf(form(['name="model"', 'a']), [], 'multipart/form-data;charset=utf-8; boundary="----Form7X"'), 'a')
  t.end()
})

t.test('no model is known where there is none, or two', t => {
  t.equal(modelOf(form(file)), null, 'what a file holds is no field')
  t.equal(modelOf(form(['name="model"', 'a'], ['name="model"', 'b'])), null)
  t.equal(modelOf(form(['name="model"', 'a'], ['name="model"', 'a'])), 'a')
  t.equal(modelOf(form(['name="model"', 'x'.repeat(300)], ['name="models"', 'y'])), null)
  t.equal(modelOf(form(['name="model"', 'a']), [], 'multipart/form-data'), null)
  t.equal(modelOf(form(['name="model"', 'a']), [], 'audio/wav; boundary=----Form7X'), null)
  t.end()
})

t.test('whatever comes takes time in proportion', t => {
  for (const part of [
    '------Form7X\r\n', `------Form7X\r\nContent-Disposition: model${'; '.repeat(100)}\r\n\r\n`, '\r\n', '-', 'x'
  ]) {
    const chunk = Buffer.from(part.repeat(Math.ceil(10_000 / part.length)))
    const [short = 0, long = 0] = [2, 200].map(chunks => quickestMs(() => {
      const reader = MultipartModel.of(TYPE)
      for (let i = 0; i < chunks; i++) reader?.feed(chunk)
    }))
    t.ok(long < 1000 * (short +
      0.5), `${short} and ${long} ms`) // A hundred times as much; squared, it would be ten thousand.
  }
  t.end()
})

t.test('a transcription is priced by the model that its form names, and passes unchanged', async t => {
  const upstream = await startUpstream(t)
  upstream.reply(
    json({ text: 'Hello', usage: { type: 'tokens', input_tokens: 1000, output_tokens: 100, total_tokens: 1100 } })
  )
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env: { RECORD_WAIT_MS: '60000' } })
  const body = form(file, ['name="model"', 'gpt-4o-mini'])
  t.equal(
    (await fetch(`${gateway.origin}/v1/audio/transcriptions`, {
      method: 'POST', headers: { 'content-type': TYPE }, body
    })).status,
    200
  )
  t.equal(upstream.requests[0]?.body.toString(), body)
  t.match(await logRowsOnce(gateway, 1), [
    { request_model: 'gpt-4o-mini', response_model: null, cost: '0.000210000000', endpoint: 'audio/transcriptions' }
  ])
})
