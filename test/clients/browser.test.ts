import { chromium } from 'playwright-core'
import t from 'tap'
import { chromiumPath } from '../console/scene.js'
import { startGateway } from '../helpers/gateway.js'
import { events, json, startUpstream } from '../helpers/upstream.js'
import { logRows } from '../proxy/raw-caller.js'

const executablePath = chromiumPath()

t.test('a page of another origin calls through the gateway, reads streams, request ids and the gateway\'s own errors', {
  skip: executablePath === null && 'no Chromium on this machine'
}, async t => {
  const site = await startUpstream(t)
  site.reply({ headers: ['content-type', 'text/html'], body: '<!doctype html><title>app</title>' })
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, {
    upstreamUrl: upstream.url,
    env: {
      CORS_ORIGINS: site.origin, UPSTREAM_API_KEY: 'sk-held-by-the-gateway-0000000000', RECORD_WAIT_MS: '60000'
    }
  })
  const { key } = (await gateway.admin('POST', '/keys', { name: 'page' })).body as { key: string }
  const browser = await chromium.launch({
    executablePath: executablePath ?? '', args: ['--no-sandbox', '--disable-dev-shm-usage']
  })
  t.teardown(async () => { await browser.close() })
  const page = await browser.newPage()
  await page.goto(site.origin)
  const call = async (method: string, path: string, key: string): Promise<unknown> =>
    await page.evaluate(async ([url, method, key]) => {
      const response = await fetch(url, {
        method,
        headers: {
          authorization: `Bearer ${key}`,
          'content-type': 'application/json',
          'x-prompt-type': 'page',
          'x-stainless-lang': 'js'
        },
        ...(method === 'POST' ? { body: '{"model":"gpt-4o-mini","messages":[],"stream":true}' } : {})
      })
      return [response.status, response.headers.get('x-request-id'), await response.text()]
    }, [gateway.origin + path, method, key] as const)

  const stream = events({ model: 'gpt-4o-mini', choices: [{ index: 0, delta: { content: 'Hello' } }] })
  upstream.reply({
    ...stream,
    headers: [...stream.headers ?? [], 'X-Request-ID', 'req_1', 'Access-Control-Allow-Origin', 'https://other.example']
  })
  t.match(await call('POST', '/v1/chat/completions', key), [200, 'req_1', /Hello[^]*\[DONE\]/])
  upstream.reply(json({ deleted: true }))
  t.match(await call('DELETE', '/v1/files/file-1', key), [200, null, '{"deleted":true}'])
  t.match(await call('POST', '/v1/chat/completions', 'pm_wrong'), [401, null, /"code":"invalid_api_key"/])
  t.same(upstream.requests.map(({ method }) => method), ['POST', 'DELETE'], 'no preflight goes upstream')
  t.same((await logRows(gateway)).map(row => row['endpoint']), ['chat/completions', 'files/file-1'])

  const other = await browser.newPage()
  await other.goto(site.origin.replace('127.0.0.1', 'localhost'))
  t.equal(
    await other.evaluate(async url =>
      await fetch(url, { headers: { 'x-prompt-type': 'page' } })
        .then(() => 'answered', () => 'refused'), `${gateway.origin}/v1/models`),
    'refused'
  )
  t.equal(upstream.requests.length, 2)
})
