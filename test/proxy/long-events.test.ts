import t from 'tap'
import { StreamTee } from '../../src/metering/stream-tee.js'
import { chunksOf, relay } from './relayed-stream.js'

/** An event of 18 MB in chunks of 1 MB. */
const long = (before: string, after: string): Buffer[] =>
  [Buffer.from(`data: ${before}`), ...Array<Buffer>(18).fill(Buffer.alloc(1024 * 1024, 'x')), Buffer.from(after)]

t.test('an event of 18 MB gives its usage, and goes on as it comes', t => {
  const usage = { total_tokens: 1 }
  for (const [mode, before, after] of [
    ['watch', '{"model":"m","choices":[{"delta":{"content":"', '"}}],"usage":{"total_tokens":1}}\n\n'],
    [
      'watch', '{"type":"response.completed","response":{"model":"m","output":["', '"],"usage":{"total_tokens":1}}}\n\n'
    ],
    ['watch', '{\ndata: "type":"response.completed",\ndata: "response":{"model":"m","output":["', '"],\r\ndata: "usage":{"total_tokens":1}}}\n\n'],
    ['strip', '{"model":"m","choices":[{"delta":{"content":"', '"}}],"usage":{"total_tokens":1}}\n\n'],
    ['strip', '{"model":"m",\ndata: "choices":[{"delta":{"content":"', '"}}],\ndata: "usage":{"total_tokens":1}\ndata: }\n\n']
  ] as const) {
    const chunks = long(before, after)
    const { output, facts } = relay(mode, chunks, (fed, outputBytes) => t.ok(fed - outputBytes < 3 * 1024 * 1024))
    t.ok(output.equals(Buffer.concat(chunks)), before)
    t.match(facts, { usage, model: 'm' }, before)
  }
  t.end()
})

t.test('the end of a final event of 18 MB is held', t => {
  for (const mode of ['watch', 'strip'] as const) {
    const tee = new StreamTee(mode)
    for (const chunk of long(
      '{"type":"response.completed","response":{"output":["', '"],"usage":{"total_tokens":1}}'
    )) tee.push(chunk)
    t.equal(tee.ended, false)
    t.notMatch(String(tee.push(Buffer.from('}\n\n: bye\n\n'))), '}')
    t.match(tee, { ended: true })
    t.match(String(tee.takeHeld()), /\}\n\n: bye\n\n$/)
  }
  t.end()
})

t.test('what the injected option caused is cut from an event of 18 MB, too', t => {
  const next = 'data: [DONE]\n\n'
  const big = 'x'.repeat(18 * 1024 * 1024)
  const delta = (usage: string): string => `{"a":1,"choices":[{"delta":{"content":"${big}"}}]${usage}}`
  for (const [asked, plain] of [
    [`data: ${delta(',"usage":null')}\n\n`, `data: ${delta('')}\n\n`],
    [`data: ${delta(',\ndata:  "usage" : null')}\r\n\r\n`, `data: ${delta('')}\r\n\r\n`],
    [`data: {"usage":null, ${delta('').slice(1)}\n\n`, `data: ${delta('')}\n\n`],
    [`id: 1\ndata: {"choices":[],"usage":{"total_tokens":1},"obfuscation":"${big}"}\n\n`, '']
  ] as const) {
    const { output } = relay('strip', chunksOf(Buffer.from(asked + next), [100_000, 7]))
    t.ok(output.toString() === plain + next, asked.slice(0, 40))
  }
  t.end()
})

t.test('memory is bounded by the line that is read, not by what a stream never ends', t => {
  for (const endless of [
    'id: 1\n', 'data:\n', ': x', 'data: {"a":1,\n', 'data: "x"', 'data: {"choices":[],"usage":{},"a":[\ndata: 1,'
  ]) {
    const tee = new StreamTee('strip')
    const chunk = Buffer.from(endless.repeat(10_000))
    let fed = 0
    let out = 0
    while (fed < 8 * 1024 * 1024) {
      fed += chunk.length
      out += tee.push(chunk)?.length ?? 0
    }
    t.ok(fed - out < 3 * 1024 * 1024 || endless.includes('choices'), `${endless.trim()}: ${out} of ${fed}`)
  }
  t.end()
})
