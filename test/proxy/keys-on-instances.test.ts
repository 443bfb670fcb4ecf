import { createHash } from 'node:crypto'
import t, { type Test } from 'tap'
import { temporaryFolder, testDatabaseOptions } from '../helpers/database.js'
import { type TestGateway, startGateway } from '../helpers/gateway.js'
import { startTcpProxy } from '../helpers/tcp-proxy.js'
import { until } from '../helpers/until.js'
import { startUpstream } from '../helpers/upstream.js'
import { ask } from './raw-caller.js'

/** A second, as the contract says, and four more for a machine that runs other tests meanwhile. */
const SOON_MS = 5000
const env = { UPSTREAM_API_KEY: 'sk-upstream' }
const body = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}'

interface Key { readonly id: string, readonly key: string, readonly last_used_at: string | null }

const statusOf = async (t: Test, gateway: TestGateway, key: string): Promise<number> =>
  (await ask(t, gateway, 'POST /v1/chat/completions', [`Authorization: Bearer ${key}`], body)).status

const makeKey = async (gateway: TestGateway, fields: object = {}): Promise<Key> =>
  (await gateway.admin('POST', '/keys', { name: 'k', ...fields })).body as Key

const listKeys = async (gateway: TestGateway): Promise<Key[]> =>
  ((await gateway.admin('GET', '/keys')).body as { items: Key[] }).items

/** How long the gateway went on answering otherwise. */
async function msUntil (t: Test, gateway: TestGateway, key: string, status: number): Promise<number> {
  const startedAtMs = performance.now()
  await until(async () => await statusOf(t, gateway, key) === status)
  return performance.now() - startedAtMs
}

t.test('a key is good on every instance within a second of its making, and refused within a second of its revocation', async t => {
  const upstream = await startUpstream(t)
  const { databaseUrl } = await testDatabaseOptions(t, 'postgres')
  const start = async () => await startGateway(t, {
    upstreamUrl: upstream.url, env, location: { databaseUrl, dataDir: temporaryFolder(t) }
  })
  const [one, other] = [await start(), await start()]
  const { key, id } = await makeKey(one)
  t.equal(await statusOf(t, one, key), 200, 'at once where it was made')
  t.ok(await msUntil(t, other, key, 200) < SOON_MS)
  await one.admin('DELETE', `/keys/${id}`)
  t.equal(await statusOf(t, one, key), 401)
  t.ok(await msUntil(t, other, key, 401) < SOON_MS)
})

t.test('an instance that does not hear of a revocation refuses the key within a second all the same', async t => {
  const upstream = await startUpstream(t)
  const { databaseUrl } = await testDatabaseOptions(t, 'postgres')
  if (databaseUrl === null) throw new Error('a PostgreSQL has a URL')
  const proxy = await startTcpProxy(t, databaseUrl)
  const one = await startGateway(t, {
    upstreamUrl: upstream.url, env, location: { databaseUrl, dataDir: temporaryFolder(t) }
  })
  const other = await startGateway(t, {
    upstreamUrl: upstream.url, env, location: { databaseUrl: proxy.withPort(databaseUrl), dataDir: temporaryFolder(t) }
  })
  const { key, id } = await makeKey(one)
  await msUntil(t, other, key, 200)

  const { $client } = one.database.operator
  t.test('its connection for notifications was cut', async t => {
    t.ok(proxy.cut('all') > 0)
    await one.admin('DELETE', `/keys/${id}`)
    t.ok(await msUntil(t, other, key, 401) < SOON_MS)
  })
  t.test('no notification was sent', async t => {
    const { key, id } = await makeKey(one)
    await msUntil(t, other, key, 200)
    await $client.unsafe('update gateway_keys set revoked_at = now() where id = $1', [id])
    await $client.unsafe('update gateway_settings set policy_version = policy_version + 1')
    t.ok(await msUntil(t, other, key, 401) < SOON_MS)
  })
})

t.test('a key expires by the instance\'s clock, with nothing read in between', async t => {
  let nowMs = Date.UTC(2028, 1, 29, 23, 59, 59, 998)
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env, now: () => nowMs })
  const { key } = await makeKey(gateway, { expires_at: '2028-03-01T00:00:00Z' })
  nowMs++
  t.equal(await statusOf(t, gateway, key), 200)
  nowMs++
  t.equal(await statusOf(t, gateway, key), 401)
})

t.test('the list says when a key was last used, on whatever instance, once that is written', async t => {
  let nowMs = Date.UTC(2028, 1, 29, 23, 59, 59, 999)
  const upstream = await startUpstream(t)
  const { databaseUrl } = await testDatabaseOptions(t, 'postgres')
  const start = async () => await startGateway(t, {
    upstreamUrl: upstream.url, env, now: () => nowMs, location: { databaseUrl, dataDir: temporaryFolder(t) }
  })
  const [one, other] = [await start(), await start()]
  const used = await makeKey(one)
  const limited = await makeKey(one, { allowed_prompt_types: ['a'] })
  t.equal(await statusOf(t, one, used.key), 200)
  t.equal(await statusOf(t, one, limited.key), 403)
  nowMs += 1000
  await msUntil(t, other, used.key, 200)
  await other.close()
  nowMs += 1000
  const lastUse = async (): Promise<Record<string, string | null>> => Object.fromEntries(
    (await listKeys(one)).map(key => [key.id, key.last_used_at])
  )
  t.same(await lastUse(), { [used.id]: '2028-03-01T00:00:00.999Z', [limited.id]: null }, 'closing writes it')
  await one.close()
  const again = await start()
  t.same((await listKeys(again)).map(key => [key.id, key.last_used_at])
    .sort(), [[used.id, '2028-03-01T00:00:00.999Z'], [limited.id, null]].sort(),
  'an earlier use that is written later changes nothing')
})

t.test('among ten thousand keys each caller is known by its own', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env })
  const keyOf = (n: number): string => `pm_${n.toString().padStart(43, 'k')}`
  const rows = JSON.stringify(
    Array.from({ length: 10_000 }, (_, n) => ({
      name: `key ${n}`, sha256: createHash('sha256').update(keyOf(n)).digest('hex')
    }))
  )
  await gateway.database.operator.$client.unsafe(`insert into gateway_keys (id, name, key_sha256)
    select gen_random_uuid(), name, sha256 from jsonb_to_recordset($1::text::jsonb) as new (name text, sha256 text)`, [
    rows
  ])
  const { key } = await makeKey(gateway)
  for (const known of [keyOf(0), keyOf(9_999), key]) t.equal(await statusOf(t, gateway, known), 200)
  t.equal(await statusOf(t, gateway, keyOf(10_000)), 401)
  const users = await gateway.database.operator.$client.unsafe<Array<{ user_name: string }>>(
    'select user_name from usage_logs order by id'
  )
  t.same(users.map(row => row.user_name), ['key 0', 'key 9999', 'k'])
})
