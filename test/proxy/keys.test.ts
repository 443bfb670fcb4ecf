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
  upstream.reply(request => json({ error: { message: `you sent ${request.headers('authorization').join()} and ${request.body.toString()}` } }, 401))
  const answer = await ask(t, gateway, chat, [`AUTHORIZATION: bearer ${key}`, `authorization: Bearer ${key}`, 'x-prompt-store-full-data: true'],
    plain.replace('hi', `my key is ${key}`))
  t.equal(answer.status, 401)
  t.equal((await call(t, gateway, unnamed.key)).status, 401)
  t.same(upstream.requests[0]?.rawHeaders.filter((_, i, all) => /authorization/i.test(all[i & ~1] ?? '')),
    ['AUTHORIZATION', `Bearer ${upstreamKey}`, 'authorization', `Bearer ${upstreamKey}`])
  t.notMatch(JSON.stringify(upstream.requests[0]?.rawHeaders), key)
  const rows = await logRows(gateway)
  t.match(rows, [{ key_id: id, user_name: 'team-import' }, { key_id: unnamed.id, user_name: 'only a name' }])
  const kept = JSON.stringify([rows, await gateway.database.operator.$client.unsafe('select * from prompt_stats'), gateway.logged])
  for (const secret of [key, unnamed.key, upstreamKey]) t.notOk(kept.includes(secret))
  t.match(kept, /redacted key/)
})

t.test('a key that is missing, wrong, revoked or expired gets 401, and its call goes nowhere', async t => {
  let nowMs = Date.now()
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env: { UPSTREAM_API_KEY: upstreamKey }, now: () => nowMs })
  const revoked = await makeKey(gateway, { name: 'revoked' })
  const expiring = await makeKey(gateway, { name: 'expiring', expires_at: new Date(nowMs + 60_000).toISOString() })
  t.equal((await call(t, gateway, revoked.key)).status, 200)
  t.equal((await call(t, gateway, expiring.key)).status, 200)
  t.equal((await gateway.admin('DELETE', `/keys/${revoked.id}`)).status, 204)
  nowMs += 60_001
  const wrong = `pm_${'A'.repeat(43)}`
  for (const headers of [[], ['Authorization: '], ['Authorization: Basic cG06cG0='], [`Authorization: Bearer ${wrong}`], ['Authorization: Bearer sk-callers-own'],
    [`Authorization: Bearer ${upstreamKey}`], [`Authorization: Bearer ${revoked.key}`], [`Authorization: Bearer ${expiring.key}`], [`Authorization: ${expiring.key}`]]) {
    const answer = await ask(t, gateway, chat, headers, plain)
    t.equal(answer.status, 401, headers.join())
    t.match(JSON.parse(answer.body), { error: { code: 'invalid_api_key', type: 'invalid_request_error', param: null, message: /\/admin\/api\/keys/ } })
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
