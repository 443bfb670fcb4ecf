import fc from 'fast-check'
import t from 'tap'
import { databaseKinds } from '../helpers/database.js'
import { ADMIN, startGateway, type TestGateway } from '../helpers/gateway.js'
import { json, startUpstream } from '../helpers/upstream.js'

// Whatever a call's metadata was: the call is answered, and every list and export goes on answering, with all other
// rows.

const routes = [
  'prompt-configs', 'prompt-configs/any', 'prompt-configs/export?format=json', 'prompt-configs/export?format=csv',
  'usage-logs', 'usage-logs/export?format=ndjson', 'usage-logs/export?format=csv', 'audit-log'
]

const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 }
const completion = { id: 'c', object: 'chat.completion', model: 'gpt-4o-mini', choices: [], usage }

async function send (gateway: TestGateway, metadata: string, headers: Record<string, string> = {}): Promise<number> {
  const response = await fetch(`${gateway.origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-prompt-type': 'any', ...headers },
    body: `{"model":"gpt-4o-mini","messages":[],"metadata":${metadata}}`
  })
  await response.text()
  return response.status
}

async function get (gateway: TestGateway, path: string): Promise<{ status: number, text: string }> {
  const authorization = `Basic ${Buffer.from(`${ADMIN.username}:${ADMIN.password}`).toString('base64')}`
  const response = await fetch(`${gateway.origin}/admin/api/${path}`, { headers: { authorization } })
  return { status: response.status, text: await response.text() }
}

interface Logs { readonly items: ReadonlyArray<{ readonly prompt_type: string, readonly metadata: unknown }> }

async function latest (gateway: TestGateway): Promise<Logs> {
  return JSON.parse((await get(gateway, 'usage-logs?limit=500')).text) as Logs
}

const nested = (open: string, close: string, levels: number): string =>
  `{"a":${open.repeat(levels)}1${close.repeat(levels)}}`
const odd = [
  nested('[', ']', 33), nested('[', ']', 5000), nested('{"a":', '}', 8000), nested('[', ']', 30_000),
  `{"a":"${'x'.repeat(17_000)}"}`, `{"a":"${'x'.repeat(100_000)}"}`,
  `{"a":"${'é'.repeat(10_000)}"}`, '{"a":1e400,"b":-1e400,"c":1e-400}', '{"a":"\\u0000","\\u0000":"\\ud800"}',
  '{"__proto__":{"a":1},"constructor":{"prototype":1},"toJSON":"x"}',
  '{"a":1,"a":2}', '{"a":', '{"a":"', '[1,2]', '"text"', '7', 'null', 'nonsense',
  '{"a":"\0\ud800\\"}', `{"a":[${'[],'.repeat(7000)}1]}`
]

for (const kind of databaseKinds) {
  t.test(`any metadata leaves the lists readable (${kind})`, async t => {
    const upstream = await startUpstream(t)
    upstream.reply(json(completion))
    const gateway = await startGateway(t, { upstreamUrl: upstream.url, kind })
    t.equal(await send(gateway, '{"page":"7"}', { 'x-prompt-type': 'other' }), 200)

    const holds = async (values: readonly string[]): Promise<boolean> => {
      const statuses: number[] = []
      for (const metadata of values) {
        statuses.push(await send(gateway, metadata), (await get(gateway, 'usage-logs?limit=1')).status)
      }
      for (const route of routes) statuses.push((await get(gateway, route)).status)
      return statuses.every(status => status === 200)
    }
    for (const metadata of odd) t.ok(await holds([metadata]), metadata.slice(0, 40))
    const any = fc.oneof(fc.json({ maxDepth: 8 }), fc.string({ unit: 'binary', maxLength: 60 }))
    const five = fc.array(any, { minLength: 5, maxLength: 5 })
    await fc.assert(fc.asyncProperty(five, holds), { numRuns: 8, endOnFailure: true })

    const { items } = await latest(gateway)
    t.equal(items.length, odd.length + 41)
    t.same(items.find(row => row.prompt_type === 'other')?.metadata, { page: '7' })
  })
}

t.test('metadata is stored as it came up to 16 KiB and 32 levels, and says why where it is not', async t => {
  const upstream = await startUpstream(t)
  upstream.reply(json(completion))
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, kind: 'embedded' })
  const stored = async (metadata: string, headers: Record<string, string> = {}): Promise<unknown> => {
    t.equal(await send(gateway, metadata, headers), 200)
    return (await latest(gateway)).items[0]?.metadata
  }
  t.same(await stored(nested('[', ']', 31)), JSON.parse(nested('[', ']', 31)))
  t.same(await stored(`{"a":"${'x'.repeat(16_000)}"}`), { a: 'x'.repeat(16_000) })
  const tooDeep = { promptmeter_not_stored: 'The metadata was nested over 32 levels deep.' }
  const tooLong = { promptmeter_not_stored: 'The metadata was over 16384 bytes.' }
  t.same(await stored(nested('[', ']', 32)), tooDeep)
  t.same(await stored('{}', { 'x-prompt-metadata': nested('[', ']', 1000) }), tooDeep, 'from the header too')
  t.same(await stored(`{"a":"${'x'.repeat(17_000)}"}`), tooLong)
  t.same(await stored(`{"a":"${'x'.repeat(1_000_000)}"}`), tooLong)
  t.equal(await stored('[1]'), null, 'OpenAI takes objects alone')
})
