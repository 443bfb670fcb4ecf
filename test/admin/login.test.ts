import t from 'tap'
import { openTestDatabase } from '../helpers/database.js'
import { startGateway } from '../helpers/gateway.js'
import { basic, errorOf, login, password, startAdmin, username, type Answer } from './start-admin.js'

const database = await openTestDatabase(t, 'postgres')

async function get (url: string, authorization?: string): Promise<Answer> {
  const response = await fetch(url, { ...authorization === undefined ? {} : { headers: { authorization } } })
  return { status: response.status, headers: response.headers, body: await response.json() }
}

t.test('without the right login every path under /admin is 401 and says how to log in', async t => {
  const { url } = await startAdmin(t, database)
  for (const path of [
    '/admin', '/admin/', '/admin/docs', '/admin/docs/', '/admin/api/openapi.json', '/admin/api/settings', '/admin/none'
  ]) {
    const answer = await get(url + path)
    t.equal(errorOf(answer), '401 invalid_login', path)
    t.match(answer.headers.get('www-authenticate'), /^Basic realm="promptmeter"/)
  }
  for (const [name, secret] of [
    [username, 'wrong'], ['wrong', password], [username, ''], [username, password + ' '], ['', '']
  ] as const) {
    t.equal(errorOf(await get(`${url}/admin/api/settings`, basic(name, secret))), '401 invalid_login')
  }
  t.equal(errorOf(await get(`${url}/admin/api/settings`, 'Bearer x')), '401 invalid_login')
  t.equal((await get(`${url}/admin/api/settings`, login)).status, 200)
})

t.test('ten failed logins of an address earn it 429, and neither successes nor requests without a login count', async t => {
  const { url } = await startAdmin(t, database)
  const settings = `${url}/admin/api/settings`
  for (let i = 0; i < 12; i++) {
    t.equal((await get(settings, login)).status, 200)
    t.equal((await get(settings)).status, 401)
  }
  for (let i = 0; i < 10; i++) t.equal((await get(settings, basic(username, `guess ${i}`))).status, 401)
  const refused = await get(settings, basic(username, 'guess 10'))
  t.equal(errorOf(refused), '429 too_many_failed_logins')
  const seconds = Number(refused.headers.get('retry-after'))
  t.ok(seconds > 0 && seconds <= 60)
  t.equal((await get(settings, login)).status, 429, 'a right guess is not told from a wrong one')
})

t.test('behind a trusted proxy each client has a limit of its own; what another says of itself is not believed', async t => {
  const guess = async (origin: string, forwardedFor: string): Promise<number> =>
    (await fetch(`${origin}/admin/api/settings`, {
      headers: { authorization: basic(username, 'guess'), 'x-forwarded-for': forwardedFor }
    })).status
  const behind = await startGateway(t, {
    upstreamUrl: 'http://127.0.0.1:1', env: { TRUSTED_PROXIES: '127.0.0.1, 10.0.0.0/8' }
  })
  for (let i = 0; i < 10; i++) t.equal(await guess(behind.origin, `192.0.2.${i}, 198.51.100.1, 10.0.0.1`), 401)
  t.equal(await guess(behind.origin, '198.51.100.1'), 429)
  t.equal(await guess(behind.origin, '::ffff:198.51.100.1, ::ffff:10.0.0.2'), 429, 'the same address, mapped')
  t.equal(await guess(behind.origin, '198.51.100.2'), 401, 'another client')

  const alone = await startGateway(t, { upstreamUrl: 'http://127.0.0.1:1', env: { TRUSTED_PROXIES: '10.0.0.0/8' } })
  for (let i = 0; i < 10; i++) t.equal(await guess(alone.origin, `192.0.2.${i}`), 401)
  t.equal(await guess(alone.origin, '192.0.2.200'), 429)
})

t.test('the app must let a long prompt type through its router', async t => {
  const { default: Fastify } = await import('fastify')
  const { adminPlugin } = await import('../../src/admin/plugin.js')
  const app = Fastify()
  t.teardown(async () => await app.close())
  const options = {
    database,
    username,
    password,
    version: '1',
    now: Date.now,
    provider: 'openai',
    onPolicyChange: async () => { await Promise.resolve() }
  }
  await t.rejects(async () => await app.register(adminPlugin, options), /maxParamLength/)
})

t.test("a state-changing request from another site's page is 403, and changes nothing", async t => {
  const { app, policyChanges } = await startAdmin(t, database)
  const patch = async (headers: Record<string, string>) => (await app.inject({
    method: 'PATCH',
    url: '/admin/api/settings',
    headers: { authorization: login, host: 'gateway.test:8080', ...headers },
    payload: { default_is_active: true }
  })).statusCode
  t.equal(await patch({ 'sec-fetch-site': 'cross-site' }), 403)
  t.equal(await patch({ 'sec-fetch-site': 'same-site' }), 403)
  t.equal(await patch({ origin: 'http://evil.test' }), 403)
  t.equal(await patch({ origin: 'http://gateway.test' }), 403, 'another port is another site')
  t.equal(await patch({ origin: 'null' }), 403)
  t.equal(policyChanges(), 0)
  t.equal(await patch({ 'sec-fetch-site': 'same-origin', origin: 'http://gateway.test:8080' }), 200)
  t.equal(await patch({ 'sec-fetch-site': 'none' }), 200)
  t.equal(await patch({ origin: 'http://gateway.test:8080' }), 200)
  t.equal(await patch({}), 200, 'what is no browser sends neither')
  const read = await app.inject({
    url: '/admin/api/settings', headers: { authorization: login, 'sec-fetch-site': 'cross-site' }
  })
  t.equal(read.statusCode, 200, 'a read changes nothing')
})
