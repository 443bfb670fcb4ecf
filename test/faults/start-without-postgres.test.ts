import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import postgres from 'postgres'
import t, { type Test } from 'tap'
import { createDatabase, temporaryFolder } from '../helpers/database.js'
import { untilCaughtUp } from '../helpers/fault-books.js'
import { type GatewayProcess, startGatewayProcess } from '../helpers/gateway-process.js'
import { call } from '../helpers/http-call.js'
import { operatorCall } from '../helpers/operator-call.js'
import { type TcpProxy, startTcpProxy } from '../helpers/tcp-proxy.js'
import { type Upstream, json, startUpstream } from '../helpers/upstream.js'

const plain = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}'
const usage = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 }
const ended = { code: 0, signal: null }
const inWords =
  /\(1\): .*Cannot open the database 'test_\d+' at 127\.0\.0\.1:\d+ \(.+\)\. Check that PostgreSQL runs there/

/** How a database can be away: nobody listens, or nobody answers. */
const absences: Array<[string, (proxy: TcpProxy) => void]> = [
  ['refuses', proxy => {
    proxy.refuse()
    proxy.cut('all')
  }],
  ['does not answer', proxy => proxy.freeze()]
]

interface Place {
  readonly upstream: Upstream
  /** By way of the proxy. */
  readonly location: { readonly databaseUrl: string, readonly dataDir: string }
  readonly proxy: TcpProxy
  readonly start: () => Promise<GatewayProcess>
}

async function preparePlace (t: Test): Promise<Place> {
  const upstream = await startUpstream(t)
  upstream.reply(json({ model: 'gpt-4o-mini', usage }))
  const databaseUrl = await createDatabase()
  const proxy = await startTcpProxy(t, databaseUrl)
  const location = { databaseUrl: proxy.withPort(databaseUrl), dataDir: temporaryFolder(t) }
  const env = { UPSTREAM_API_KEY: 'sk-upstream' }
  return {
    upstream,
    location,
    proxy,
    start: async () => await startGatewayProcess(t, { upstreamUrl: upstream.url, location, env })
  }
}

for (const [name, leave] of absences) {
  t.test(`without an earlier run, a start while PostgreSQL ${name} ends with 1, and says why and what to do`, async t => {
    const { proxy, start } = await preparePlace(t)
    leave(proxy)
    await t.rejects(start(), { message: inWords })
  })

  t.test(`after an earlier run, a start while PostgreSQL ${name} serves by the policy of then, and catches up`, async t => {
    const { proxy, start, upstream, location } = await preparePlace(t)
    const first = await start()
    const { key } = await makeKey(first, 'good')
    const revoked = await makeKey(first, 'revoked')
    t.equal((await operatorCall(first.origin, 'DELETE', `/keys/${revoked.id}`)).status, 204)
    for (const config of [{ prompt_type: 'quiet', is_active: false }, { prompt_type: 'full', track_full_data: true }]) {
      t.equal((await operatorCall(first.origin, 'POST', '/prompt-configs', config)).status, 201)
    }
    t.equal((await operatorCall(first.origin, 'PATCH', '/settings', { default_track_full_data: true })).status, 200)
    t.same(await first.stop(), ended)

    leave(proxy)
    const second = await start()
    const ask = async (type: string, bearer: string): Promise<number> =>
      (await call(`${second.origin}/prompt-types/${type}/v1/chat/completions`, {
        headers: { authorization: `Bearer ${bearer}` }, body: plain
      })).status
    t.same(await Promise.all(
      ['quiet', 'full', 'new', 'full'].map(async type => await ask(type, key))
    ), [200, 200, 200, 200])
    t.same(upstream.requests.map(request => request.headers('authorization')), Array(4).fill(['Bearer sk-upstream']))
    t.same([await ask('full', revoked.key), await ask('full', 'pm_wrong')], [401, 401])
    t.match(await second.readyz(), { status: 'degraded', database: 'degraded', journal: 'in_use', records_pending: 4 })

    proxy.restore()
    await untilCaughtUp(second)
    t.equal(
      (await operatorCall(second.origin, 'PATCH', '/prompt-configs/full', { track_full_data: false })).status, 200
    )
    t.equal(await ask('full', key), 200)
    t.same(await second.stop(), ended)
    await checkBooks(t, location.databaseUrl)
  })
}

t.test('a policy of an earlier run that cannot be read is as good as none', async t => {
  const { proxy, start, location } = await preparePlace(t)
  proxy.refuse()
  for (const damaged of ['', '{"format":1,"pol', '{"format":999,"policy":{}}']) {
    writeFileSync(join(location.dataDir, 'policy.json'), damaged)
    await t.rejects(
      start(),
      { message: /\(1\):[^]*did not start: .*Cannot open the database .* Check that PostgreSQL runs there/ },
      damaged
    )
  }
})

async function makeKey (gateway: GatewayProcess, name: string): Promise<{ id: string, key: string }> {
  const { body } = await operatorCall(gateway.origin, 'POST', '/keys', { name })
  return body as { id: string, key: string }
}

/**
 * `quiet` is counted and not logged, the others are both; full data are stored as each type's toggles were when it was
 * called.
 */
async function checkBooks (t: Test, databaseUrl: string): Promise<void> {
  const sql = postgres(databaseUrl, { max: 1 })
  t.teardown(() => sql.end())
  const log =
    await sql`select prompt_type, success, prompt = ${plain} as stored, user_name, input_tokens::int as input from usage_logs order by id`
  t.same(new Set(log.map(row => String(row['prompt_type']))), new Set(['full', 'new']))
  t.match(log.filter(row => row['prompt_type'] === 'new'), [
    { success: true, stored: true, user_name: 'good', input: 11 }
  ])
  t.same(
    log.filter(row => row['prompt_type'] === 'full').map((row): unknown => row['stored']),
    [true, true, null],
    'the switch set last holds for the last call'
  )
  const stats =
    await sql`select prompt_type, total_calls::int as calls, failed_calls::int as failed from prompt_stats order by prompt_type`
  t.same(Array.from(stats), [
    { prompt_type: 'full', calls: 3, failed: 0 },
    { prompt_type: 'new', calls: 1, failed: 0 },
    { prompt_type: 'quiet', calls: 1, failed: 0 }
  ])
}
