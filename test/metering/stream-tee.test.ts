import fc from 'fast-check'
import t from 'tap'
import { StreamTee } from '../../src/metering/stream-tee.js'
import { asksForUsage, corpusMissing, isStream, lacksUsage, loadCorpus, withUsage } from '../helpers/corpus.js'
import { check, chunksOf, relay, run, sizes } from '../proxy/relayed-stream.js'

/** An event with the usage that the question causes, and without. */
interface Event { readonly asked: string, readonly plain: string }
interface Stream { readonly events: Event[], readonly usage: object | undefined }

const USAGE = { prompt_tokens: 12, completion_tokens: 3, total_tokens: 15 }
const content = fc.constantFrom(
  '', 'é', '\u{1f600} "usage":null', ',"usage":null}', '[DONE]', 'data: [DONE]\n\n', '\r\n', 'a\\'
)
const choices = fc.record({
  index: fc.nat(), delta: fc.record({ content }), usage: fc.constantFrom(null, { a: 1 })
}, { requiredKeys: ['delta'] })
  .map(choice => JSON.stringify([choice]))
const extra = fc.constantFrom<[string, string]>(['obfuscation', '"aB3"'], ['x', '{"usage":null}'], [
  'service_tier', '"default"'
], ['usages', 'null'])

function jsonOf (members: ReadonlyArray<readonly [string, string]>, [comma, colon, pad]: readonly string[]): string {
  return `{${pad}${members.map(([key, value]) => `"${key}"${colon}${value}`).join(comma)}${pad}}`
}

const style = fc.tuple(fc.constantFrom(',', ', ', ',  '), fc.constantFrom(':', ': ', ' : '), fc.constantFrom('', ' '))

const stream = fc.record({
  lineEnd: fc.constantFrom('\n', '\r\n', '\r'),
  data: fc.constantFrom('data: ', 'data:', 'data:  '),
  style,
  chunks: fc.array(fc.record({
    choices,
    extras: fc.uniqueArray(extra, { maxLength: 3, selector: ([key]) => key }),
    usageAt: fc.nat({ max: 6 }),
    before: fc.subarray([': a comment', 'event: chunk', 'id: 7', 'retry: 10', 'data', ':']),
    after: fc.subarray([': "usage":null', 'id: 8'])
  }), { maxLength: 5 }),
  usage: fc.boolean(),
  done: fc.boolean(),
  ending: fc.constantFrom('whole', 'no blank line', 'no line end')
}).map(({ lineEnd, data, style, chunks, usage, done, ending }): Stream => {
  const event = (lines: readonly string[]): string => [...lines, '', ''].join(lineEnd)
  const events: Event[] = chunks.map(({ choices, extras, usageAt, before, after }) => {
    const members: Array<readonly [string, string]> = [
      ['id', '"chatcmpl-1"'], ['model', '"gpt-4o-2024"'], ['choices', choices], ...extras
    ]
    const asked = members.toSpliced(usageAt, 0, ['usage', 'null'])
    return {
      asked: event([...before, data + jsonOf(asked, style), ...after]),
      plain: event([...before, data + jsonOf(members, style), ...after])
    }
  })
  if (usage) {
    const members = [
      ['model', '"gpt-4o-2024"'], ['choices', '[]'], ['usage', JSON.stringify(USAGE)], ['obfuscation', '"x"']
    ] as const
    events.push({ asked: event(['event: the extra one', data + jsonOf(members, style), 'id: 9']), plain: '' })
  }
  if (done) events.push({ asked: event([data.trimEnd() + ' [DONE]']), plain: event([data.trimEnd() + ' [DONE]']) })
  const last = events.pop()
  if (last !== undefined) {
    const cut = (text: string): string =>
      text.slice(0, text.length - (ending === 'whole' ? 0 : ending === 'no line end' ? 2 : 1) * lineEnd.length)
    events.push({ asked: cut(last.asked), plain: cut(last.plain) })
  }
  return { events, usage: usage ? USAGE : undefined }
})

const text = (events: readonly Event[], key: keyof Event): string => events.map(event => event[key]).join('')

t.test('strip: the bytes are those of a stream that was not asked for usage, however it is written and cut', t => {
  fc.assert(fc.property(stream, sizes, ({ events, usage }, sizes) => {
    const { output, facts } = run('strip', text(events, 'asked'), sizes)
    check(output === text(events, 'plain'), `got ${JSON.stringify(output)}`)
    check(JSON.stringify(facts.usage) === JSON.stringify(usage), 'another usage')
  }), { numRuns: 1000 })
  t.end()
})

t.test('strip: an event goes out in the push that made it whole, until the final one', t => {
  fc.assert(fc.property(stream, sizes, ({ events }, sizes) => {
    const bytes = Buffer.from(text(events, 'asked'))
    const ends: Array<[number, number]> = []
    let asked = 0
    let plain = 0
    for (const event of events.filter(event => !event.asked.includes(' [DONE]') || event.asked.includes('{'))) {
      asked += Buffer.byteLength(event.asked)
      plain += Buffer.byteLength(event.plain)
      ends.push([asked, plain])
    }
    if (!/(\n\n|\r\r|\r\n\r\n)$/.test(events.at(-1)?.asked ?? '')) ends.pop()
    relay('strip', chunksOf(bytes, sizes), (fed, outputBytes) => {
      const due = ends.findLast(([end]) => end <= fed)?.[1] ?? 0
      check(outputBytes >= due, `${outputBytes} of ${due} bytes after ${fed}`)
    })
  }), { numRuns: 500 })
  t.end()
})

t.test('watch: no byte changes, and all but the final event goes out in the push that brought it', t => {
  fc.assert(fc.property(stream, sizes, ({ events, usage }, sizes) => {
    const bytes = Buffer.from(text(events, 'asked'))
    const final = /(?:^|[\r\n])(data: ?\[DONE\])[\r\n]/.exec(bytes.toString('latin1'))
    const finalStart = final === null ? Infinity : final.index + final[0].indexOf('data')
    const finalEnd = final === null ? Infinity : finalStart + (final[1]?.length ?? 0)
    let before = 0
    let held = false
    const { output, facts } = relay('watch', chunksOf(bytes, sizes), (fed, outputBytes, tee) => {
      if (held) return
      held = fed > finalEnd
      check(tee.ended === held, `ended is ${tee.ended} after ${fed}`)
      check(outputBytes === (held ? Math.max(before, finalStart) : fed), `${outputBytes} bytes out after ${fed}`)
      before = fed
    })
    check(output.equals(bytes), 'bytes changed')
    check(JSON.stringify(facts.usage) === JSON.stringify(usage), 'another usage')
    check(facts.model === (events.some(event => event.asked.includes('{')) ? 'gpt-4o-2024' : null), 'another model')
  }), { numRuns: 1000 })
  t.end()
})

t.test('the recorded streams that lack usage come out of what upstream sends when asked', {
  skip: corpusMissing
}, t => {
  for (const exchange of (loadCorpus() ?? []).filter(lacksUsage)) {
    const { body, usage } = withUsage(exchange)
    const first = JSON.parse(/^data: (.*)$/m.exec(body)?.[1] ?? '') as { model: string, service_tier?: string }
    for (const sizes of [[1], [7, 1, 64, 3], [1000, 13], [body.length * 4]]) {
      const { output, facts } = run('strip', body, sizes)
      if (output !== exchange.response.body) t.fail(`${exchange.id} in chunks of ${sizes.join()}`)
      if (JSON.stringify(facts.usage) !== JSON.stringify(usage)) t.fail(`${exchange.id}: usage`)
      if (facts.model !== first.model ||
        facts.serviceTier !== (first.service_tier ?? null)) t.fail(`${exchange.id}: model or tier`)
      if (facts.error !== undefined) t.fail(`${exchange.id}: error`)
    }
    t.equal(
      run('strip', exchange.response.body).output, exchange.response.body, 'a stream without usage stays as it is'
    )
  }
  t.end()
})

t.test('every recorded stream passes unchanged, its last event held, its usage read', { skip: corpusMissing }, t => {
  for (const exchange of (loadCorpus() ?? []).filter(isStream)) {
    const { body } = exchange.response
    for (const sizes of [[1], [11, 2, 300], [body.length * 4]]) {
      const ends: boolean[] = []
      const { output, facts } = relay('watch', chunksOf(Buffer.from(body), sizes), (_inputBytes, _outputBytes, tee) =>
        ends.push(tee.ended))
      if (output.toString() !== body) t.fail(`${exchange.id} in chunks of ${sizes.join()}`)
      if (/^data: \[DONE\]|"type":"response\.(completed|incomplete|failed)"/m.test(body) &&
        ends.at(-1) !== true) t.fail(`${exchange.id}: the end is not held`)
      const hasUsage = asksForUsage(exchange.request.body) || body.includes('"response.completed"')
      if (hasUsage &&
        (typeof facts.usage !== 'object' || facts.model === null)) t.fail(`${exchange.id}: usage or model`)
    }
  }
  t.pass('all of them')
  t.end()
})

t.test('an event of the Responses API that ends the stream is held, whatever else it says', t => {
  for (const end of ['completed', 'incomplete', 'failed']) {
    for (const usage of ['', ',"usage":null', ',"usage":{"input_tokens":1}']) {
      const event = `data: {"type":"response.${end}","response":{"model":"m","service_tier":"flex"${usage}}}\n\n`
      const tee = new StreamTee('watch')
      t.equal(String(tee.push(Buffer.from(`event: response.${end}\n${event}`))), `event: response.${end}\n`)
      t.equal(tee.ended, true)
      t.equal(String(tee.takeHeld()), event)
      t.match(tee.facts(), { model: 'm', serviceTier: 'flex' })
    }
  }
  t.end()
})

t.test('an error ends the stream, and is read', t => {
  const chunk = 'data: {"model":"m","choices":[],"error":null}\n\n'
  const cases: Array<[string, unknown]> = [
    ['data: {"error":{"message":"busy","type":"server_error"}}\n\n', { message: 'busy', type: 'server_error' }],
    ['data: {"error":"busy"}\n\n', 'busy'],
    [
      'event: error\ndata: {"type":"error","code":"server_error","message":"busy"}\n\n',
      { type: 'error', code: 'server_error', message: 'busy' }
    ],
    ['data: {"type":"response.failed","response":{"error":{"code":"server_error"}}}\n\n', { code: 'server_error' }]
  ]
  for (const mode of ['watch', 'strip'] as const) {
    for (const [event, error] of cases) {
      const tee = new StreamTee(mode)
      const out = String(tee.push(Buffer.from(chunk + event)))
      t.equal(out.startsWith(chunk) && !out.includes('data: {"error"') && tee.ended, true)
      t.same(tee.facts().error, error)
      t.equal(out + String(tee.takeHeld()) +
        String(tee.push(Buffer.from('data: [DONE]\n\n'))), `${chunk}${event}data: [DONE]\n\n`)
    }
  }
  t.end()
})

t.test('the tier is the usage\'s event\'s, else the first one\'s', t => {
  const first = 'data: {"model":"m-1","service_tier":"default","choices":[{}]}\n\n'
  t.match(run('watch', `${first}data: {"model":"m-2","choices":[],"usage":{}}\n\n`).facts, {
    model: 'm-2', serviceTier: 'default'
  })
  t.match(run('watch', `${first}data: {"service_tier":"flex","choices":[],"usage":{}}\n\n`).facts, {
    model: 'm-1', serviceTier: 'flex'
  })
  t.end()
})

t.test('OpenAI\'s own form is taken out, and usage in any other place stays', t => {
  const own = [
    '{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"total_tokens":1}}',
    '{"choices":[{"delta":{}}],"usage":{"total_tokens":1,"prompt_tokens":1}}',
    '{"choices":[],"x_groq":{"usage":{"total_tokens":1}}}',
    '{"choices":[],"usage":[1]}', '{"choices":[],"usage":0}', '{"usage":{"total_tokens":1}}', '{"choices":null,"usage":{}}',
    '{"choices":{},"usage":{"total_tokens":1}}', '{"choices":[{"usage":null}]}', '{"x":{"choices":[],"usage":{}}}', '[{"choices":[],"usage":{}}]', '{"a":1,"usage":null'
  ]
  for (const json of own) {
    for (const end of [
      '\n', '\n\n'
    ]) t.equal(run('strip', `data: ${json}${end}data: [DONE]${end}`).output, `data: ${json}${end}data: [DONE]${end}`)
  }
  t.equal(run('strip', 'data: {"choices" : [ ],\ndata: "usage" : {}}\n\n').output, '')
  t.equal(
    run('strip', ': a\nid: 1\n: b\ndata: {"choices":[],"usage":{}}\n: c\n\ndata: [DONE]').output,
    ': a\n: b\n: c\ndata: [DONE]',
    'comments stay'
  )
  t.equal(
    run('strip', 'data: {"a":1,\n: c\ndata: "usage":null}\n\n').output,
    'data: {"a":1\n: c\ndata: }\n\n',
    'a line between the data lines stays'
  )
  t.equal(
    run('strip', 'data: {"a":1,\n: c\ndata: "x":2', [7]).output,
    'data: {"a":1,\n: c\ndata: "x":2',
    'an object without end goes on'
  )
  t.end()
})
