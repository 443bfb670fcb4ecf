import t, { type Test } from 'tap'
import { type TestGateway, startGateway } from '../helpers/gateway.js'
import { type Upstream, json, startUpstream } from '../helpers/upstream.js'
import { RawCaller, ask, endToEnd, header, logRows, requestText } from './raw-caller.js'

const app = 'https://app.example'
const chat = '{"model":"gpt-4o-mini","messages":[]}'
const preflight = (origin: string, more: readonly string[] = []): string[] =>
  [
    `origin: ${origin}`,
    'access-control-request-method: POST',
    'access-control-request-headers: authorization,content-type,x-prompt-type,x-stainless-lang',
    ...more
  ]
const isCors = (line: string): boolean => /^(access-control-|vary)/i.test(line)

const start = async (t: Test, env: Record<string, string>): Promise<{ upstream: Upstream, gateway: TestGateway }> => {
  const upstream = await startUpstream(t)
  return {
    upstream, gateway: await startGateway(t, { upstreamUrl: upstream.url, env: { RECORD_WAIT_MS: '60000', ...env } })
  }
}

const nothingIsBooked = async (t: Test, gateway: TestGateway): Promise<void> => {
  t.same(await logRows(gateway), [])
  t.match((await gateway.admin('GET', '/prompt-configs')).body, { total: 0 })
}

for (const [name, env] of [
  ['callers bring the key', {}],
  ['the gateway holds the key', { UPSTREAM_API_KEY: 'sk-held-by-the-gateway-0000000000' }]
] as const) {
  t.test(`without CORS_ORIGINS a preflight goes upstream as it came, without a key, and is in no books (${name})`, async t => {
    const { upstream, gateway } = await start(t, { ...env, PROMPT_TYPE_REQUIRED: 'true' })
    const answered = ['Access-Control-Allow-Origin: https://app.example', 'access-control-allow-headers: authorization,content-type,x-prompt-type', 'Vary: Origin']
    upstream.reply({ status: 204, headers: answered.flatMap(line => line.split(': ')), body: [] })
    for (const path of [
      '/v1/chat/completions', '/v1/models?x=%20', '/prompt-types/agent/v1/responses', '/prompt-types/%zz/v1/responses'
    ]) {
      const { status, headers } = await ask(t, gateway, `OPTIONS ${path}`, preflight(app, ['x-prompt-user: ann']))
      t.equal(status, 204, path)
      t.same(endToEnd(headers), answered, 'none is added')
    }
    for (const { method, rawHeaders } of upstream.requests) {
      t.equal(method, 'OPTIONS')
      t.same(rawHeaders.slice(4), preflight(app).flatMap(line => line.split(': ')))
    }
    await upstream.close()
    t.equal((await ask(t, gateway, 'OPTIONS /v1/models', preflight(app))).status, 502)
    await nothingIsBooked(t, gateway)
  })
}

t.test('what is no preflight needs a key, though its method is OPTIONS', async t => {
  const { upstream, gateway } = await start(t, { UPSTREAM_API_KEY: 'sk-held-by-the-gateway-0000000000' })
  for (const headers of [
    [], [`origin: ${app}`], [
      'access-control-request-method: POST'
    ], preflight(app, ['authorization: Bearer x']), preflight(app, ['cookie: a=b']),
    preflight(app, ['x-http-method-override: POST'])
  ]) t.equal((await ask(t, gateway, 'OPTIONS /v1/models', headers)).status, 401, headers.join(', '))
  t.equal((await ask(t, gateway, 'OPTIONS /v1/responses', preflight(app), chat)).status, 401, 'one with a body')
  t.equal(upstream.requests.length, 0)
})

t.test('with CORS_ORIGINS preflights are answered here, for the origins that are listed, and are in no books', async t => {
  const { upstream, gateway } = await start(t, {
    CORS_ORIGINS: `${app}, http://localhost:5173`,
    UPSTREAM_API_KEY: 'sk-held-by-the-gateway-0000000000',
    PROMPT_TYPE_REQUIRED: 'true'
  })
  for (const origin of [app, 'http://localhost:5173']) {
    const { status, headers } = await ask(t, gateway, 'OPTIONS /prompt-types/agent/v1/responses', preflight(origin))
    t.equal(status, 204)
    t.equal(header(headers, 'access-control-allow-origin'), origin)
    t.equal(
      header(headers, 'access-control-allow-headers'), 'authorization,content-type,x-prompt-type,x-stainless-lang'
    )
    t.match(header(headers, 'access-control-allow-methods'), /POST.*DELETE/)
    t.equal(header(headers, 'vary'), 'Origin, Access-Control-Request-Headers')
  }
  for (const origin of [
    'https://evil.example', 'http://app.example', 'https://app.example:8443', 'https://app.example.evil', 'null'
  ]) {
    const refused = await ask(t, gateway, 'OPTIONS /v1/responses', preflight(origin))
    t.equal(refused.status, 403, origin)
    t.equal(header(refused.headers, 'access-control-allow-origin'), undefined)
    t.match(refused.body, 'CORS_ORIGINS')
  }
  const odd = await ask(t, gateway, 'OPTIONS /v1/responses', [
    `origin: ${app}`, 'access-control-request-method: POST', 'access-control-request-headers: a"b'
  ])
  t.same([odd.status, header(odd.headers, 'access-control-allow-headers')], [204, undefined])
  t.equal(upstream.requests.length, 0)
  await nothingIsBooked(t, gateway)
})

t.test('answers to a page have what it needs to read them, in place of the upstream\'s own; all others say that they would differ', async t => {
  const { upstream, gateway } = await start(t, { CORS_ORIGINS: app })
  const own = [
    'content-type: application/json', 'access-control-allow-origin: https://other.example',
    'Access-Control-Allow-Credentials: true', 'Vary: Accept-Encoding', 'X-Request-ID: req_1', 'set-cookie: a=b'
  ]
  upstream.reply({ headers: own.flatMap(line => line.split(': ')), body: '{}' })
  const asked = async (headers: readonly string[]): Promise<string[]> =>
    (await ask(
      t, gateway, 'POST /v1/chat/completions', ['content-type: application/json', ...headers], chat
    )).headers.filter(line => isCors(line) || /^x-request-id/i.test(line))

  t.same(await asked([
    `origin: ${app}`
  ]), ['Vary: Accept-Encoding', 'X-Request-ID: req_1', `access-control-allow-origin: ${app}`,
    'access-control-expose-headers: content-type, vary, x-request-id, content-length', 'vary: Origin'])
  t.same(await asked(['origin: https://evil.example']), [
    'Vary: Accept-Encoding', 'X-Request-ID: req_1', 'vary: Origin'
  ])
  t.same(
    await asked([]),
    [...own.filter(line => isCors(line) || /^x-request-id/i.test(line)), 'vary: Origin'],
    'a cache may hold it'
  )
  t.equal((await logRows(gateway)).length, 3)
})

t.test('the gateway\'s own errors can be read by a page', async t => {
  const { gateway } = await start(t, { CORS_ORIGINS: app, UPSTREAM_API_KEY: 'sk-held-by-the-gateway-0000000000' })
  const { key } = (await gateway.admin('POST', '/keys', { name: 'page' })).body as { key: string }
  await gateway.admin('POST', '/budgets', {
    name: 'spent', period: 'total', limit_usd: 0.000001, action: 'block', strict: true
  })
  const bearer = `authorization: Bearer ${key}`
  for (const [line, headers, status] of [
    ['POST /v1/chat/completions', [], 401],
    ['POST /prompt-types/-/v1/chat/completions', [bearer], 400],
    ['POST /v1/../chat/completions', [bearer], 400],
    ['POST /v1/chat/completions', [bearer], 429],
    ['GET /v1/responses', ['upgrade: websocket', 'connection: upgrade'], 426]
  ] as const) {
    const answer = await ask(
      t,
      gateway,
      line,
      [`origin: ${app}`, 'content-type: application/json', ...headers],
      line.startsWith('POST') ? chat : ''
    )
    t.equal(answer.status, status, line)
    t.equal(header(answer.headers, 'access-control-allow-origin'), app)
    t.equal(header(answer.headers, 'vary'), 'Origin')
    t.match(header(answer.headers, 'access-control-expose-headers'), 'content-type')
    if (status === 429) t.match(header(answer.headers, 'access-control-expose-headers'), 'x-should-retry')
  }
})

t.test('with * every page may call', async t => {
  const { upstream, gateway } = await start(t, { CORS_ORIGINS: '*' })
  upstream.reply(json({ ok: true }, 200, ['x-request-id', 'req_1']))
  for (const origin of [app, 'null']) {
    t.equal(
      header(
        (await ask(t, gateway, 'OPTIONS /v1/responses', preflight(origin))).headers, 'access-control-allow-origin'
      ),
      '*'
    )
    const answer = await ask(t, gateway, 'GET /v1/models', [`origin: ${origin}`])
    t.same(answer.headers.filter(isCors), [
      'access-control-allow-origin: *', 'access-control-expose-headers: content-type, x-request-id, content-length',
      'vary: Origin'
    ])
  }
  t.same((await ask(t, gateway, 'GET /v1/models')).headers.filter(isCors), ['vary: Origin'])
})

t.test('a preflight whose caller leaves ends upstream too', async t => {
  const { upstream, gateway } = await start(t, {})
  upstream.reply({ raw: [], ending: 'hang' })
  const caller = new RawCaller(t, gateway.origin).send(requestText('OPTIONS /v1/models', preflight(app)))
  const request = await upstream.nth(0)
  caller.socket.destroy()
  t.equal(await request.closed, 'aborted')
})
