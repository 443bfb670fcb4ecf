import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai'
import t from 'tap'
import { EMBEDDINGS, RESPONSES, type Where, startClientBench } from './client-bench.js'

const model = 'gpt-4o-mini'
const question = 'What is in the picture?'
const schema = {
  title: 'image',
  type: 'object',
  properties: { title: { type: 'string' }, tags: { type: 'array', items: { type: 'string' } } },
  required: ['title', 'tags'],
  additionalProperties: false
}
const weather = {
  type: 'function' as const,
  function: { name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } }
}
const pixel =
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII='

const chatAt = ({ baseURL, promptType }: Where, useResponsesApi = false): ChatOpenAI =>
  new ChatOpenAI({
    model,
    apiKey: 'sk-none',
    useResponsesApi,
    configuration: { baseURL, defaultHeaders: { 'X-Prompt-Type': promptType } }
  })

/** A message's data: what it says, its metadata, and nothing of the classes around it. */
const plain = <Value>(value: Value): Value => JSON.parse(JSON.stringify(value)) as Value

async function all<Item> (stream: AsyncIterable<Item>): Promise<Item[]> {
  const items: Item[] = []
  for await (const item of stream) items.push(item)
  return items
}

t.test('LangChain gets through the gateway what it gets without', async t => {
  const { same, aborted } = await startClientBench(t)

  t.test('a chat model', async t => {
    const answer = await same(t, 'plain', async where => {
      const { content, usage_metadata: usage, response_metadata: metadata } = await chatAt(where).invoke(question)
      return plain({ content, usage, metadata })
    })
    t.match(answer, { content: 'A lighthouse at dusk.', usage: { input_tokens: 1200, output_tokens: 60 } })
  })

  t.test('a streamed one', async t => {
    const chunks = await same(t, 'streamed', async where =>
      (await all(await chatAt(where).stream(question))).map(({ text, usage_metadata: usage }) =>
        plain({ text, usage })))
    t.equal(chunks.map(({ text }) => text).join(''), 'A lighthouse at dusk.')
  })

  t.test('a streamed one that does not ask for usage', async t => {
    const chunks = await same(t, 'streamed-without', async where => {
      const chat = new ChatOpenAI({
        model,
        apiKey: 'sk-none',
        streamUsage: false,
        configuration: { baseURL: where.baseURL, defaultHeaders: { 'X-Prompt-Type': where.promptType } }
      })
      return plain(await all(await chat.stream(question)))
    })
    t.notMatch(JSON.stringify(chunks), 'total_tokens')
  })

  t.test('a tool call', async t => {
    const calls = await same(t, 'tool', async where =>
      plain((await chatAt(where).bindTools([weather]).invoke(question)).tool_calls))
    t.match(calls, [{ name: 'weather', args: { city: 'Brno' } }])
  })

  t.test('structured output', async t => {
    const answer = await same(t, 'structured', where =>
      chatAt(where).withStructuredOutput(schema, { method: 'jsonSchema' }).invoke(question))
    t.same(answer, { title: 'A lighthouse', tags: ['sea', 'dusk'] })
  })

  t.test('a picture inline', async t => {
    const content = [{ type: 'text', text: question }, { type: 'image_url', image_url: { url: pixel } }]
    t.equal(
      await same(t, 'vision', async where => (await chatAt(where).invoke([{ role: 'user', content }])).text),
      'A lighthouse at dusk.'
    )
  })

  t.test('embeddings', async t => {
    const vectors = await same(t, 'embedding', async ({ baseURL, promptType }) =>
      await new OpenAIEmbeddings({
        model: 'text-embedding-3-small',
        apiKey: 'sk-none',
        configuration: { baseURL, defaultHeaders: { 'X-Prompt-Type': promptType } }
      })
        .embedDocuments(['sea', 'dusk']), EMBEDDINGS)
    t.same(vectors, [[0.5, -0.25, 0], [0.5, -0.25, 1]])
  })

  t.test('the Responses API, plain and streamed', async t => {
    t.equal(
      await same(t, 'response', async where => (await chatAt(where, true).invoke(question)).text, RESPONSES),
      'A lighthouse at dusk.'
    )
    const texts = await same(
      t,
      'response-streamed',
      async where => (await all(await chatAt(where, true).stream(question))).map(chunk => chunk.text),
      RESPONSES
    )
    t.equal(texts.join(''), 'A lighthouse at dusk.')
  })

  t.test('a prompt type of one call', async t => {
    await same(t, 'of-the-call', async ({ baseURL, promptType }) => {
      const chat = new ChatOpenAI({ model, apiKey: 'sk-none', configuration: { baseURL } })
      return (await chat.invoke(question, { options: { headers: { 'X-Prompt-Type': promptType } } })).text
    })
  })

  t.test('an abort in mid-stream', async t => {
    await aborted(t, 'aborted', async where => {
      const abort = new AbortController()
      for await (const chunk of await chatAt(where)
        .stream(question, { signal: abort.signal })) if (chunk.text !== '') abort.abort()
    })
  })
})

t.test('a base URL with a prompt type serves LangChain as it is', async t => {
  const { gateway } = await startClientBench(t)
  const chat = new ChatOpenAI({
    model, apiKey: 'sk-none', configuration: { baseURL: `${gateway.origin}/prompt-types/of-the-path/v1` }
  })
  t.equal((await chat.invoke(question)).text, 'A lighthouse at dusk.')
  t.match((await gateway.admin('GET', '/prompt-configs/of-the-path')).body, { total_calls: 1, total_cost: 0.0001392 })
})
