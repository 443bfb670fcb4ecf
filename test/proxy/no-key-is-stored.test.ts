import t from 'tap'
import { unescape } from '../../src/redaction/unescape.js'
import { databaseKinds } from '../helpers/database.js'
import { type TestGateway, startGateway } from '../helpers/gateway.js'
import { type Reply, json, startUpstream } from '../helpers/upstream.js'
import { ask } from './raw-caller.js'

const random = 'aB3dE6gH9jK2mN5p'.repeat(3)
const keys = [`sk-proj-${random}`, `pm_${random.slice(0, 43)}`, `sess-${random.slice(0, 40)}`, `sk-${random}`]
const hex = (code: number): string => code.toString(16).padStart(2, '0')
const escaped = (text: string, each: (code: number) => string): string =>
  Array.from(text, character => each(character.charCodeAt(0))).join('')
/**
 * The same key, as it comes along. In JSON they stand as they are, so that some escape it there and some within its
 * strings.
 */
const forms = (key: string): string[] => [
  key, `k%3D${key}`, `Bearer%20${key}`, `x${key}`, escaped(key, code => `%${hex(code)}`), escaped(key, code => `%25${hex(code)}`),
  escaped(key, code => `\\u00${hex(code)}`), escaped(key, code => `\\\\x${hex(code)}`), key.replace(/[-_]/, mark => `\\u00${hex(mark.charCodeAt(0))}`)
]

/** All that is in any table, and all that can be seen from outside. */
async function everything (gateway: TestGateway): Promise<string> {
  const { $client } = gateway.database.operator
  const tables = await $client.unsafe<{ name: string }[]>(
    "select tablename as name from pg_tables where schemaname = 'public' and tablename not like 'usage_logs_%'"
  )
  const rows = await Promise.all(tables.map(({ name }) => $client.unsafe(`select t::text as row from "${name}" t`)))
  const metrics = await (await fetch(`${gateway.origin}/metrics`)).text()
  const lists = await Promise.all(
    [
      '/prompt-configs', '/usage-logs', '/audit-log', '/keys', '/budgets', '/budget-alerts'
    ].map(path => gateway.admin('GET', path))
  )
  return JSON.stringify([rows, gateway.logged, metrics, lists])
}

const bare = (text: string): string => unescape(text).text

for (const kind of databaseKinds) {
  t.test(`no key is stored, logged, counted or answered, whatever carries it (${kind})`, async t => {
    const upstream = await startUpstream(t)
    const gateway = await startGateway(t, { upstreamUrl: upstream.url, kind })
    const answers: string[] = []
    let calls = 0
    for (const key of keys) {
      for (const form of forms(key)) {
        const inHeader = form.replaceAll('\\\\', '\\')
        upstream.reply(() => json(
          `{"id":"x","model":"m-${form}","service_tier":"${form}","choices":[{"message":{"content":"answer <${form}>"}}],"error":{"type":"${form}","message":"wrong: ${form}"}}`,
          400
        ))
        const { status } = await ask(t, gateway, 'POST /v1/chat/completions', [
          'content-type: application/json', 'x-prompt-store-full-data: true', `x-prompt-type: t${calls % 5}`, `x-prompt-description: about ${inHeader} here`,
          `x-prompt-user: u ${inHeader}`, `x-prompt-metadata: {"a ${form}":"b ${form}"}`
        ], `{"model":"gpt ${form}","user":"${form}","metadata":{"${form}":"${form}"},"messages":[{"role":"user","content":"prompt <${form}> and so on"}]}`)
        t.equal(status, 400)
        calls++
        const refused = await ask(t, gateway, 'GET /v1/models', [`x-prompt-type: no ${inHeader}`])
        const unknown = await ask(t, gateway, `GET /nothing/${encodeURIComponent(inHeader)}`, [])
        t.equal(refused.status, 400)
        answers.push(refused.body, unknown.body)
      }
    }
    const seen = await everything(gateway)
    for (const key of keys) {
      t.notOk(bare(seen).includes(key), `stored: ${key.slice(0, 12)}`)
      t.notOk(bare(answers.join()).includes(key), `answered: ${key.slice(0, 12)}`)
    }
    t.equal(seen.split('and so on').length > calls / 2, true, 'what is around the keys is stored')
  })

  t.test(`a key that comes in pieces, or is cut, is not stored (${kind})`, async t => {
    const upstream = await startUpstream(t)
    const gateway = await startGateway(t, { upstreamUrl: upstream.url, kind, env: { PAYLOAD_MAX_BYTES: '4096' } })
    const sent = ['x-prompt-store-full-data: true', 'content-type: application/json']
    const answered = async (reply: Reply): Promise<void> => {
      upstream.reply(() => reply)
      await ask(t, gateway, 'POST /v1/chat/completions', sent, '{"model":"gpt-4o","stream":true,"messages":[]}')
    }
    const key = keys[0] ?? ''
    const chunk = (
      content: string
    ): string => `data: ${JSON.stringify({ id: 'x', choices: [{ index: 0, delta: { content } }] })}\n\n`
    await answered({
      headers: ['content-type', 'text/event-stream'],
      body: [...Array.from(`the key: ${key} end`, chunk), 'data: [DONE]\n\n']
    })
    for (let filler = 3000; filler < 4150; filler += 7) {
      await answered({
        headers: ['content-type', 'text/event-stream'],
        body: [chunk('f'.repeat(filler)), ...Array.from(` ${key} `, chunk), chunk('more '.repeat(1000))]
      })
      await answered({
        headers: ['content-type', 'text/plain'], body: `${'f'.repeat(filler)} ${key} ${'more '.repeat(1000)}`
      })
      await answered(json(`{"text":"${'f'.repeat(filler)} ${key} ${'more '.repeat(1000)}"}`))
    }
    const seen = await everything(gateway)
    t.match(seen, /the key: \[redacted key\] end/)
    t.notOk(seen.includes(key.slice(0, 12)), 'not even its beginning')
  })
}

t.test('a prompt type that is a key, or has one in it, is refused without repeating it, in every way to name one', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  for (const key of keys) {
    for (const name of [key, `a.${key}`, `${key}:v2`]) {
      const percent = escaped(name, code => `%${hex(code)}`)
      const answers = [
        await ask(t, gateway, 'GET /v1/models', [`x-prompt-type: ${name}`]),
        await ask(t, gateway, `GET /prompt-types/${name}/v1/models`),
        await ask(t, gateway, `GET /prompt-types/${percent}/v1/models`),
        await ask(t, gateway, 'GET /v1/models', [`x-prompt-type: ${name}`, 'x-prompt-type: other'])
      ]
      for (const { status, body } of answers) {
        t.equal(status, 400)
        t.match(JSON.parse(body), {
          error: { code: 'invalid_prompt_type', message: /Send a name|is not a valid prompt type/ }
        })
        t.notOk(bare(body).includes(key))
      }
      for (const [path, body] of [['/prompt-configs', { prompt_type: name }], [
        '/keys', { name: 'x', allowed_prompt_types: [name] }
      ],
      ['/budgets', { name: 'x', prompt_type: name, period: 'day', limit_usd: 1 }]] as const) {
        const answer = await gateway.admin('POST', path, body)
        t.match(answer, { status: 400, body: { error: { code: 'invalid_prompt_type' } } }, path)
        t.notOk(JSON.stringify(answer).includes(key))
      }
    }
  }
  t.equal(upstream.requests.length, 0)
  t.equal(
    (await ask(t, gateway, 'GET /v1/models', ['x-prompt-type: task-lists-of-small-teams-and-larger-ones'])).status, 200
  )
})

t.test('what an operator writes is stored without keys; an address with one is refused', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  const [key = ''] = keys
  const budget = { period: 'day', limit_usd: 1 }
  t.match(await gateway.admin('POST', '/prompt-configs', { prompt_type: 'a', description: `asks with ${key}` }), {
    status: 201, body: { description: 'asks with [redacted key]' }
  })
  t.match(await gateway.admin('PATCH', '/prompt-configs/a', { description: `now with k%3D${key}` }), {
    status: 200, body: { description: 'now with k%3D[redacted key]' }
  })
  t.match(await gateway.admin('POST', '/keys', { name: `for ${key}`, user: key }), {
    status: 201, body: { name: 'for [redacted key]', user: '[redacted key]' }
  })
  t.match(await gateway.admin('POST', '/budgets', { ...budget, name: key }), {
    status: 201, body: { name: '[redacted key]' }
  })
  for (const [field, value] of [
    ['webhook_url', `https://example.com/${key}`], ['email', `${key}@example.com`]
  ] as const) {
    t.match(await gateway.admin('POST', '/budgets', { ...budget, name: 'x', [field]: value }), {
      status: 400, body: { error: { code: 'invalid_field', param: field } }
    })
  }
  t.match(await gateway.admin('PUT', `/prices/${key}`, { input: 1, output: 1 }), {
    status: 400, body: { error: { code: 'invalid_field', param: 'model' } }
  })
  t.match(await gateway.admin('POST', '/budgets', { ...budget, name: 'x', [key]: 1 }), {
    status: 400, body: { error: { code: 'unknown_field', param: '[redacted key]' } }
  })
  t.notOk((await everything(gateway)).includes(key))
})
