import { get as httpGet, type IncomingMessage, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import t from 'tap'
import { sql } from 'drizzle-orm'
import type { Database } from '../../src/db/database.js'
import { createPartitions, monthOf } from '../../src/db/partitions.js'
import { promptConfigs, promptStats, usageLogs } from '../../src/db/schema/index.js'
import { openTestDatabase } from '../helpers/database.js'
import { onEachDatabase } from './each-database.js'
import { usageLogRow } from './rows.js'
import { errorOf, login, startAdmin, type Admin } from './start-admin.js'

const now = (): number => Date.parse('2026-11-23T10:30:00Z')

/** The answer of an export; its text has the byte-order mark. */
async function download (admin: Admin, path: string) {
  const response = await fetch(`${admin.url}/admin/api/${path}`, { headers: { authorization: login } })
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(await response.arrayBuffer())
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    name: response.headers.get('content-disposition'),
    text
  }
}

async function fillLogs (database: Database, count: number): Promise<void> {
  await createPartitions(database.operator, [monthOf(now())])
  await database.operator.execute(sql`insert into ${usageLogs} (id, created_at, prompt_type, provider, endpoint, stream, status_code, success, usage_source, cost, duration_ms, request_bytes, response_bytes)
    select gen_random_uuid(), timestamptz '2026-11-02Z' + n * interval '1 second', 'type-' || n, 'openai', 'chat/completions', false, 200, true, 'upstream', 0.1, 1, 1, 1
    from generate_series(1, ${count}::int) as n`)
}

onEachDatabase(t, 'configs come as CSV with exact decimals, and as JSON as the list has them', async (t, database) => {
  const admin = await startAdmin(t, database, now)
  t.equal((await download(admin, 'prompt-configs/export?format=json')).text, '[]\n')
  const created = { created_at: '2026-11-01T00:00:00Z', updated_at: '2026-11-01T00:00:00Z' }
  await database.operator.insert(promptConfigs).values([
    {
      prompt_type: 'b', description: '=HYPERLINK("http://x"), ünï', ...created
    }, { prompt_type: 'a', description: '', ...created }
  ])
  await database.operator.insert(promptStats).values({
    prompt_type: 'b', total_calls: 3, total_cost: '123456789012345.123456789012', last_cost: '0.000000000001', last_metadata: '{"n":1}', last_prompt: 'secret', last_user: '-5'
  })
  const csv = await download(admin, 'prompt-configs/export?format=csv')
  t.equal(csv.type, 'text/csv; charset=utf-8')
  t.equal(csv.name, 'attachment; filename="prompt-configs-2026-11-23T103000Z.csv"')
  const [header, a, b, end] = csv.text.split('\r\n')
  t.match(
    header,
    /^\ufeffprompt_type,description,track_full_data,is_active,last_model,.*,total_cost,avg_cost_per_call,blocked_budget_id,blocked_since,blocked_until,created_at,updated_at$/
  )
  t.match(a, /^a,,false,true,,,,,,,,,,,0,0,0,0,0,0,0,,,,,2026-11-01T00:00:00.000Z,/)
  t.match(b, /^b,"'=HYPERLINK\(""http:\/\/x""\), ünï",false,true,,,,0.000000000001,-5,"{""n"":1}",/)
  t.match(b, ',123456789012345.123456789012,41152263004115.041152263')
  t.equal(end, '')
  t.notMatch(csv.text, 'secret')

  const json = await download(admin, 'prompt-configs/export?format=json')
  t.equal(json.type, 'application/json; charset=utf-8')
  const { items } = (await admin.call('GET', '/admin/api/prompt-configs?sort=prompt_type')).body as { items: unknown[] }
  t.strictSame(JSON.parse(json.text), items)
  t.strictSame(
    (JSON.parse((await download(admin, 'prompt-configs/export?format=json&search=HYPER')).text) as unknown[]).length,
    1,
    'filters hold'
  )
})

onEachDatabase(t, 'every config is in the export once, over many pages', async (t, database) => {
  const admin = await startAdmin(t, database, now)
  await database.operator.execute(
    sql`insert into ${promptConfigs} (prompt_type) select 'type-' || n from generate_series(1, 2500) as n`
  )
  const lines = (await download(admin, 'prompt-configs/export')).text.split('\r\n').slice(1, -1)
  t.equal(new Set(lines.map(line => line.split(',')[0])).size, 2500)
  t.equal(lines.length, 2500)
  t.equal((JSON.parse((await download(admin, 'prompt-configs/export?format=json')).text) as unknown[]).length, 2500)
})

onEachDatabase(t, 'logs come as CSV without payloads, and as NDJSON in full', async (t, database) => {
  const admin = await startAdmin(t, database, now)
  t.equal((await download(admin, 'usage-logs/export?format=ndjson')).text, '')
  await createPartitions(database.operator, [monthOf(now())])
  await database.operator.insert(usageLogs).values([
    usageLogRow({
      created_at: '2026-11-02T00:00:00.000123Z',
      cost: '123456789012345.123456789012',
      user_name: '@me',
      metadata: '{"a":1}',
      prompt: '{"p":1}',
      response: 'one\ntwo'
    }),
    usageLogRow({ created_at: '2026-11-03T00:00:00Z', cost: null, cost_reason: 'unknown_model', success: false })
  ])
  const { items } = (await admin.call('GET', '/admin/api/usage-logs')).body as { items: Array<Record<string, unknown>> }
  const csv = await download(admin, 'usage-logs/export')
  const [header, newest, oldest] = csv.text.split('\r\n')
  t.equal(header, `\ufeff${Object.keys(items[0] ?? {}).join(',')}`)
  t.match(newest, ',unknown_model,')
  t.match(oldest, ',\'@me,,"{""a"":1}",false,200,true,')
  t.match(oldest, ',123456789012345.123456789012,')
  t.notMatch(csv.text, '"p"')

  const ndjson = await download(admin, 'usage-logs/export?format=ndjson')
  t.equal(ndjson.type, 'application/x-ndjson')
  t.equal(ndjson.name, 'attachment; filename="usage-logs-2026-11-23T103000Z.ndjson"')
  const ids = items.map(item => item['id'] as string)
  const full = await Promise.all(ids.map(async id => (await admin.call('GET', `/admin/api/usage-logs/${id}`)).body))
  t.strictSame(ndjson.text.trimEnd().split('\n').map(line => JSON.parse(line) as unknown), full)
  t.equal(
    (await download(admin, 'usage-logs/export?format=ndjson&success=false')).text.split('\n').length, 2, 'filters hold'
  )
})

onEachDatabase(t, 'large payloads are read few at a time, and none is lost', async (t, database) => {
  const admin = await startAdmin(t, database, now)
  await createPartitions(database.operator, [monthOf(now())])
  const rows = Array.from({ length: 30 }, (_, i) => usageLogRow({
    created_at: '2026-11-02T00:00:00.000999Z',
    ...i % 3 === 0
      ? {}
      : { prompt: `${i} ${'x'.repeat(300_000)}`, response: `${i}` }
  }))
  for (const row of rows) await database.operator.insert(usageLogs).values(row)
  const lines = (await download(admin, 'usage-logs/export?format=ndjson')).text.trimEnd().split('\n')
    .map(line => JSON.parse(line) as { id: string, prompt: string | null, response: string | null })
  t.equal(lines.length, 30)
  const byId = new Map(lines.map(line => [line.id, line]))
  for (const { id, prompt = null, response = null } of rows) t.match(byId.get(id), { prompt, response })
})

onEachDatabase(t, 'while an export is read slowly, other queries get their turn', async (t, database) => {
  const admin = await startAdmin(t, database, now)
  await fillLogs(database, 20_000)
  const response = await begin(admin, 'usage-logs/export')
  t.equal((await admin.call('GET', '/admin/api/settings')).status, 200)
  let text = ''
  response.setEncoding('utf8').on('data', (chunk: string) => { text += chunk })
  await once(response, 'end')
  t.equal(text.split('\r\n').length, 20_002)
})

t.test('a caller that leaves ends the export', async t => {
  const database = await openTestDatabase(t, 'postgres')
  await fillLogs(database, 50_000)
  let queries = 0
  const operator = new Proxy(database.operator, {
    get: (pool, name) => {
      if (name === 'select') queries++
      return Reflect.get(pool, name) as unknown
    }
  })
  const admin = await startAdmin(t, { ...database, operator }, now)
  const begun = once(admin.app.server, 'request') as Promise<[IncomingMessage, ServerResponse]>
  const response = await begin(admin, 'usage-logs/export')
  const [, answer] = await begun
  await once(response, 'data')
  response.destroy()
  await once(answer, 'close')
  t.equal(answer.writableFinished, false)
  const soon = queries
  for (let i = 0; i < 20; i++) await database.operator.execute(sql`select pg_sleep(0.01)`)
  t.ok(queries <= soon + 1, `${queries} queries, where the whole file takes 51`)
})

t.test('a database that fails at once is an error; one that fails in the middle cuts the connection', async t => {
  const database = await openTestDatabase(t, 'postgres')
  const admin = await startAdmin(t, database, now)
  await fillLogs(database, 50_000)
  const response = await begin(admin, 'usage-logs/export')
  await once(response, 'readable')
  await database.operator.execute(sql`alter table ${usageLogs} rename column cost to price`)
  response.resume()
  const outcome = await Promise.race([
    once(response, 'end').then(() => 'a whole file'),
    once(response, 'aborted').then(() => 'cut'),
    once(response, 'error').then(() => 'cut')
  ])
    .catch((error: unknown) => (error as { code: string }).code === 'ECONNRESET' ? 'cut' : String(error))
  t.equal(outcome, 'cut')
  t.equal(errorOf(await admin.call('GET', '/admin/api/usage-logs/export')), '500 internal_error')
})

/** The head of an export's answer, whose body is read as fast as the test does. */
async function begin (admin: Admin, path: string): Promise<IncomingMessage> {
  const request = httpGet(`${admin.url}/admin/api/${path}`, { headers: { authorization: login } })
  const [response] = await once(request, 'response') as [IncomingMessage]
  return response
}
