import t from 'tap'
import { startGateway } from '../helpers/gateway.js'
import { json, startUpstream } from '../helpers/upstream.js'
import { RawCaller, ask, endToEnd, flat, header, logRows, requestText } from './raw-caller.js'

const chat = '{"model":"gpt-4o-mini","messages":[]}'

t.test('every method goes through, with and without a body', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  upstream.reply({ headers: ['x-answer', 'yes'], body: 'answered' })
  const bodies = ['', chat, '\0\xff binary \r\n\r\n']
  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'QUERY']) {
    for (const body of bodies) {
      const seen = upstream.requests.length
      const answer = await ask(t, gateway, `${method} /v1/things/1?a=b`, ['Content-Type: text/x-odd'], body)
      t.same([
        answer.status, answer.body, header(answer.headers, 'x-answer')
      ], [200, 'answered', 'yes'], `${method} ${body.length}`)
      const request = upstream.requests[seen]
      t.same([request?.method, request?.url], [method, '/v1/things/1?a=b'])
      t.equal((await request?.received)?.toString('latin1'), body)
    }
  }
  t.equal(upstream.requests.length, 8 * bodies.length)
  t.equal((await logRows(gateway)).length, 8 * bodies.length)
})

t.test('a path and its query are not touched, however odd', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  const odd = ['', '?', '/', '//', '/?', '/models?', '/models??a=b?', '/files/%zz', '/files/%', '/a%2Fb%00', '/a;b=c,d/../e/./f', '/models?q=%zz&q=a+b&&=',
    `/long/${'x'.repeat(60_000)}`, '/models?url=http://[::1]/v1/x', '/%70rompt-types/x/v1', '/{}|\\^`"<>']
  for (const path of odd) {
    const seen = upstream.requests.length
    const answer = await ask(t, gateway, `GET /v1${path}`)
    t.equal(answer.status, 200, path.slice(0, 50))
    t.equal(upstream.requests[seen]?.url, `/v1${path}`)
  }
  t.equal((await logRows(gateway)).length, odd.length)
})

t.test('the upstream\'s base path stands for /v1, be it none or a deep one', async t => {
  const upstream = await startUpstream(t)
  for (const [base, expected] of [
    ['', ['/models', '/', '/?a', '//x']],
    ['/', ['/models', '/', '/?a', '//x']],
    ['/a/b/', ['/a/b/models', '/a/b', '/a/b?a', '/a/b//x']]
  ] as const) {
    const gateway = await startGateway(t, { upstreamUrl: upstream.origin + base })
    const seen = upstream.requests.length
    for (const path of ['/models', '', '?a', '//x']) t.equal((await ask(t, gateway, `GET /v1${path}`)).status, 200)
    t.same(upstream.requests.slice(seen).map(request => request.url), expected)
  }
})

t.test('the path form names the prompt type, and the header wins', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  for (const [line, headers] of [
    ['POST /prompt-types/from.path/v1/chat/completions?x=%20', []],
    ['POST /prompt-types/from%2Epath/v1/chat/completions?x=%20', []],
    ['POST /prompt-types/from.path/v1/chat/completions?x=%20', ['x-prompt-TYPE: from:header']],
    ['POST /prompt-types/%zz/v1/chat/completions?x=%20', ['X-Prompt-Type: from:header']],
    ['POST /v1/chat/completions?x=%20', []]
  ] as const) t.equal((await ask(t, gateway, line, headers, chat)).status, 200)
  t.same(upstream.requests.map(request => request.url), Array(5).fill('/v1/chat/completions?x=%20'))
  t.same((await logRows(gateway)).map(row => row['prompt_type']), [
    'from.path', 'from.path', 'from:header', 'from:header', 'untyped'
  ])
  t.equal((await ask(t, gateway, 'GET /prompt-types/%zz/v1/models')).status, 400)
  t.equal((await ask(t, gateway, 'GET /prompt-types//v1/models')).status, 400)
  t.equal((await ask(t, gateway, 'GET /prompt-types/a/v2/models')).status, 404)
  t.equal((await ask(t, gateway, 'GET /v10/models')).status, 404)
  t.equal(upstream.requests.length, 5)
})

t.test('request headers keep order, case and duplicates, less the gateway\'s and the connection\'s own', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  const kept = ['X-Zulu: 1', 'AUTHORIZATION: Bearer sk-caller', 'cookie: a=1', 'Cookie: b=2', 'x-alpha: \xe9\xff', 'X-Zulu: 3', 'Accept-Encoding: zstd, br;q=0.1, *',
    'X-Empty: ', 'Trailer: x-sum', 'x-prompt-other: stays', 'Content-Type: application/JSON']
  const dropped = ['X-Prompt-Type: a', 'x-prompt-description: b', 'X-PROMPT-USER: c', 'x-prompt-metadata: {}', 'X-Prompt-Store-Full-Data: false',
    'Keep-Alive: timeout=5', 'TE: trailers', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA', 'Proxy-Connection: keep-alive', 'X-Named: gone',
    'Connection: keep-alive, x-NAMED', 'Connection: Upgrade, HTTP2-Settings']
  const headers = kept.flatMap((line, i) => [line, ...dropped.slice(i, i === kept.length - 1 ? undefined : i + 1)])
  for (const [body, length] of [[chat, [`content-length: ${chat.length}`]], ['', ['content-length: 0']]] as const) {
    const seen = upstream.requests.length
    t.equal((await ask(t, gateway, 'POST /v1/chat/completions', headers, body)).status, 200)
    const [host, connection, ...rest] = upstream.requests[seen]?.rawHeaders ?? []
    t.same([host, connection], ['host', new URL(upstream.url).host])
    t.same(rest, ['connection', 'keep-alive', ...flat(kept), ...flat(length)])
  }
  const seen = upstream.requests.length
  await ask(t, gateway, 'GET /v1/models')
  t.same(upstream.requests[seen]?.rawHeaders, ['host', new URL(upstream.url).host, 'connection', 'keep-alive'])
})

t.test('a header that names another path stays here: an upstream would serve what the call is not metered for', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  const kept = [
    'X-HTTP-Method-Override: POST', 'X-Original-Url-Hash: 1', 'X-Original-Host: a', 'X-Forwarded-For: 10.0.0.1',
    'Referer: https://a.example/v1'
  ]
  const dropped = [
    'X-Original-URL: /v1/chat/completions', 'x-rewrite-url: /tenant-b/x', 'X_ORIGINAL_URL: /x', 'X-Original-URI: /x',
    'X-Rewrite-Uri: /x', 'x-waws-unencoded-url: /x'
  ]
  t.equal((await ask(t, gateway, 'POST /v1/moderations', [...dropped, ...kept, ...dropped], chat)).status, 200)
  const [request] = upstream.requests
  t.equal(request?.url, '/v1/moderations')
  t.same(request?.rawHeaders.slice(4, -2), flat(kept))
})

t.test('response headers keep order, case and duplicates, less the connection\'s own; none is added', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  const kept = [
    'X-Zulu: 1', 'set-cookie: a=1; Path=/', 'Set-Cookie: b=2', 'x-alpha: \xe9\xff\tx', 'X-Zulu: 3', 'X-Empty: ',
    'Server: cloudflare', 'X-Request-ID: req_1', 'Vary: a', 'vary: b'
  ]
  const own = [
    'Keep-Alive: timeout=999', 'Connection: x-named, close', 'x-named: gone', 'Proxy-Connection: close', 'Upgrade: h3'
  ]
  for (const [extra, body] of [
    [['Content-Length: 2', 'Content-Type: application/json'], '{}'],
    [
      ['Content-Type: text/event-stream', 'Date: Thu, 01 Jan 1970 00:00:00 GMT', 'Content-Length: 11'], 'data: {}\n\n\n'
    ],
    [['Content-Length: 0'], ''],
    [['content-length: 3'], 'abc']
  ] as const) {
    const lines = [...kept, ...extra]
    upstream.reply({
      raw: ['HTTP/1.1 200 OK', ...own.slice(0, 2), ...lines, ...own.slice(2), '', body].join('\r\n').split('')
        .map(one => Buffer.from(one, 'latin1'))
    })
    const answer = await ask(t, gateway, 'POST /v1/chat/completions', [], chat)
    t.same(endToEnd(answer.headers), lines.map(line => line.trim().replace(/:$/, ': ')))
    t.same([answer.body, answer.complete], [body, true])
    t.same(answer.headers.filter(line => /^connection|^keep-alive/i.test(line)), [
      'Connection: keep-alive', 'Keep-Alive: timeout=72'
    ])
  }
  upstream.reply({ raw: `HTTP/1.1 200 OK\r\n${kept[0] ?? ''}\r\n\r\nuntil it closes` })
  const answer = await ask(t, gateway, 'GET /v1/models')
  t.same([endToEnd(answer.headers), answer.body, answer.complete], [[kept[0]], 'until it closes', true])
})

t.test('status and reason phrase are the upstream\'s', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  for (const status of ['200 Fine By Me', '200 ', '201 Created', '299 caf\xc3\xa9', '302 Found', '404 Nope', '418 I\'m a teapot', '429 Too Many', '500 Oops', '599 What', '799 Odd']) {
    upstream.reply({
      raw: Buffer.from(`HTTP/1.1 ${status}\r\ncontent-length: 2\r\nlocation: /elsewhere\r\n\r\n{}`, 'latin1')
    })
    const answer = await ask(t, gateway, 'GET /v1/models')
    t.same([answer.statusLine, answer.body], [`HTTP/1.1 ${status}`, '{}'])
    t.equal(header(answer.headers, 'location'), '/elsewhere')
  }
  upstream.reply({ raw: Buffer.from('HTTP/1.1 299 \xe9t\xe9\r\ncontent-length: 2\r\n\r\n{}', 'latin1') })
  t.match(await ask(t, gateway, 'GET /v1/models'), { statusLine: /^HTTP\/1\.1 299 .+t/, body: '{}' })
  t.equal(upstream.requests.length, 12)
})

t.test('answers without a body: 204, 304, HEAD', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  for (const [line, status, headers] of [
    ['GET', 204, ['x-a: 1']],
    ['GET', 304, ['etag: "x"', 'content-length: 1234']],
    ['HEAD', 200, ['content-length: 1234', 'content-type: application/json']],
    ['HEAD', 200, ['x-a: 1']],
    ['HEAD', 404, ['content-length: 12', 'content-type: text/html', 'content-encoding: gzip']]
  ] as const) {
    upstream.reply({ status, headers: flat(headers), body: [] })
    const caller = await new RawCaller(t, gateway.origin).send(requestText(`${line} /v1/files/f`)).until('\r\n\r\n')
    upstream.reply({ headers: ['x-second', '1'], body: 'second' })
    caller.send(requestText('GET /v1/then'))
    await caller.until('second')
    const [first = '', second = ''] = caller.text.split(/(?=HTTP\/1\.1 )/)
    const [statusLine = '', ...lines] = first.trimEnd().split('\r\n')
    t.equal(statusLine.split(' ')[1], `${status}`, `${line} ${status}`)
    t.same(endToEnd(lines), headers)
    t.match(second, 'x-second: 1')
  }
})

t.test('interim answers of the upstream are not mistaken for the final one', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  upstream.reply({
    raw: 'HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-final: 1\r\n\r\nok'
  })
  const answer = await ask(t, gateway, 'POST /v1/chat/completions', [], chat)
  t.same([answer.status, endToEnd(answer.headers), answer.body], [200, ['content-length: 2', 'x-final: 1'], 'ok'])
})

t.test('a WebSocket handshake is refused with 426, another upgrade is ignored', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  upstream.reply(json({ ok: true }))
  const handshake = [
    'Connection: keep-alive, Upgrade', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13'
  ]
  for (const path of [
    '/v1/realtime?model=x', '/v1/responses', '/v1/not/known', '/v1', '//v1/responses',
    '/prompt-types/agent/v1/responses'
  ]) {
    for (const upgrade of ['websocket', 'WebSocket', 'h2c, websocket', 'websocket/13 ,h2c']) {
      const refused = await ask(t, gateway, `GET ${path}`, [...handshake, `Upgrade: ${upgrade}`])
      t.equal(refused.status, 426, `${path} ${upgrade}`)
      t.same([header(refused.headers, 'upgrade'), header(refused.headers, 'connection')], ['HTTP/1.1', 'Upgrade'])
      t.match(JSON.parse(refused.body), {
        error: { code: 'websocket_not_supported', type: 'invalid_request_error', param: null, message: /WebSocket/ }
      })
    }
  }
  t.equal(upstream.requests.length, 0)
  t.same(await logRows(gateway), [])
  const caller = new RawCaller(t, gateway.origin)
  caller.send(
    requestText(
      'POST /v1/chat/completions',
      ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABk'],
      chat
    )
  )
  t.equal((await caller.answer()).status, 200)
  caller.send(requestText('GET /v1/again'))
  await caller.until('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n')
  await upstream.nth(1)
  t.same(upstream.requests.map(request => request.url), ['/v1/chat/completions', '/v1/again'])
})

t.test('a call in absolute form and one over HTTP/1.0 are served', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  upstream.reply({ headers: ['content-type', 'text/event-stream'], body: ['data: 1\n\n', 'data: [DONE]\n\n'] })
  const absolute = await ask(t, gateway, 'POST http://gateway/v1/chat/completions?a=http://b/v1', [], chat)
  t.same([absolute.status, upstream.requests[0]?.url], [200, '/v1/chat/completions?a=http://b/v1'])
  const old = new RawCaller(
    t, gateway.origin
  ).send(`POST /v1/chat/completions HTTP/1.0\r\ncontent-length: ${chat.length}\r\n\r\n${chat}`)
  t.equal(await old.ended, 'end')
  t.match(
    old.text,
    /^HTTP\/1\.1 200 OK\r\ncontent-type: text\/event-stream\r\nConnection: close\r\n\r\ndata: 1\n\ndata: \[DONE\]\n\n$/
  )
})
