import t from 'tap'
import { openTestDatabase } from '../helpers/database.js'
import { errorOf, login, messageOf, startAdmin } from './start-admin.js'

const admin = await startAdmin(t, await openTestDatabase(t, 'postgres'))
const { app, call, url } = admin

t.test('the documentation works under its own content security policy', async t => {
  const page = await fetch(`${url}/admin/docs`, { headers: { authorization: login } })
  t.equal(page.status, 200)
  const html = await page.text()
  const load = async (path: string) => {
    const response = await fetch(new URL(path, page.url), { headers: { authorization: login } })
    await response.arrayBuffer()
    return response
  }
  const scripts = [...html.matchAll(/<script[^>]*src="([^"]+)"[^>]*>([^<]*)</g)]
  t.ok(scripts.length > 0)
  for (const [, src, inline] of scripts) {
    t.equal(inline?.trim(), '', 'no script but what a file holds')
    const script = await load(src ?? '')
    t.equal(script.status, 200, src ?? '')
    t.match(script.headers.get('content-type'), /javascript/)
  }
  const styles = [...html.matchAll(/<link[^>]*href="([^"]+\.css)"/g)]
  t.ok(styles.length > 0)
  for (const [, href] of styles) {
    t.equal((await load(href ?? '')).status, 200, href ?? '')
  }
  t.match(page.headers.get('content-security-policy'), /script-src 'self'/)
  t.notMatch(page.headers.get('content-security-policy'), /upgrade-insecure-requests/, 'the gateway speaks plain HTTP')
})

t.test('every answer forbids caching and sniffing', async t => {
  for (const path of ['/admin/api/settings', '/admin/api/none', '/admin/docs/json']) {
    const { headers } = await call('GET', path)
    t.equal(headers.get('cache-control'), 'no-store', path)
    t.equal(headers.get('x-content-type-options'), 'nosniff', path)
  }
})

t.test('an unknown route is 404 in the same shape, and names the way to those that exist', async t => {
  for (const path of [
    '/admin/api/none', '/admin/api/usage-logs/export/x', '/admin/assets/none.js', '/admin/docs/static/none.js'
  ]) {
    const answer = await call('GET', path)
    t.equal(errorOf(answer), '404 unknown_route', path)
    t.match(messageOf(answer), '/admin/api/openapi.json')
  }
  t.equal(errorOf(await call('PUT', '/admin/api/settings', {})), '404 unknown_route')
})

t.test('the control plane keeps its hands off the routes beside it', async t => {
  const answer = await fetch(`${url}/v1/models`)
  t.equal(answer.status, 404)
  await answer.arrayBuffer()
  t.equal(answer.headers.get('x-content-type-options'), null)
  t.equal(answer.headers.get('cache-control'), null)
})

t.test('a body that is no JSON object gets an answer that says so', async t => {
  const send = async (payload: string | undefined, type = 'application/json') => {
    const answer = await app.inject({
      method: 'PATCH',
      url: '/admin/api/settings',
      headers: { authorization: login, ...type === '' ? {} : { 'content-type': type } },
      ...payload === undefined ? {} : { payload }
    })
    return { status: answer.statusCode, headers: new Headers(), body: answer.json<unknown>() }
  }
  t.equal(errorOf(await send('{"default_is_active":tru')), '400 ctp_invalid_json_body')
  t.equal(errorOf(await send('{"__proto__":{"a":1}}')), '400 ctp_invalid_json_body')
  for (const body of [undefined, '', 'null', '[]', '"text"', '1']) {
    const answer = await send(body)
    t.equal(errorOf(answer), '400 invalid_field', body ?? 'no body')
    t.match(messageOf(answer), 'default_track_full_data, default_is_active')
  }
  t.match(messageOf(await send(undefined, '')), 'default_track_full_data')
  t.equal((await send('default_is_active=true', 'application/x-www-form-urlencoded')).status, 415)
  t.equal((await send('{}', 'text/plain')).status, 415)
  t.equal((await send(`{"default_is_active":true${' '.repeat(1024 * 1024)}}`)).status, 413)
})

t.test('a DELETE may say that its body is JSON, and have none, as some clients do', async t => {
  const { statusCode } = await app.inject({
    method: 'DELETE',
    url: '/admin/api/prompt-configs/none',
    headers: { authorization: login, 'content-type': 'application/json' },
    payload: ''
  })
  t.equal(statusCode, 404)
})
