import OpenAI from 'openai'
import t from 'tap'
import { CHAT, EMBEDDINGS, RESPONSES, type Where, startClientBench } from './client-bench.js'
import { fakeOpenAI } from '../helpers/fake-openai.js'
import { usageLogs } from '../helpers/books.js'
import { json } from '../helpers/upstream.js'

const model = 'gpt-4o-mini'
const messages = [{ role: 'user' as const, content: 'What is in the picture?' }]
const schema = {
  type: 'object',
  properties: { title: { type: 'string' }, tags: { type: 'array', items: { type: 'string' } } },
  required: ['title', 'tags'],
  additionalProperties: false
}
const parameters = {
  type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false
}
const pixel =
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII='

const clientAt = ({ baseURL, promptType }: Where): OpenAI =>
  new OpenAI({ baseURL, apiKey: 'sk-none', defaultHeaders: { 'X-Prompt-Type': promptType } })

async function all<Item> (stream: AsyncIterable<Item>): Promise<Item[]> {
  const items: Item[] = []
  for await (const item of stream) items.push(item)
  return items
}

t.test('the official SDK gets through the gateway what it gets without', async t => {
  const { same, aborted } = await startClientBench(t)

  t.test('a chat completion', async t => {
    const answer = await same(t, 'plain', where => clientAt(where).chat.completions.create({ model, messages }))
    t.equal(answer.choices[0]?.message.content, 'A lighthouse at dusk.')
    t.equal(answer._request_id, 'req_chat')
  })

  t.test('a streamed one, usage not asked for', async t => {
    const chunks = await same(t, 'streamed', async where =>
      await all(await clientAt(where).chat.completions.create({ model, messages, stream: true })))
    t.equal(chunks.map(chunk => chunk.choices[0]?.delta.content ?? '').join(''), 'A lighthouse at dusk.')
    t.notOk(chunks.some(chunk => 'usage' in chunk))
  })

  t.test('a streamed one, usage asked for', async t => {
    const chunks = await same(t, 'streamed-usage', async where =>
      await all(
        await clientAt(where).chat.completions.create({
          model, messages, stream: true, stream_options: { include_usage: true }
        })
      ))
    t.equal(chunks.at(-1)?.usage?.total_tokens, 1260)
  })

  t.test('a tool call, plain and streamed', async t => {
    const tools = [{ type: 'function' as const, function: { name: 'weather', parameters } }]
    const answer = await same(t, 'tool', where => clientAt(where).chat.completions.create({ model, messages, tools }))
    t.match(answer.choices[0]?.message.tool_calls, [{ function: { name: 'weather', arguments: '{"city":"Brno"}' } }])
    const streamed = await same(t, 'tool-streamed', where =>
      clientAt(where).chat.completions.stream({ model, messages, tools }).finalMessage())
    t.match(streamed.tool_calls, [{ function: { name: 'weather', arguments: '{"city":"Brno"}' } }])
  })

  t.test('structured output', async t => {
    const answer = await same(t, 'structured', where => clientAt(where).chat.completions.parse({
      model, messages, response_format: { type: 'json_schema', json_schema: { name: 'image', strict: true, schema } }
    }))
    t.same(answer.choices[0]?.message.parsed, { title: 'A lighthouse', tags: ['sea', 'dusk'] })
  })

  t.test('a picture inline', async t => {
    const content = [
      { type: 'text' as const, text: 'What is it?' }, { type: 'image_url' as const, image_url: { url: pixel } }
    ]
    const answer = await same(t, 'vision', where =>
      clientAt(where).chat.completions.create({ model, messages: [{ role: 'user', content }] }))
    t.equal(answer.choices[0]?.message.content, 'A lighthouse at dusk.')
  })

  t.test('embeddings', async t => {
    const answer = await same(
      t,
      'embedding',
      where => clientAt(where).embeddings.create({ model: 'text-embedding-3-small', input: ['sea', 'dusk'] }),
      EMBEDDINGS
    )
    t.same(answer.data.map(({ embedding }) => embedding), [[0.5, -0.25, 0], [0.5, -0.25, 1]])
  })

  t.test('a response, plain, streamed and structured', async t => {
    const answer = await same(
      t, 'response', where => clientAt(where).responses.create({ model, input: 'What is it?' }), RESPONSES
    )
    t.equal(answer.output_text, 'A lighthouse at dusk.')
    const events = await same(
      t,
      'response-streamed',
      async where => await all(await clientAt(where).responses.create({ model, input: 'What is it?', stream: true })),
      RESPONSES
    )
    t.equal(events.at(-1)?.type, 'response.completed')
    const format = { type: 'json_schema' as const, name: 'image', strict: true, schema }
    const parsed = await same(
      t,
      'response-parsed',
      where => clientAt(where).responses.parse({ model, input: 'What is it?', text: { format } }),
      RESPONSES
    )
    t.same(parsed.output_parsed, { title: 'A lighthouse', tags: ['sea', 'dusk'] })
  })

  t.test('an abort in mid-stream', async t => {
    await aborted(t, 'aborted', async where => {
      const stream = await clientAt(where).chat.completions.create({ model, messages, stream: true })
      for await (const chunk of stream) if (chunk.choices[0]?.delta.content === 'A light') stream.controller.abort()
      throw new Error('the SDK ends an aborted stream without an error')
    })
    await aborted(t, 'response-aborted', async where => {
      const abort = new AbortController()
      const stream = await clientAt(where).responses.create({
        model, input: 'What is it?', stream: true
      }, { signal: abort.signal })
      for await (const event of stream) if (event.type === 'response.output_text.delta') abort.abort()
      throw new Error('the SDK ends an aborted stream without an error')
    })
  })
})

t.test('a prompt type comes from default headers, from a call\'s own, or from the base URL; the header wins', async t => {
  const { gateway, upstream } = await startClientBench(t)
  const create = async (client: OpenAI, headers: Record<string, string> = {}): Promise<unknown> =>
    await client.chat.completions.create({ model, messages }, { headers })
  const client = clientAt({ baseURL: `${gateway.origin}/v1`, promptType: 'default' })
  await create(client)
  await create(client, {
    'x-prompt-type': 'of-the-call',
    'X-Prompt-User': 'ada',
    'X-Prompt-Metadata': '{"page":7}',
    'X-Prompt-Description': 'Says what it sees'
  })
  await create(new OpenAI({ baseURL: `${gateway.origin}/prompt-types/of.the:path/v1`, apiKey: 'sk-none' }))
  await create(new OpenAI({
    baseURL: `${gateway.origin}/prompt-types/of.the:path/v1`, apiKey: 'sk-none'
  }), { 'X-Prompt-Type': 'header' })
  await create(new OpenAI({ baseURL: `${gateway.origin}/v1`, apiKey: 'sk-none' }))
  const rows = await usageLogs(gateway)
  t.same(rows.map(row => row['prompt_type']), ['default', 'of-the-call', 'of.the:path', 'header', 'untyped'])
  t.match(rows[1], { user_name: 'ada', metadata: '{"page":7}', task_description: 'Says what it sees' })
  t.ok(
    upstream.requests.every(request =>
      request.url === '/v1/chat/completions' && !request.rawHeaders.some(name => /^x-prompt/i.test(name)))
  )
  t.ok(upstream.requests.every(request => request.headers('authorization').join() === 'Bearer sk-none'))
})

t.test('each attempt of the SDK is a call: sent once, recorded once', async t => {
  const { gateway, upstream } = await startClientBench(t)
  const client = clientAt({ baseURL: `${gateway.origin}/v1`, promptType: 'retried' })
  const failure = json({
    error: { message: 'The server had an error.', type: 'server_error', param: null, code: null }
  }, 500, ['retry-after-ms', '1'])
  upstream.reply(failure, failure, fakeOpenAI)
  const answer = await client.chat.completions.create({ model, messages })
  t.equal(answer.choices[0]?.message.content, 'A lighthouse at dusk.')
  t.equal(upstream.requests.length, 3)
  const [first, second, third, ...more] = await usageLogs(gateway)
  const failed = {
    status_code: '500',
    success: 'false',
    error_type: 'server_error',
    error_message: 'The server had an error.',
    usage_source: 'none',
    cost: null,
    cost_reason: 'no_usage'
  }
  t.match([first, second], [failed, failed])
  t.match(third, CHAT)
  t.same(more, [])
  t.match((await gateway.admin('GET', '/prompt-configs/retried')).body, {
    total_calls: 3, failed_calls: 2, unpriced_calls: 0, last_error: null
  })
})

t.test('what the gateway answers itself is an error that the SDK knows, and does not retry', async t => {
  const { gateway, upstream } = await startClientBench(t)
  const client = clientAt({ baseURL: `${gateway.origin}/v1`, promptType: 'not a name' })
  await t.rejects(client.chat.completions.create({ model, messages }), {
    status: 400, code: 'invalid_prompt_type', constructor: OpenAI.BadRequestError
  })
  t.equal(upstream.requests.length, 0)
})
