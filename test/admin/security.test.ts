import { request } from 'node:http'
import { sql } from 'drizzle-orm'
import { pino } from 'pino'
import t from 'tap'
import { buildApp } from '../../src/app.js'
import { openDatabase } from '../../src/db/open-database.js'
import { parseConfig } from '../../src/env.js'
import { openTestDatabase, silentLog, testDatabaseOptions } from '../helpers/database.js'
import { routesOf } from './app-routes.js'
import { basic, errorOf, login, startAdmin, username, type Answer } from './start-admin.js'

async function send (url: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, { redirect: 'manual', ...init })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text === '' ? null : JSON.parse(text) as unknown }
}

t.test('no route answers without a login but those for the machines that watch', async t => {
  const location = await testDatabaseOptions(t, 'postgres')
  const config = {
    ...parseConfig({ UPSTREAM_BASE_URL: 'http://127.0.0.1:9', ADMIN_PASSWORD: 'p', PORT: '0' }), ...location
  }
  const database = await openDatabase({ ...location, log: silentLog })
  const app = await buildApp({ config, database, adminPassword: 'p', log: pino({ level: 'silent' }), now: Date.now })
  t.teardown(async () => {
    await app.close()
    await database.close()
  })
  const origin = await app.listen({ host: '127.0.0.1', port: 0 })
  const routes = routesOf(app.printRoutes({ commonPrefix: false }))
  t.ok(routes.length > 15)
  t.ok(routes.some(({ path }) => path === '/admin/api/prompt-configs/:prompt_type'))
  t.strictSame(routes.filter(({ path }) => !/^\/admin(\/|$)/.test(path)).map(({ path }) => path)
    .sort(), ['/', '/healthz', '/metrics', '/readyz'])

  for (const { path, methods } of routes.filter(({ path }) => path.startsWith('/admin'))) {
    const url = origin + path.replace(/:\w+/g, 'x').replace('*', 'index.css')
    for (const method of new Set([...methods, 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])) {
      const answer = await send(url, { method })
      t.equal(answer.status, 401, `${method} ${path}`)
      t.match(answer.headers.get('www-authenticate'), /^Basic /)
    }
  }
})

t.test('who asks is the address that the connection comes from, whatever a header says, and HEAD and OPTIONS guess too', async t => {
  const { url } = await startAdmin(t, await openTestDatabase(t, 'postgres'))
  const guess = async (i: number, method: string) => (await send(`${url}/admin/api/settings`, {
    method,
    headers: {
      authorization: basic(username, `guess ${i}`),
      'x-forwarded-for': `192.0.2.${i}`,
      forwarded: `for=192.0.2.${i}`,
      'x-real-ip': `192.0.2.${i}`
    }
  })).status
  const methods = ['GET', 'HEAD', 'OPTIONS', 'DELETE', 'PUT']
  for (let i = 0; i < 10; i++) t.equal(await guess(i, methods[i % methods.length] ?? ''), 401)
  for (const method of methods) {
    const refused = await send(`${url}/admin/none`, { method, headers: { authorization: login } })
    t.equal(refused.status, 429, method)
    t.match(refused.headers.get('retry-after'), /^[1-9]\d?$/)
  }
})

t.test("every answer has helmet's headers, one that refuses the login too", async t => {
  const { url } = await startAdmin(t, await openTestDatabase(t, 'postgres'))
  for (const headers of [{}, { authorization: login }]) {
    for (const path of ['/admin', '/admin/docs', '/admin/api/settings', '/admin/none']) {
      const response = await fetch(url + path, { headers, redirect: 'manual' })
      await response.arrayBuffer()
      const policy = response.headers.get('content-security-policy')
      for (const directive of [
        /default-src '(self|none)'/, /script-src 'self'/, /(object|default)-src 'none'/, /frame-ancestors '(self|none)'/
      ]) t.match(policy, directive, path)
      t.notMatch(policy, /script-src[^;]*unsafe/)
      t.match(Object.fromEntries(response.headers), {
        'x-frame-options': 'SAMEORIGIN',
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cross-origin-resource-policy': 'same-origin',
        'cache-control': 'no-store'
      })
    }
  }
})

t.test('a body over a megabyte is 413, whether its length is told beforehand or not', async t => {
  const { url, call } = await startAdmin(t, await openTestDatabase(t, 'postgres'))
  const description = 'x'.repeat(1024 * 1024)
  const told = await call('POST', '/admin/api/prompt-configs', { prompt_type: 'a', description })
  t.equal(errorOf(told), '413 ctp_body_too_large')
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const headers = { authorization: login, 'content-type': 'application/json', 'transfer-encoding': 'chunked' }
    const sent = request(`${url}/admin/api/prompt-configs`, { method: 'POST', headers }, response => {
      resolve(response.statusCode)
      response.resume()
    }).on('error', reject)
    sent.end(JSON.stringify({ prompt_type: 'a', description }))
  })
  t.equal(status, 413)
  t.match((await call('GET', '/admin/api/prompt-configs')).body, { total: 0 })
})

t.test('names that mean something to JavaScript are fields like others: unknown, or refused', async t => {
  const { call, url } = await startAdmin(t, await openTestDatabase(t, 'postgres'))
  const post = async (body: string) => await send(`${url}/admin/api/prompt-configs`, {
    method: 'POST', body, headers: { authorization: login, 'content-type': 'application/json' }
  })
  for (const body of [
    '{"prompt_type":"a","__proto__":{"is_active":false}}', '{"prompt_type":"a","\\u005f_proto__":{}}',
    '{"prompt_type":"a","constructor":{"prototype":{"polluted":1}}}', '{"prompt_type":"a","description":{"__proto__":{"polluted":1}}}',
    '{"prompt_type":"a","toString":1}', '{"prompt_type":"a","hasOwnProperty":1}'
  ]) t.equal((await post(body)).status, 400, body)
  for (const name of ['__proto__', 'constructor', 'toString', '__proto__[limit]', 'limit[__proto__]']) {
    t.equal(errorOf(await call('GET', `/admin/api/prompt-configs?${name}=1`)), `400 unknown_field ${name}`)
  }
  for (const name of ['__proto__', 'constructor', 'toString']) {
    t.equal((await call('GET', `/admin/api/prompt-configs/${name}`)).status, 404, name)
  }
  t.notOk('polluted' in {})
})

t.test('a route that reads no query refuses one', async t => {
  const { call } = await startAdmin(t, await openTestDatabase(t, 'postgres'))
  for (const [method, path] of [
    ['GET', 'settings'], ['GET', 'openapi.json'], ['GET', 'prompt-configs/a'], ['DELETE', 'prompt-configs/a']
  ] as const) {
    t.equal(errorOf(await call(method, `/admin/api/${path}?force=1`)), '400 unknown_field force')
  }
})

t.test('JSON as deep as a megabyte goes is refused in words', async t => {
  const { url } = await startAdmin(t, await openTestDatabase(t, 'postgres'))
  const depth = 500_000
  for (const value of [
    `${'['.repeat(depth)}${']'.repeat(depth)}`, `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`
  ]) {
    for (const body of [value, `{"prompt_type":${value}}`, `{"prompt_type":"a","x":${value}}`]) {
      const answer = await send(`${url}/admin/api/prompt-configs`, {
        method: 'POST', body, headers: { authorization: login, 'content-type': 'application/json' }
      })
      t.equal(answer.status, 400, body.slice(0, 30))
    }
  }
})

t.test('no path leads to a file that is neither the documentation\'s nor the console\'s', async t => {
  const { app } = await startAdmin(t, await openTestDatabase(t, 'postgres'))
  for (const up of ['../', '..%2f', '%2e%2e/', '%2e%2e%2f', '..%5c', '..\\', '....//', '..%252f', '%00/../']) {
    for (const times of [1, 2, 4, 8]) {
      const { statusCode, body } = await app.inject({
        url: `/admin/docs/static/${up.repeat(times)}package.json`, headers: { authorization: login }
      })
      // A path that leads out of the documentation is one of the console's, whose page says that it has none there.
      t.ok([400, 403, 404].includes(statusCode) ||
        body.startsWith('<!doctype html>'), `${up} × ${times}: ${statusCode}`)
      t.notMatch(body, '"dependencies"')
    }
  }
})

t.test('an operator waits no longer for a lock than 5 s, for a query than 15, and is told; nothing was changed', async t => {
  const database = await openTestDatabase(t, 'postgres')
  const { call, policyChanges } = await startAdmin(t, database)
  await call('POST', '/admin/api/prompt-configs', { prompt_type: 'a' })
  const [limits] = await database.operator.execute(
    sql`select current_setting('statement_timeout') as statement, current_setting('lock_timeout') as lock`
  )
  t.strictSame(limits, { statement: '15s', lock: '5s' })

  await database.recording.transaction(async transaction => {
    await transaction.execute(sql`lock table prompt_configs in access exclusive mode`)
    const answers = await Promise.all([
      call('GET', '/admin/api/prompt-configs'),
      call('PATCH', '/admin/api/prompt-configs/a', { is_active: false }),
      call('GET', '/admin/api/settings')
    ])
    t.strictSame(answers.slice(0, 2).map(errorOf), ['503 database_busy', '503 database_busy'])
    t.equal(answers[2].status, 200, 'other tables are read meanwhile')
  })
  t.match((await call('GET', '/admin/api/prompt-configs/a')).body, { is_active: true })
  t.match((await call('GET', '/admin/api/audit-log')).body, { total: 1 })
  t.equal(policyChanges(), 1)
})
