import { once } from 'node:events'
import postgres from 'postgres'
import t, { type Test } from 'tap'
import { gate } from '../helpers/gate.js'
import { type TestGateway, startGateway } from '../helpers/gateway.js'
import { type HttpReply, events, json, stalled, startUpstream } from '../helpers/upstream.js'
import { RawCaller, ask, logRows, logRowsOnce, requestText, statsOf } from './raw-caller.js'

const chat = 'POST /v1/chat/completions'
const plain = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}'
const streamed = plain.replace('{', '{"stream":true,')
const asked = streamed.replace('{', '{"stream_options":{"include_usage":true},')
const usage = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 }

/** Keeps every commit of the books waiting until it is let go. */
async function holdBooks (t: Test, gateway: TestGateway): Promise<() => Promise<void>> {
  const sql = postgres(gateway.config.databaseUrl ?? '', { max: 1 })
  t.teardown(() => sql.end())
  const [locked, held] = [gate(), gate()]
  const transaction = sql.begin(async sql => {
    await sql`lock table prompt_stats in access exclusive mode`
    locked.open()
    await held.passed()
  })
  await locked.passed()
  return async () => {
    held.open()
    await transaction
  }
}

t.test('an answer has everything but its end while its record waits for the commit', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env: { RECORD_WAIT_MS: '60000' } })
  const body = JSON.stringify({ model: 'gpt-4o-mini', choices: [], usage })
  const chat1 = events({
    model: 'gpt-4o-mini', choices: [{ index: 0, delta: { content: 'hi' } }], usage: null
  }, { model: 'gpt-4o-mini', choices: [], usage })
  const responses: HttpReply = {
    headers: ['content-type', 'text/event-stream'],
    body: ['event: a\ndata: {"type":"response.created"}\n\n', 'event: response.completed\ndata: {"type":"response.completed","response":{"model":"gpt-4o-mini","usage":{"input_tokens":11,"output_tokens":7}}}\n\n']
  }
  const cases: Array<{ name: string, reply: HttpReply, request: string, before: string, held: string }> = [
    { name: 'JSON', reply: json(JSON.parse(body)), request: requestText(chat, [], plain), before: '', held: body },
    {
      name: 'JSON in chunks',
      reply: { headers: ['content-type', 'application/json'], body: [body.slice(0, 20), body.slice(20)] },
      request: requestText(chat, [], plain),
      before: body.slice(0, 20),
      held: body.slice(20)
    },
    {
      name: 'a chat stream',
      reply: chat1,
      request: requestText(chat, [], asked),
      before: '"choices":[],"usage":{"prompt_tokens":11',
      held: '[DONE]'
    },
    {
      name: 'a chat stream, asked by the gateway',
      reply: chat1,
      request: requestText(chat, [], streamed),
      before: '"content":"hi"',
      held: '[DONE]'
    },
    {
      name: 'a responses stream',
      reply: responses,
      request: requestText('POST /v1/responses', [], streamed),
      before: 'response.created',
      held: 'data: {"type":"response.completed'
    },
    {
      name: 'a binary',
      reply: { headers: ['content-type', 'audio/wav'], body: 'RIFFwaveX' },
      request: requestText('GET /v1/files/1/content'),
      before: 'RIFFwave',
      held: 'X'
    },
    {
      name: 'a stream without an end of its own',
      reply: { headers: ['content-type', 'text/event-stream'], body: ['data: 1\n\n'] },
      request: requestText(chat, [], streamed),
      before: 'data: 1\n\n',
      held: '\r\n0\r\n\r\n'
    },
    {
      name: 'an answer without a body',
      reply: { status: 204 },
      request: requestText('DELETE /v1/files/1'),
      before: '',
      held: 'HTTP/1.1 204'
    },
    {
      name: 'an error',
      reply: json({ error: { message: 'no' } }, 429),
      request: requestText(chat, [], plain),
      before: '',
      held: '{"error"'
    }
  ]
  for (const [i, { name, reply, request, before, held }] of cases.entries()) {
    const letGo = await holdBooks(t, gateway)
    upstream.reply(reply)
    const caller = new RawCaller(t, gateway.origin).send(request)
    await caller.until(before)
    await stalled(() => caller.text.length)
    t.notOk(caller.text.replace(before, '').includes(held), `${name}: ${caller.text}`)
    await letGo()
    await caller.until(held)
    t.equal((await logRows(gateway)).length, i + 1, `${name}: in the books as soon as it is answered`)
  }
  t.match(await logRows(gateway), Array(5).fill({ input_tokens: '11', output_tokens: '7', usage_source: 'upstream' }))
})

t.test('an answer waits no longer than RECORD_WAIT_MS, and its record comes in later, once', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env: { RECORD_WAIT_MS: '50' } })
  const letGo = await holdBooks(t, gateway)
  upstream.reply(
    json({ model: 'gpt-4o-mini', usage }),
    events({ model: 'gpt-4o-mini', choices: [], usage }),
    json({ error: {} }, 500)
  )
  for (const body of [plain, streamed, plain]) {
    t.equal(
      (await ask(t, gateway, chat, ['x-prompt-type: late'], body)).complete, true
    )
  }
  await letGo()
  t.equal((await logRowsOnce(gateway, 3)).length, 3)
  t.match(await statsOf(gateway, 'late'), { total_calls: '3', failed_calls: '1', total_input_tokens: '22' })
})

t.test('an answered call is in the books at once', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env: { RECORD_WAIT_MS: '60000' } })
  upstream.reply(json({ model: 'gpt-4o-mini-2024-07-18', usage }))
  const caller = new RawCaller(t, gateway.origin)
  for (let calls = 1; calls <= 30; calls++) {
    caller.send(requestText(chat, ['x-prompt-type: often'], plain))
    while (caller.text.split('"total_tokens":18}}').length <= calls) await once(caller.socket, 'data')
    t.equal((await statsOf(gateway, 'often'))?.['total_calls'], `${calls}`)
  }
})

t.test('switches of a prompt type hold for the very next call', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env: { RECORD_WAIT_MS: '60000' } })
  upstream.reply(json({ model: 'gpt-4o-mini', usage }))
  const call = async (...headers: string[]): Promise<void> => {
    await ask(t, gateway, chat, ['x-prompt-type: switched', ...headers], plain)
  }
  const set = async (switches: object): Promise<void> => {
    t.equal((await gateway.admin('PATCH', '/prompt-configs/switched', switches)).status, 200)
  }
  const newest = async (): Promise<unknown> => (await logRows(gateway)).at(-1)?.['prompt']
  await call()
  t.equal(await newest(), null)
  await set({ track_full_data: true })
  await call()
  t.equal(await newest(), plain)
  await call('x-prompt-store-full-data: false')
  t.equal(await newest(), null)
  await set({ track_full_data: false })
  await call('x-prompt-store-full-data: true')
  t.equal(await newest(), plain)
  await set({ is_active: false })
  await call('x-prompt-store-full-data: true', 'x-prompt-user: ada')
  t.equal((await logRows(gateway)).length, 4)
  t.match(await statsOf(gateway, 'switched'), {
    total_calls: '5', last_user: 'ada', last_prompt: plain, last_response: /usage/
  })
  await set({ is_active: true })
  await call()
  t.equal((await logRows(gateway)).length, 5)
  t.equal((await gateway.admin('PATCH', '/settings', { default_track_full_data: true })).status, 200)
  await ask(t, gateway, chat, ['x-prompt-type: new'], plain)
  t.equal(await newest(), plain)
})

t.test('who called, what for and with what: the header, then the body', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  const said = (members: string): string => plain.replace('{', `{${members},`)
  for (const [headers, body, expected] of [
    [
      ['x-prompt-user: %C3%84da', 'x-prompt-metadata: {"a":1}', 'x-prompt-description: says \xc3\xbc'],
      said('"user":"u","safety_identifier":"s","metadata":{"b":2}'),
      { user_name: 'Äda', metadata: '{"a":1}', task_description: 'says ü' }
    ],
    [
      [],
      said('"user":"u","safety_identifier":"s","metadata":{"b":2}'),
      { user_name: 's', metadata: '{"b":2}', task_description: null }
    ],
    [[], said('"user":"u","metadata":null'), { user_name: 'u', metadata: null }],
    [[], said('"user":5,"metadata":[1]'), { user_name: null, metadata: null }]
  ] as const) {
    await ask(t, gateway, chat, headers, body)
    t.match((await logRows(gateway)).at(-1), expected)
  }
  for (const bad of [
    'x-prompt-metadata: [1]',
    'x-prompt-metadata: {"a":',
    `x-prompt-metadata: {"a":"${'x'.repeat(4096)}"}`,
    `x-prompt-description: ${'x'.repeat(1001)}`,
    'x-prompt-store-full-data: yes',
    'x-prompt-user: %00'
  ]) {
    const answer = await ask(t, gateway, chat, [bad], plain)
    t.equal(answer.status, 400, bad.slice(0, 40))
    t.match(JSON.parse(answer.body), { error: { code: 'invalid_prompt_header', type: 'invalid_request_error' } })
  }
  t.equal(upstream.requests.length, 4)
})

t.test('past MAX_PROMPT_TYPES a new name is refused, a known one and none are not', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env: { MAX_PROMPT_TYPES: '3' } })
  const statuses: number[] = []
  for (const name of ['a', 'b', 'c', 'd', 'a', 'd', 'c']) {
    statuses.push(
      (await ask(t, gateway, chat, [`x-prompt-type: ${name}`], plain)).status
    )
  }
  statuses.push((await ask(t, gateway, chat, [], plain)).status)
  t.same(statuses, [200, 200, 200, 400, 200, 400, 200, 200])
  const refused = await ask(t, gateway, chat, ['x-prompt-type: e'], plain)
  t.match(JSON.parse(refused.body), { error: { code: 'prompt_type_limit', param: 'X-Prompt-Type' } })
})

t.test('a thousand first calls of one type at once make one config and count a thousand', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env: { RECORD_WAIT_MS: '60000' } })
  upstream.reply(json({ model: 'gpt-4o-mini', usage }))
  const answers = await Promise.all(
    Array.from({ length: 1000 }, async (_, i) =>
      await ask(t, gateway, chat, ['x-prompt-type: rush', `x-prompt-user: ${i}`, 'connection: close'], plain))
  )
  t.ok(answers.every(answer => answer.status === 200 && answer.complete))
  t.match(await statsOf(gateway, 'rush'), {
    total_calls: '1000', failed_calls: '0', total_input_tokens: '11000', total_output_tokens: '7000'
  })
  t.same(
    (await gateway.admin('GET', '/prompt-configs')).body,
    (await gateway.admin('GET', '/prompt-configs?search=rush')).body
  )
  t.equal(new Set((await logRows(gateway)).map(row => row['user_name'])).size, 1000)
})
