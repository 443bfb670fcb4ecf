import fc from 'fast-check'
import t from 'tap'
import { holdsGatewayKey, queryWithoutGatewayKeys, withoutGatewayKeys } from '../../src/proxy/gateway-key-filter.js'
import { unescape } from '../../src/redaction/unescape.js'
import { quickestMs } from '../helpers/cpu-time.js'

const KEY = `pm_${'aZ09_-x'.repeat(6)}q`
const OTHER = `pm_${'B'.repeat(43)}`
const knows = (key: string): boolean => key === KEY
const percent = (text: string): string =>
  Array.from(text, character => `%${character.charCodeAt(0).toString(16)}`).join('')
const base64 = (text: string): string => Buffer.from(text).toString('base64')
const base64url = (text: string): string => Buffer.from(text).toString('base64url')
const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`
const cleaned = (name: string, value: string): string[] =>
  withoutGatewayKeys(['a', '1', name, value, 'z', '2'], knows).slice(2, -2)

t.test('a header that is a gateway key goes, however it is written', t => {
  for (const value of [KEY, OTHER, `Bearer ${KEY}`, `bearer  ${KEY} `, percent(KEY), percent(
    percent(KEY)
  ), `%70m_${KEY.slice(3)}`, `"${KEY}"`, `key=${KEY}`, `${KEY}, ${OTHER}`,
  basic(`user:${KEY}`), basic(`${KEY}:`), basic(KEY), basic(`:${percent(KEY)}`), basic(`user:${KEY}`)
    .replace('Basic', 'bASIC ')]) {
    t.same(cleaned('X-Any', value), [], value)
  }
  t.same(cleaned(`x-${KEY}`, '1'), [], 'in its name')
  t.same(cleaned(KEY, KEY), [])
  t.end()
})

t.test('of a longer header only the key goes', t => {
  t.same(cleaned('Cookie', `a=1; pm=${KEY}; b=2`), ['Cookie', 'a=1; b=2'])
  t.same(cleaned('cookie', `pm=${percent(KEY)}; b=2;${KEY}=x`), ['cookie', 'b=2'])
  t.same(cleaned('cookie', `pm=${KEY}`), [])
  t.same(cleaned('Sec-WebSocket-Protocol', `realtime, openai-insecure-api-key.${KEY}, openai-beta.realtime-v1`), [
    'Sec-WebSocket-Protocol', 'realtime, openai-beta.realtime-v1'
  ])
  t.same(cleaned('sec-websocket-protocol', `openai-insecure-api-key.${KEY}`), [])
  t.same(cleaned('X-Trace', `id=7 key=${KEY} end`), ['X-Trace', 'id=7 key= end'])
  t.same(cleaned('X-Url', `https://a.example/?k%3D${KEY}%26x%3D1`), ['X-Url', 'https://a.example/?k%3D%26x%3D1'])
  t.end()
})

t.test('what only looks like one stays, unless it is one', t => {
  const jwt = (inside: string): string => `Bearer eyJhbGciOiJSUzI1NiJ9.eyJhdWQi${inside}OiJodHRwcz.c2lnbmF0dXJl`
  for (const value of [
    jwt(OTHER),
    `rpm_${'a'.repeat(43)}`,
    'pm_short',
    'npm_config',
    '100% pm_',
    basic('user:password'),
    'Basic',
    'Basic !',
    'basically',
    `a&b&#115;${'x'.repeat(60)}`
  ]) {
    t.same(cleaned('Authorization', value), ['Authorization', value])
  }
  t.notOk(cleaned('Authorization', jwt(KEY)).join().includes(KEY), 'a known key goes out of anything')
  const headers = ['Host', 'x', 'X-A', '%41 \\u0041 &amp; pm_']
  t.equal(withoutGatewayKeys(['Host', 'x'], knows).length, 2)
  t.same(withoutGatewayKeys(headers, knows), headers)
  t.end()
})

t.test('a key in base64 goes, at any place of any header', t => {
  for (const encoded of [
    base64(KEY),
    base64url(KEY),
    base64(`a:${KEY}`),
    base64url(`ab:${KEY}`),
    base64(`{"key":"${OTHER}"}`),
    base64(percent(KEY)),
    percent(base64(`~~~${KEY}`)),
    base64(`\u00ff\u00fe${KEY}\u00ff`)
  ]) {
    for (const value of [
      encoded,
      `"${encoded}"`,
      `Bearer ${encoded}`,
      `Bearer\t${encoded}`,
      `bASIC  ${encoded} `,
      `key=${encoded}`,
      `;${encoded};`
    ]) t.same(cleaned('X-Any', value), [], value)
    t.same(cleaned('X-Any', `id 7,${encoded}`), ['X-Any', 'id 7,'])
    t.same(cleaned('Cookie', `a=1; k=${encoded}; b=2`), ['Cookie', 'a=1; b=2'])
    t.same(cleaned('sec-websocket-protocol', `realtime,openai-insecure-api-key.${encoded}`), [
      'sec-websocket-protocol', 'realtime'
    ])
  }
  t.notMatch(
    cleaned('X-Any', `v1/${base64(KEY)}`).join(), base64(KEY).slice(8, 40), 'behind characters of its alphabet'
  )
  const jwt =
    `Bearer ${base64url('{"alg":"RS256"}')}.${base64url(`{"sub":"${'user-'.repeat(20)}","n":"x${OTHER}"}`)}.${base64url('\u0001\u00ff'.repeat(64))}`
  t.same(cleaned('Authorization', jwt), ['Authorization', jwt], 'a JWT without a key stays')
  t.end()
})

t.test('a query loses its gateway keys, and nothing else', t => {
  const cases: Array<[string, string]> = [
    [`/models?api-key=${KEY}`, '/models'],
    [`/models?a=1&api-key=${KEY}&b=2`, '/models?a=1&b=2'],
    [`/models?a=1&api-key=%70m_${KEY.slice(3)}`, '/models?a=1'],
    [`/models?api%2Dkey=${percent(OTHER)}&`, '/models'],
    [`/models?${KEY}`, '/models'],
    [`/models?authorization=Bearer%20${KEY}&c`, '/models?c'],
    [`/models?a=1&authorization=Basic%20${encodeURIComponent(base64(`u:${KEY}`))}`, '/models?a=1'],
    [`/models?k=${base64url(KEY)}&a=1`, '/models?a=1'],
    [`/models?next=https%3A%2F%2Fa%2F%3Fk%3D${KEY}%26x%3D1&c=`, '/models?next=https%3A%2F%2Fa%2F%3Fk%3D%26x%3D1&c='],
    ['/models?a=%41&&b=pm_&=', '/models?a=%41&&b=pm_&='],
    ['/models?', '/models?']
  ]
  for (const [path, wanted] of cases) t.equal(queryWithoutGatewayKeys(path, knows), wanted, path)
  t.end()
})

t.test('a path with a gateway key is known for one, however it is written', t => {
  for (const path of [
    `/files/${KEY}/content`,
    `/files/%2570m_${KEY.slice(3)}`,
    `/files/x${KEY}`,
    `/files/${OTHER}`,
    `/models/${base64(KEY)}`,
    `/models/${base64url(`abc${KEY}`)}/x`
  ]) {
    t.equal(holdsGatewayKey(path, knows), true, path)
  }
  for (const path of [
    `/files/x${OTHER}`,
    '/models/pm_short',
    `/files/${'file-abc123'.repeat(20)}`,
    `/vector_stores/${base64url('x'.repeat(100))}`
  ]) t.equal(holdsGatewayKey(path, knows), false, path)
  t.end()
})

t.test('the time is linear, whatever is repeated', t => {
  for (const part of ['A', 'cG1f', base64(OTHER), `${base64url(KEY)}.`, 'pm_', '%', '=', `${'A'.repeat(61)}=`]) {
    const [short = 0, long = 0] = [8192, 131_072].map(length => {
      const text = part.repeat(length / part.length)
      return quickestMs(() => withoutGatewayKeys(['x-any', text], knows))
    })
    // Sixteen times as long; were it quadratic, it would take 256 times.
    t.ok(long < 64 * Math.max(1, short), `${part.slice(0, 20)}: ${short} ms, ${long} ms`)
  }
  t.end()
})

/** What base64 has of the key at each alignment, whatever stands around it. */
const inBase64 = [KEY, `-${KEY}`, `--${KEY}`].flatMap(text => [base64(text).slice(4, 56), base64url(text).slice(4, 56)])

t.test('whatever is around a known key, none is left, in any header or path', t => {
  const piece = fc.oneof(
    fc.constantFrom(
      KEY,
      `%70m_${KEY.slice(3)}`,
      percent(KEY),
      OTHER,
      base64(KEY),
      base64url(`u:${KEY}`),
      base64(`ab:${KEY}`),
      'A',
      '=',
      ';',
      ',',
      '&',
      '?',
      '/',
      ' ',
      '"',
      'pm_',
      'Bearer ',
      '\\',
      '%',
      '%25',
      'p',
      KEY.slice(0, 20),
      KEY.slice(20)
    ),
    fc.string({ maxLength: 5 })
  )
  const text = fc.array(piece, { maxLength: 8 }).map(parts => parts.join(''))
  const name = fc.constantFrom(
    'cookie', 'sec-websocket-protocol', 'x-any', 'proxy-authorization', 'openai-organization'
  )
  fc.assert(fc.property(name, text, (name, text) => {
    const left = [
      ...withoutGatewayKeys([name, text], knows),
      ...withoutGatewayKeys([text, 'x'], knows),
      queryWithoutGatewayKeys(`/?${text}`, knows)
    ]
    if (left.map(one => unescape(one).text)
      .some(one => one.includes(KEY) || inBase64.some(core => one.includes(core)))) throw new Error(left.join('\n'))
  }), { numRuns: 5000 })
  t.end()
})
