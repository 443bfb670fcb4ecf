import t, { type Test } from 'tap'
import { type TestGateway, startGateway } from '../helpers/gateway.js'
import { json, startUpstream } from '../helpers/upstream.js'
import { type RawAnswer, ask, logRows } from './raw-caller.js'

const chat = 'POST /v1/chat/completions'
const plain = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}'
const upstreamKey = `sk-proj-${'upstream'.repeat(5)}`

interface Key { readonly id: string, readonly key: string }

async function makeKey (gateway: TestGateway, fields: object): Promise<Key> {
  const { status, body } = await gateway.admin('POST', '/keys', fields)
  if (status !== 201) throw new Error(JSON.stringify(body))
  return body as Key
}

const call = async (t: Test, gateway: TestGateway, key: string, headers: readonly string[] = []): Promise<RawAnswer> =>
  await ask(t, gateway, chat, [`Authorization: Bearer ${key}`, ...headers], plain)

t.test('the upstream sees the gateway\'s key and no other, and the books know who called', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env: { UPSTREAM_API_KEY: upstreamKey } })
  const { key, id } = await makeKey(gateway, { name: 'importer', user: 'team-import' })
  const unnamed = await makeKey(gateway, { name: 'only a name' })
  upstream.reply(request =>
    json(
      { error: { message: `you sent ${request.headers('authorization').join()} and ${request.body.toString()}` } }, 401
    ))
  const answer = await ask(t, gateway, chat, [
    `AUTHORIZATION: bearer ${key}`, `authorization: Bearer ${key}`, 'x-prompt-store-full-data: true'
  ],
  plain.replace('hi', `my key is ${key}`))
  t.equal(answer.status, 401)
  t.equal((await call(t, gateway, unnamed.key)).status, 401)
  t.same(upstream.requests[0]?.rawHeaders.filter((_, i, all) => /authorization/i.test(all[i & ~1] ?? '')),
    ['AUTHORIZATION', `Bearer ${upstreamKey}`])
  t.notMatch(JSON.stringify(upstream.requests[0]?.rawHeaders), key)
  const rows = await logRows(gateway)
  t.match(rows, [{ key_id: id, user_name: 'team-import' }, { key_id: unnamed.id, user_name: 'only a name' }])
  const kept = JSON.stringify([
    rows, await gateway.database.operator.$client.unsafe('select * from prompt_stats'), gateway.logged
  ])
  for (const secret of [key, unnamed.key, upstreamKey]) t.notOk(kept.includes(secret))
  t.match(kept, /redacted key/)
})

t.test('a key that is missing, wrong, revoked or expired gets 401, and its call goes nowhere', async t => {
  let nowMs = Date.now()
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, {
    upstreamUrl: upstream.url, env: { UPSTREAM_API_KEY: upstreamKey }, now: () => nowMs
  })
  const revoked = await makeKey(gateway, { name: 'revoked' })
  const expiring = await makeKey(gateway, { name: 'expiring', expires_at: new Date(nowMs + 60_000).toISOString() })
  t.equal((await call(t, gateway, revoked.key)).status, 200)
  t.equal((await call(t, gateway, expiring.key)).status, 200)
  t.equal((await gateway.admin('DELETE', `/keys/${revoked.id}`)).status, 204)
  nowMs += 60_001
  const wrong = `pm_${'A'.repeat(43)}`
  for (const headers of [[], ['Authorization: '], ['Authorization: Basic cG06cG0='], [
    `Authorization: Bearer ${wrong}`
  ], [
    'Authorization: Bearer sk-callers-own'
  ],
  [`Authorization: Bearer ${upstreamKey}`], [`Authorization: Bearer ${revoked.key}`], [
      `Authorization: Bearer ${expiring.key}`
  ], [`Authorization: ${expiring.key}`]]) {
    const answer = await ask(t, gateway, chat, headers, plain)
    t.equal(answer.status, 401, headers.join())
    t.match(JSON.parse(answer.body), {
      error: { code: 'invalid_api_key', type: 'invalid_request_error', param: null, message: /\/admin\/api\/keys/ }
    })
    for (const { key } of [revoked, expiring, { key: wrong }, { key: upstreamKey }]) t.notOk(answer.body.includes(key))
  }
  t.equal(upstream.requests.length, 2)
  t.notOk(JSON.stringify(gateway.logged).includes('pm_'))
})

t.test('a key for some prompt types gets 403 for the others', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env: { UPSTREAM_API_KEY: upstreamKey } })
  const { key } = await makeKey(gateway, { name: 'limited', allowed_prompt_types: ['a', 'b'] })
  t.equal((await call(t, gateway, key, ['x-prompt-type: a'])).status, 200)
  for (const headers of [['x-prompt-type: c'], [], ['x-prompt-type: A']]) {
    const answer = await call(t, gateway, key, headers)
    t.equal(answer.status, 403)
    t.match(JSON.parse(answer.body), { error: { code: 'prompt_type_not_allowed', type: 'invalid_request_error' } })
  }
  t.equal(upstream.requests.length, 1)
})

t.test('without UPSTREAM_API_KEY the caller\'s key goes upstream as it came, and a gateway key never does', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  t.equal((await ask(t, gateway, chat, ['authorization:   Bearer   sk-odd  '], plain)).status, 200)
  t.same(upstream.requests[0]?.headers('authorization'), ['Bearer   sk-odd'])
  const key = `pm_${'B'.repeat(43)}`
  const answer = await call(t, gateway, key)
  t.equal(answer.status, 401)
  t.notOk(answer.body.includes(key))
  t.equal(upstream.requests.length, 1)
})

/** Names and values that the upstream got, besides those of the connection. */
const sentOn = (rawHeaders: readonly string[] | undefined): string[] =>
  Array.from({
    length: (rawHeaders?.length ?? 0) / 2
  }, (_, i) => `${rawHeaders?.[i * 2] ?? ''}: ${rawHeaders?.[i * 2 + 1] ?? ''}`)
    .filter(line => !/^(host|connection|content-length):/i.test(line))

t.test('the upstream gets the gateway\'s key once, whatever carried the caller\'s, and no other credential', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env: { UPSTREAM_API_KEY: upstreamKey } })
  const { key } = await makeKey(gateway, { name: 'importer' })
  const cases: Array<[string[], string[]]> = [
    [[`api-key: ${key}`], [`Authorization: Bearer ${upstreamKey}`]],
    [[`X-Api-Key: ${key}`, 'x-a: 1'], ['x-a: 1', `Authorization: Bearer ${upstreamKey}`]],
    [
      [
        `aUTHORIZATION: Bearer ${key}`, 'x-a: 1', `authorization: Bearer ${key}`, `api-key: ${key}`, `x-api-key: ${key}`
      ],
      [`aUTHORIZATION: Bearer ${upstreamKey}`, 'x-a: 1']
    ],
    [['Authorization: Bearer dummy', `api-key: ${key}`], [`Authorization: Bearer ${upstreamKey}`]],
    [
      [`Authorization: Bearer ${key}`, 'api-key: sk-callers-own', 'x-api-key: sk-callers-own'],
      [`Authorization: Bearer ${upstreamKey}`]
    ],
    [[`Authorization: Bearer ${key}`, 'Connection: authorization'], [`Authorization: Bearer ${upstreamKey}`]],
    [[
      `api-key: ${key}`,
      `proxy-authorization: Basic ${Buffer.from(`u:${key}`).toString('base64')}`,
      `cookie: a=1; k=${key}`,
      `openai-organization: ${key}`,
      `x-goog-api-key: ${key}`,
      `x-${key}: 1`,
      `x-b: %70m_${key.slice(3)}`
    ],
    ['cookie: a=1', `Authorization: Bearer ${upstreamKey}`]]
  ]
  for (const [headers, wanted] of cases) {
    const answer = await ask(t, gateway, `GET /v1/models?api-key=${key}&a=1&k=%70m_${key.slice(3)}`, headers)
    t.equal(answer.status, 200, headers.join())
    t.equal(upstream.requests.at(-1)?.url, '/v1/models?a=1')
    t.same(sentOn(upstream.requests.at(-1)?.rawHeaders), wanted)
  }
  const asked = await ask(t, gateway, 'POST /v1/files', [
    `authorization: Bearer ${key}`, 'content-type: text/plain'
  ], `the body is the caller's: ${key}`)
  t.equal(asked.status, 200)
  t.equal(upstream.requests.at(-1)?.body.toString(), `the body is the caller's: ${key}`)
  const rows = JSON.stringify([await logRows(gateway), gateway.logged])
  t.notOk(rows.includes(key))
})

for (const [name, env] of [
  ['callers bring the key', {}], ['the gateway holds the key', { UPSTREAM_API_KEY: upstreamKey }]
] as const) {
  t.test(`a call with a gateway key in its path goes nowhere, and is told why (${name})`, async t => {
    const upstream = await startUpstream(t)
    const gateway = await startGateway(t, { upstreamUrl: upstream.url, env })
    const { key } = await makeKey(gateway, { name: 'importer' })
    for (const path of [
      `/v1/models/${key}`,
      `/v1/files/%70m_${key.slice(3)}/content`,
      `/prompt-types/a/v1/models/${Buffer.from(key).toString('base64url')}`
    ]) {
      const answer = await ask(
        t, gateway, `GET ${path}?a=1`, 'UPSTREAM_API_KEY' in env ? [`authorization: Bearer ${key}`] : []
      )
      t.equal(answer.status, 400, path)
      t.match(JSON.parse(answer.body), {
        error: { code: 'invalid_path', type: 'invalid_request_error', message: /contains a gateway key.*Authorization/ }
      })
    }
    t.equal(upstream.requests.length, 0)
    t.same(await logRows(gateway), [])
  })
}

t.test('without UPSTREAM_API_KEY too, no gateway key goes upstream, and all else does', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  const { key } = await makeKey(gateway, { name: 'importer' })
  const embedded = `Bearer eyJ${key}x`
  t.match((await gateway.admin('GET', '/keys')).body, { total: 1, accepted: false })
  for (const carrier of ['authorization: Bearer', 'api-key:', 'X-Api-Key:', 'Authorization: Basic']) {
    const value = carrier.endsWith('Basic') ? Buffer.from(`x:${key}`).toString('base64') : key
    const answer = await ask(t, gateway, chat, [`${carrier} ${value}`], plain)
    t.equal(answer.status, 401, carrier)
    t.match(JSON.parse(answer.body), { error: { code: 'invalid_api_key', message: /set UPSTREAM_API_KEY/ } })
  }
  t.equal((await ask(t, gateway, chat, [`authorization: ${embedded}`], plain)).status, 401)
  t.equal(upstream.requests.length, 0)
  const answer = await ask(t, gateway, `GET /v1/models?k=${key}&a=pm_b`, [
    'Authorization: Bearer sk-mine',
    'api-key: azure',
    `cookie: k=${key}; a=pm_`,
    `sec-websocket-protocol: realtime, openai-insecure-api-key.${key}`
  ])
  t.equal(answer.status, 200)
  t.equal(upstream.requests[0]?.url, '/v1/models?a=pm_b')
  t.same(sentOn(upstream.requests[0]?.rawHeaders), [
    'Authorization: Bearer sk-mine', 'api-key: azure', 'cookie: a=pm_', 'sec-websocket-protocol: realtime'
  ])
})
