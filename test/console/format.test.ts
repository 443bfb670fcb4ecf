import { execFileSync } from 'node:child_process'
import t from 'tap'
import { reach, tickText, ticksAt } from '../../src/console/chart-axis.js'
import { curlCaveat, curlLine } from '../../src/console/curl.js'
import { parseBody, requestTurns, responseTurns } from '../../src/console/conversation.js'
import {
  ago, bytes, change, count, duration, exactMoney, money, percent, signedMoney, utcHour, utcTime, viewersTime
} from '../../src/console/format.js'
import { type Interval, bucketsOf } from '../../src/console/range.js'

t.test('money has as many digits as the amount needs', t => {
  const texts: Array<[number, string]> = [
    [
      0.00021, '$0.00021'
    ], [12_400, '$12,400'], [
      12_399.6, '$12,400'
    ], [3.52, '$3.52'], [3.5, '$3.50'], [0.042, '$0.042'], [0.006, '$0.0060'], [0.5, '$0.50'], [0, '$0'], [
      999.99, '$999.99'
    ],
    [0.000000000001, '$0.000000000001'], [-0.25, '−$0.25'], [1_234_567.8, '$1,234,568']
  ]
  for (const [usd, text] of texts) t.equal(money(usd), text)
  t.equal(money(null), '–', 'not known is not nothing')
  t.equal(exactMoney(0.000123456789), '$0.000123456789')
  t.equal(exactMoney(12), '$12')
  t.same([signedMoney(3.5), signedMoney(-0.042), signedMoney(0)], ['+$3.50', '−$0.042', '$0'])
  t.end()
})

t.test('counts, durations, sizes and shares are short, and never round to a unit that is full', t => {
  t.same([count(0), count(99_999), count(1_250_000)], ['0', '99,999', '1.3M'])
  t.same([
    duration(0), duration(999.4), duration(999.7), duration(1234), duration(59_960), duration(119_700), duration(null)
  ],
  ['0 ms', '999 ms', '1.0 s', '1.2 s', '1 min 0 s', '2 min 0 s', '–'])
  t.same([bytes(0), bytes(1023), bytes(1536), bytes(5 * 1024 * 1024)], ['0 B', '1023 B', '1.5 kB', '5.0 MB'])
  t.same([percent(0.042), percent(0.5)], ['4.2 %', '50 %'])
  t.equal(change(3, 0), null, 'nothing to compare with')
  t.equal(change(3, 2), 0.5)
  t.end()
})

t.test('what is known by the hour says which one', t => {
  t.equal(utcHour('2020-11-18T14:00:00.000Z'), '18 Nov 2020, 14:00 to 15:00 UTC')
  t.equal(utcHour('2020-12-31T23:00:00.000Z'), '31 Dec 2020, 23:00 to 00:00 UTC')
  t.end()
})

t.test('a chart has its ticks at its own buckets: each day one, hours at even times of the day', t => {
  const texts = (range: { from: string, to: string, interval: Interval }, room: number): string[] =>
    ticksAt(bucketsOf(range).map(ms => ms / 1000), range.interval, room)
      .map(seconds => tickText(seconds, range.interval))
  const days = { from: '2026-11-12T00:00:00Z', to: '2026-11-18T15:00:00Z', interval: 'day' } as const
  t.same(texts(days, 7), ['12 Nov', '13 Nov', '14 Nov', '15 Nov', '16 Nov', '17 Nov', '18 Nov'])
  t.same(texts(days, 4), ['12 Nov', '14 Nov', '16 Nov', '18 Nov'])
  const hours = { from: '2026-11-17T15:00:00Z', to: '2026-11-18T15:00:00Z', interval: 'hour' } as const
  t.same(texts(hours, 4), ['18:00', '18 Nov', '06:00', '12:00'])
  t.same(texts(hours, 12).slice(0, 2), ['16:00', '18:00'])
  t.same(texts(
    { from: '2026-11-04T00:00:00Z', to: '2026-11-18T00:00:00Z', interval: 'week' }, 9
  ), ['2 Nov', '9 Nov', '16 Nov'])
  t.same(texts(
    { from: '2026-12-31T00:00:00Z', to: '2027-02-01T00:00:01Z', interval: 'month' }, 9
  ), ['Dec 2026', 'Jan 2027', 'Feb 2027'])
  for (const room of [0, 1, 2, 100]) {
    t.ok(
      ticksAt(bucketsOf(days).map(ms => ms / 1000), 'day', room).length <= Math.max(1, room)
    )
  }
  t.same(reach([0, 86_400], 'day'), [-43_200, 129_600], 'each bucket has its whole place')
  t.end()
})

t.test('times are in UTC and say so; the viewer\'s zone is a tooltip', t => {
  const year = new Date().getUTCFullYear()
  t.equal(utcTime(`${year}-06-15T10:00:00Z`), '15 Jun, 10:00:00 UTC', 'no year where it is this one')
  t.equal(utcTime('2019-06-15T23:59:59.999Z'), '15 Jun 2019, 23:59:59 UTC')
  t.match(viewersTime('2019-06-15T10:00:00Z'), /^1\d Jun 2019, \d\d:\d0:00 in [A-Za-z/_]+$/)
  const now = Date.parse('2026-11-23T12:00:00Z')
  t.same([
    ago('2026-11-23T11:59:30Z', now), ago('2026-11-23T11:57:00Z', now), ago('2026-11-22T11:00:00Z', now)
  ], ['30 seconds ago', '3 minutes ago', 'yesterday'])
  t.end()
})

const call = { endpoint: 'chat/completions', prompt_type: 'ask:v1.2', prompt: null, cost_reason: null, key_id: null }

/** The words that a real shell makes of the line. */
const words = (line: string): string[] =>
  execFileSync('sh', ['-c', `curl () { printf '%s\\0' "$@"; }; ${line}`], {
    encoding: 'utf8', env: { OPENAI_API_KEY: 'the-key', GATEWAY_KEY: 'pm_key' }
  })
    .split('\0')
    .slice(0, -1)

t.test('a call as curl says to a shell what the call was, whatever is in it', t => {
  for (const prompt of [
    '{"a":1}', "it's \"quoted\"", "''", 'two\nlines\n', '$HOME `id` $(id) \\ \\n !!', '@/etc/passwd', 'ž 😀'
  ]) {
    t.same(words(curlLine('http://127.0.0.1:8080', { ...call, prompt })), [
      'http://127.0.0.1:8080/v1/chat/completions', '-H', 'Authorization: Bearer the-key', '-H', 'Content-Type: application/json',
      '-H', 'X-Prompt-Type: ask:v1.2', '--data-raw', prompt
    ])
  }
  t.end()
})

t.test('a call that came with a gateway key is repeated with one', t => {
  t.same(words(curlLine('http://h', { ...call, key_id: '2f1de5a4-6f0a-4d5e-9a51-8f1f3d2b7c10' }))
    .slice(1, 3), ['-H', 'Authorization: Bearer pm_key'])
  t.end()
})

t.test('a call whose body is not there says so', t => {
  t.same(words(curlLine('http://h', call)).slice(-2), ['--data-binary', '@body.json'])
  t.match(curlCaveat(call), /not stored/)
  t.same(words(
    curlLine('http://h', {
      endpoint: 'models', prompt_type: 'untyped', prompt: null, cost_reason: 'not_metered', key_id: null
    })
  ), ['http://h/v1/models', '-H', 'Authorization: Bearer the-key'])
  t.match(curlCaveat({ ...call, prompt: '{"messages":[{"ro… [truncated: 17 of 900 bytes kept]' }), /cut/)
  t.match(curlCaveat({ ...call, prompt: '{"image":"[elided image/png, 9 bytes, sha256:00]"}' }), /Images/)
  t.equal(curlCaveat({ ...call, prompt: '{}' }), null)
  t.end()
})

t.test('bodies become who said what, and no body breaks that', t => {
  const said = (body: unknown): unknown[] =>
    requestTurns(body).map(({ role, parts }) => [role, ...parts.map(part => part.kind)])
  t.same(said({
    messages: [
      { role: 'user', content: 'hi' },
      { role: 'assistant', content: null, tool_calls: [{ function: { name: 'f', arguments: '{' } }] },
      { role: 'tool', tool_call_id: 'c1', content: '1' }
    ]
  }),
  [['user', 'text'], ['assistant', 'call'], ['tool c1', 'text']])
  t.same(said({ instructions: 'be brief', input: 'hi' }), [['instructions', 'text'], ['input', 'text']])
  t.same(said({ input: Array.from({ length: 5000 }, (_, i) => i) }), [['input', 'json']], 'tokens are one piece')
  t.same(responseTurns({
    output: [
      { type: 'reasoning', summary: [] },
      { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'yes' }] }
    ]
  })
    .map(({ role }) => role), ['reasoning', 'assistant'])
  for (const body of [
    undefined,
    null,
    1,
    'text',
    [],
    {},
    { messages: null, choices: null, output: null, tools: null },
    {
      messages: [null, 1, {}, { role: null, content: [null, {}, { type: 'image_url', image_url: null }] }],
      choices: [null, { message: null }, {}],
      output: [null, {}]
    }
  ]) {
    t.doesNotThrow(() => [requestTurns(body), responseTurns(body)])
  }
  t.equal(parseBody('{"cut'), undefined)
  t.equal(parseBody(null), null)
  t.end()
})
