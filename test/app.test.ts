import t from 'tap'
import { testDatabaseOptions } from './helpers/database.js'
import { gate } from './helpers/gate.js'
import { startGateway } from './helpers/gateway.js'
import { json, startUpstream } from './helpers/upstream.js'

t.test('the routes without a login answer, and everything unknown answers in OpenAI\'s error shape', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  const get = async (path: string): Promise<{ status: number, body: unknown }> => {
    const response = await fetch(gateway.origin + path)
    return { status: response.status, body: await response.json() }
  }

  t.same(await get('/healthz'), { status: 200, body: { status: 'ok' } })
  t.match(await get('/readyz'), { status: 200, body: { status: 'ok', database: 'ok' } })
  t.match(await get('/nowhere'), { status: 404, body: { error: { code: 'not_found', type: 'invalid_request_error' } } })
  t.match(await get('/admin/%ZZ'), { status: 400, body: { error: { code: 'invalid_path' } } })
  t.match(
    await get(`/admin/api/prompt-configs/${'a'.repeat(1100)}`),
    { status: 401, body: { error: { code: 'invalid_login' } } },
    'whatever it is, it needs a login'
  )
})

t.test('GET / says where things are, to a shell and to a browser, without a login and without a secret', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env: { UPSTREAM_API_KEY: 'sk-secret' } })
  const paths = ['/v1', '/prompt-types/{prompt_type}/v1', '/admin', '/admin/docs', '/healthz', '/readyz', '/metrics']
  for (const [accept, type] of [
    ['*/*', 'text/plain'], ['text/html,application/xhtml+xml,*/*;q=0.8', 'text/html']
  ] as const) {
    const response = await fetch(gateway.origin, { headers: { accept } })
    const text = await response.text()
    t.equal(response.status, 200)
    t.match(response.headers.get('content-type'), type)
    for (const path of paths) t.ok(text.includes(path), `${type} names ${path}`)
    for (const secret of ['sk-secret', upstream.url, gateway.config.dataDir]) t.notOk(text.includes(secret))
  }
  const page = await (await fetch(gateway.origin, { headers: { accept: 'text/html' } })).text()
  for (const [, href] of page.matchAll(/href="([^"]+)"/g)) {
    const status = (await fetch(new URL(href ?? '', gateway.origin), { redirect: 'manual' })).status
    t.ok([200, 302, 401].includes(status), `${href ?? ''} leads somewhere: ${status}`)
  }
  t.equal((await fetch(gateway.origin, { method: 'POST' })).status, 404)
  t.equal(upstream.requests.length, 0)
})

t.test('/readyz says which of the two planes has no database', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  const ready = async (): Promise<unknown> => await (await fetch(`${gateway.origin}/readyz`)).json()
  t.match(await ready(), { status: 'ok', database: 'ok', database_pools: { recording: 'ok', operator: 'ok' } })
  await gateway.database.operator.$client.end()
  t.match(await ready(), {
    status: 'degraded', database: 'degraded', database_pools: { recording: 'ok', operator: 'degraded' }
  })
})

t.test('an operator pool whose connections are all at work is busy, not degraded', async t => {
  const upstream = await startUpstream(t)
  const { origin, database } = await startGateway(t, { upstreamUrl: upstream.url })
  const atWork = Array.from({ length: 8 }, async () => await database.operator.$client.unsafe('select pg_sleep(3)'))
  await new Promise(resolve => setTimeout(resolve, 500))
  t.match(await (await fetch(`${origin}/readyz`)).json(), { status: 'ok', database_pools: { operator: 'ok' } })
  await Promise.all(atWork)
})

t.test('a close waits for the calls under way, and their records are in the books', async t => {
  const upstream = await startUpstream(t)
  const location = await testDatabaseOptions(t, 'postgres')
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, location })
  const answer = gate()
  upstream.reply(async () => {
    await answer.passed()
    return json({ model: 'gpt-4o-mini', usage: { prompt_tokens: 1, completion_tokens: 1 } })
  })
  const call = fetch(`${gateway.origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-prompt-type': 'last_one', connection: 'close' },
    body: '{"model":"gpt-4o-mini","messages":[]}'
  })
  await upstream.nth(0)
  const closed = gateway.close()
  answer.open()
  t.equal((await call).status, 200)
  await (await call).text()
  await closed

  const again = await startGateway(t, { upstreamUrl: upstream.url, location })
  t.match(await again.admin('GET', '/prompt-configs/last_one'), { status: 200, body: { total_calls: 1 } })
})

t.test('nothing but UPSTREAM_TIMEOUT_MS, 20 minutes, ends a call that waits for its answer', async t => {
  const upstream = await startUpstream(t)
  const { server, config } = await startGateway(t, { upstreamUrl: upstream.url })
  t.equal(server.timeout, 0, 'a socket on which nothing comes or goes stays open')
  t.equal(server.requestTimeout, 0, 'however long the caller takes to send its request')
  t.equal(config.upstreamTimeoutMs, 20 * 60 * 1000)
})
