import t, { type Test } from 'tap'
import { gzipSync } from 'node:zlib'
import { databaseKinds } from '../helpers/database.js'
import { type TestGateway, startGateway } from '../helpers/gateway.js'
import { readable } from '../helpers/codings.js'
import { json, startUpstream } from '../helpers/upstream.js'
import { logRows, statsOf } from './raw-caller.js'

const env = { RECORD_WAIT_MS: '60000' }
const answer = json({
  model: 'gpt-4o-mini', choices: [], usage: { prompt_tokens: 1000, completion_tokens: 9000, total_tokens: 10_000 }
})

interface Answer { readonly status: number, readonly code: string | undefined, readonly message: string }

async function send (
  gateway: TestGateway,
  body: Buffer | string,
  { type = 'a', path = 'chat/completions', ...headers }: Record<string, string> = {}
): Promise<Answer> {
  const response = await fetch(`${gateway.origin}/prompt-types/${type}/v1/${path}`, { method: 'POST', headers, body })
  const { error } = await response.json() as { error?: { code: string, message: string } }
  return { status: response.status, code: error?.code, message: error?.message ?? '' }
}

async function addBudget (t: Test, gateway: TestGateway, limitUsd: number, more: object = {}): Promise<void> {
  const { status } = await gateway.admin('POST', '/budgets', {
    name: 'nightly',
    prompt_type: null,
    period: 'day',
    limit_usd: limitUsd,
    thresholds: [100],
    action: 'block',
    strict: true,
    ...more
  })
  t.equal(status, 201)
}

const chat = (more: object = {}): string =>
  JSON.stringify({ model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'hi' }], max_tokens: 9000, ...more })
const utf16 = (text: string): Buffer => Buffer.from(text, 'utf16le')

/**
 * Requests that some server may read, and the gateway does not, or not as that server does; with what is said of them.
 */
const unreadable: ReadonlyArray<readonly [string, Buffer | string, Record<string, string>, RegExp]> = [
  ['an unknown coding', chat(), { 'content-encoding': 'compress' }, /'compress'/],
  ['an unknown coding among known ones', gzipSync(chat()), { 'content-encoding': 'dcb, gzip' }, /'dcb, gzip'/],
  ['too many codings', chat(), { 'content-encoding': 'gzip, gzip, gzip, gzip' }, /coding/],
  ['broken gzip', gzipSync(chat()).subarray(0, -9), { 'content-encoding': 'gzip' }, /Content-Encoding/],
  ['no gzip', chat(), { 'content-encoding': 'gzip' }, /Content-Encoding/],
  [
    'bytes behind the gzip',
    Buffer.concat([gzipSync(chat()), Buffer.from('x')]),
    { 'content-encoding': 'gzip' },
    /Content-Encoding/
  ],
  ['UTF-16', utf16(chat()), { 'content-type': 'application/json' }, /JSON/],
  ['UTF-16 with its mark', Buffer.concat([Buffer.from([0xff, 0xfe]), utf16(chat())]), {}, /UTF-8/],
  ['UTF-16, big end first', utf16(chat()).swap16(), {}, /JSON/],
  ['UTF-32', Buffer.from(Array.from(chat()).flatMap(c => [0, 0, 0, c.charCodeAt(0)])), {}, /JSON/],
  ['compressed UTF-16', gzipSync(utf16(chat())), { 'content-encoding': 'gzip' }, /JSON/],
  ['broken JSON', chat().slice(0, -1), {}, /JSON/],
  ['a list', `[${chat()}]`, {}, /JSON object/],
  ['JSON with comments', chat().replace('{', '{/* "model": */'), {}, /JSON/],
  ['two of them', `${chat()}\n${chat()}`, {}, /JSON/],
  ['a form', 'model=gpt-4o-mini&max_tokens=9000', { 'content-type': 'application/x-www-form-urlencoded' }, /JSON/],
  [
    'parts',
    '--b\r\ncontent-disposition: form-data; name="model"\r\n\r\ngpt-4o-mini\r\n--b--\r\n',
    { 'content-type': 'multipart/form-data; boundary=b' },
    /JSON/
  ],
  ['a model twice', `{"model":"free-model",${chat().slice(1)}`, {}, /'model' twice/],
  ['a limit twice', `${chat({ max_tokens: 1 }).slice(0, -1)},"max_\\u0074okens":9000}`, {}, /'max_tokens' twice/],
  ['a name in another case', chat().replace('max_tokens', 'Max_Tokens'), {}, /'max_tokens' in another case/],
  ['ASCII that calls itself UTF-16', chat(), { 'content-type': 'application/json; charset=utf-16' }, /'utf-16'/],
  [
    'the same, compressed',
    gzipSync(chat()),
    { 'content-type': 'application/json; charset=utf-16', 'content-encoding': 'gzip' },
    /'utf-16'/
  ],
  ['no model', JSON.stringify({ messages: [] }), {}, /names no model/],
  ['a number as a text', chat({ n: '128' }), {}, /'n'/],
  ['depth', `${chat().slice(0, -1)},"x":${'['.repeat(5000)}${']'.repeat(5000)}}`, {}, /deep/]
]

for (const kind of databaseKinds) {
  t.test(`a strict budget refuses what cannot be read, and says why; without one it goes through and is booked (${kind})`, async t => {
    const upstream = await startUpstream(t)
    upstream.reply(answer)
    const gateway = await startGateway(t, { upstreamUrl: upstream.url, env, kind })
    await addBudget(t, gateway, 1000, { prompt_type: 'strict' })
    await addBudget(t, gateway, 1000, { prompt_type: 'loose', strict: false })
    for (const [what, body, headers, why] of unreadable) {
      const refused = await send(gateway, body, { ...headers, type: 'strict' })
      t.match(refused, { status: 429, code: 'budget_exceeded', message: why }, what)
      t.match(refused.message, /'nightly', 1000 USD a day.*Fix the client: .*JSON in UTF-8.*gzip, deflate, br or zstd/)
      for (const type of ['loose', 'none']) {
        t.equal((await send(gateway, body, {
          ...headers, type
        })).status, 200, `${what}, ${type}`)
      }
      t.ok(upstream.requests.at(-1)?.body.equals(Buffer.from(body as string)), what)
    }
    t.equal(upstream.requests.length, 2 * unreadable.length)
    t.match(await statsOf(gateway, 'strict'), { total_calls: '0', blocked_calls: `${unreadable.length}` })
    for (const type of ['loose', 'none']) {
      t.match(await statsOf(gateway, type), {
        total_calls: `${unreadable.length}`, total_input_tokens: `${1000 * unreadable.length}`
      })
    }
    const rows = (await logRows(gateway)).filter(row => row['prompt_type'] === 'strict')
    t.match(rows, unreadable.map(() => ({ error_type: 'budget_exceeded', cost: null, cost_reason: 'not_metered' })))
    t.equal((await send(gateway, chat(), { type: 'strict' })).status, 200)
  })
}

t.test('a strict budget knows what a compressed call may cost, whatever its coding', async t => {
  const upstream = await startUpstream(t)
  upstream.reply(answer)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env })
  await addBudget(t, gateway, 0.001) // One may cost 0.0054 USD.
  for (const { name, code } of readable) {
    for (const path of ['chat/completions', 'responses', 'completions']) {
      for (const type of ['application/json', 'text/plain']) {
        const body = code(Buffer.from(chat(path === 'responses' ? { max_output_tokens: 9000 } : {})))
        t.match(await send(gateway, body, {
          'content-encoding': name, 'content-type': type, path
        }), { status: 429, message: /may cost up to 0\.0\d+ USD/ }, `${name} ${path}`)
      }
    }
    const cheap = code(Buffer.from(chat({ max_tokens: 100 })))
    upstream.reply(json({ model: 'gpt-4o-mini', choices: [] }))
    t.equal((await send(gateway, cheap, { 'content-encoding': name })).status, 200, `${name}: one that fits`)
  }
})

t.test('twelve compressed calls at once spend no more than a strict budget for one', async t => {
  const upstream = await startUpstream(t)
  upstream.reply(async () => {
    await new Promise(resolve => setTimeout(resolve, 100))
    return answer
  })
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env })
  for (const { name, code } of readable.slice(1)) {
    const type = `t${readable.findIndex(each => each.code === code)}`
    await addBudget(t, gateway, 0.01, { prompt_type: type })
    const answers = await Promise.all(
      Array.from({ length: 12 }, async () => await send(gateway, code(
        Buffer.from(chat({ max_tokens: 9000 }))
      ), { 'content-encoding': name, type }))
    )
    t.equal(answers.filter(({ status }) =>
      status === 200).length, 1, `${name}: ${answers.map(({ status }) => status).join()}`)
  }
})

t.test('a body that was refused without being read is read to its end and dropped', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env })
  await addBudget(t, gateway, 1)
  const body = Buffer.alloc(5_000_000, 'x')
  for (let i = 0; i < 3; i++) t.equal((await send(gateway, body, { 'content-encoding': 'unknown' })).status, 429)
  t.equal(upstream.requests.length, 0)
})

for (const kind of databaseKinds) {
  t.test(`a strict budget rejects a model without a price and says what to do; with one it goes through (${kind})`, async t => {
    const upstream = await startUpstream(t)
    upstream.reply(answer)
    const gateway = await startGateway(t, { upstreamUrl: upstream.url, env, kind })
    await addBudget(t, gateway, 1000, { prompt_type: 'strict' })
    const request = chat({ model: 'our-own/model' })
    for (const path of ['chat/completions', 'responses', 'not/known']) {
      t.match(
        await send(gateway, request, { type: 'strict', path }),
        {
          status: 429,
          code: 'budget_exceeded',
          message: /'our-own\/model' has no price.*'nightly', 1000 USD a day.*Set its price with PUT \/admin\/api\/prices/
        },
        path
      )
      t.equal((await send(gateway, request, { path })).status, 200, 'without a strict budget it goes through')
    }
    t.equal((await gateway.admin('PUT', '/prices/our-own%2Fmodel', { input: 0, output: 0 })).status, 200)
    t.equal((await send(gateway, request, { type: 'strict' })).status, 200)
  })
}

t.test('a lifted budget lets through what it cannot read', async t => {
  const upstream = await startUpstream(t)
  upstream.reply(answer)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env })
  await addBudget(t, gateway, 0.0001, { strict: false, prompt_type: 'a' })
  await addBudget(t, gateway, 0.0001, { prompt_type: 'a', name: 'strict' })
  t.equal((await send(gateway, 'not JSON')).status, 429)
  t.equal((await send(gateway, chat({ max_tokens: 1 }))).status, 200, 'it is spent now')
  t.equal((await gateway.admin('POST', '/prompt-configs/a/unblock')).status, 200)
  t.equal((await send(gateway, 'not JSON')).status, 200)
})
