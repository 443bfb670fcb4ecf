import { createOpenAI, type OpenAIProvider } from '@ai-sdk/openai'
import { Output, embedMany, generateText, jsonSchema, streamText } from 'ai'
import t from 'tap'
import { CHAT, EMBEDDINGS, RESPONSES, type Where, startClientBench } from './client-bench.js'
import { usageLogs } from '../helpers/books.js'
import { fakeOpenAI } from '../helpers/fake-openai.js'
import { json } from '../helpers/upstream.js'

const model = 'gpt-4o-mini'
const prompt = 'What is in the picture?'
interface Image { title: string, tags: string[] }
const schema = jsonSchema<Image>({
  type: 'object',
  properties: { title: { type: 'string' }, tags: { type: 'array', items: { type: 'string' } } },
  required: ['title', 'tags'],
  additionalProperties: false
})
const weather = {
  inputSchema: jsonSchema<{ city: string }>({
    type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false
  })
}
const pixel = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII='

const at = ({ baseURL, promptType }: Where): OpenAIProvider =>
  createOpenAI({ baseURL, apiKey: 'sk-none', headers: { 'X-Prompt-Type': promptType } })

async function all<Item> (stream: AsyncIterable<Item>): Promise<Item[]> {
  const items: Item[] = []
  for await (const item of stream) items.push(item)
  return items
}

t.test('Vercel\'s AI SDK gets through the gateway what it gets without', async t => {
  const { same, aborted } = await startClientBench(t)

  t.test('a chat model', async t => {
    const answer = await same(t, 'plain', async where => {
      const { text, usage, finishReason } = await generateText({ model: at(where).chat(model), prompt })
      return { text, usage, finishReason }
    })
    t.match(answer, { text: 'A lighthouse at dusk.', usage: { inputTokens: 1200, outputTokens: 60 } })
  })

  t.test('a streamed one', async t => {
    const { texts } = await same(t, 'streamed', async where => {
      const stream = streamText({ model: at(where).chat(model), prompt })
      return { texts: await all(stream.textStream), usage: await stream.usage }
    })
    t.same(texts, ['A light', 'house at', ' dusk.'])
  })

  t.test('a tool call', async t => {
    const calls = await same(t, 'tool', async where =>
      (await generateText({
        model: at(where).chat(model), prompt, tools: { weather }
      })).toolCalls.map(({ toolName, input }) => ({ toolName, input })))
    t.same(calls, [{ toolName: 'weather', input: { city: 'Brno' } }])
  })

  t.test('structured output', async t => {
    const answer = await same(t, 'structured', async where =>
      (await generateText({ model: at(where).chat(model), prompt, output: Output.object({ schema }) })).output)
    t.same(answer, { title: 'A lighthouse', tags: ['sea', 'dusk'] })
  })

  t.test('a picture inline', async t => {
    const content = [
      { type: 'text' as const, text: prompt }, { type: 'image' as const, image: pixel, mediaType: 'image/png' }
    ]
    t.equal(await same(t, 'vision', async where =>
      (await generateText({ model: at(where).chat(model), messages: [{ role: 'user', content }] })).text),
    'A lighthouse at dusk.')
  })

  t.test('embeddings', async t => {
    const vectors = await same(t, 'embedding', async where =>
      (await embedMany({
        model: at(where).embedding('text-embedding-3-small'), values: ['sea', 'dusk']
      })).embeddings, EMBEDDINGS)
    t.same(vectors, [[0.5, -0.25, 0], [0.5, -0.25, 1]])
  })

  t.test('the Responses API, plain, streamed and structured', async t => {
    t.equal(
      await same(
        t,
        'response',
        async where => (await generateText({ model: at(where).responses(model), prompt })).text,
        RESPONSES
      ),
      'A lighthouse at dusk.'
    )
    const texts = await same(
      t,
      'response-streamed',
      async where => await all(streamText({ model: at(where).responses(model), prompt }).textStream),
      RESPONSES
    )
    t.equal(texts.join(''), 'A lighthouse at dusk.')
    t.same(await same(
      t,
      'response-structured',
      async where =>
        (await generateText({ model: at(where).responses(model), prompt, output: Output.object({ schema }) })).output,
      RESPONSES
    ),
    { title: 'A lighthouse', tags: ['sea', 'dusk'] })
  })

  t.test('a prompt type of one call', async t => {
    await same(t, 'of-the-call', async ({ baseURL, promptType }) =>
      (await generateText({
        model: createOpenAI({ baseURL, apiKey: 'sk-none' }).chat(model),
        prompt,
        headers: { 'X-Prompt-Type': promptType }
      })).text)
  })

  t.test('an abort in mid-stream', async t => {
    for (const api of ['chat', 'responses'] as const) {
      await aborted(t, `${api}-aborted`, async where => {
        const abort = new AbortController()
        const stream = streamText({ model: at(where)[api](model), prompt, abortSignal: abort.signal })
        for await (const part of stream.stream) {
          if (part.type === 'text-delta') abort.abort()
          if (part.type === 'abort') throw new Error('aborted')
        }
      })
    }
  })
})

t.test('a base URL with a prompt type serves it as it is, and each of its attempts is in the books', async t => {
  const { gateway, upstream } = await startClientBench(t)
  const provider = createOpenAI({ baseURL: `${gateway.origin}/prompt-types/of-the-path/v1`, apiKey: 'sk-none' })
  upstream.reply(
    json({
      error: { message: 'Try again.', type: 'server_error', param: null, code: null }
    }, 500, ['retry-after-ms', '1']),
    fakeOpenAI
  )
  t.equal((await generateText({ model: provider.chat(model), prompt })).text, 'A lighthouse at dusk.')
  const rows = await usageLogs(gateway)
  t.equal(rows.length, 2)
  t.match(rows, [
    { prompt_type: 'of-the-path', status_code: '500', error_type: 'server_error' },
    { prompt_type: 'of-the-path', ...CHAT }
  ])
})
