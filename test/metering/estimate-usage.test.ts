import { existsSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base'
import t from 'tap'
import { countable } from '../../src/metering/billable-text.js'
import { encodingOf, estimateUsage } from '../../src/metering/estimate-usage.js'
import { createTokenizer } from '../../src/metering/tokenizer.js'
import type { CapturedBody } from '../../src/capture/captured-body.js'
import { inOneGo } from '../../src/lib/slices.js'
import { textUsage, type TokenUsage } from '../../src/pricing/token-usage.js'

const tokenizer = createTokenizer({ timeoutMs: 60_000, maxQueued: 10_000 })
t.teardown(() => tokenizer.close())

async function estimate (endpoint: string, request: unknown, response: unknown, model = 'gpt-4o'): Promise<TokenUsage> {
  return estimateUsage(tokenizer, { endpoint, model, request: kept(request), response: kept(response) })
}

/** A body of which all is kept, unless it was longer. */
function kept (body: unknown, wholeBytes?: number): CapturedBody | null {
  if (body === null || body === '') return null
  const content = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  return { content, sizeBytes: wholeBytes ?? content.length }
}

const tokens = (...texts: string[]): number => texts.reduce((sum, text) => sum + countTokens(text), 0)
const chat = (message: unknown, more: object = {}): object => ({ model: 'gpt-4o', messages: [message], ...more })
const answer = (message: unknown): object => ({
  id: 'chatcmpl-1', object: 'chat.completion', choices: [{ index: 0, message }]
})

t.test('a chat costs its texts, three tokens a message, one a name, and three for the reply', async t => {
  const messages = [
    { role: 'system', content: 'Answer in rhyme.' },
    { role: 'user', name: 'Ada', content: [{ type: 'text', text: 'What is a proxy?' }] }
  ]
  t.same(await estimate(
    'chat/completions',
    { model: 'gpt-4o', messages },
    answer({ role: 'assistant', content: 'A door to the sea.', refusal: null })
  ), textUsage(
    tokens('system', 'Answer in rhyme.', 'user', 'Ada', 'What is a proxy?') + 2 * 3 + 1 + 3,
    tokens('A door to the sea.')
  ))
})

t.test('calls of tools, refusals and all choices are output', async t => {
  const { outputTokens } = await estimate('chat/completions', null, {
    choices: [
      {
        message: {
          content: null,
          tool_calls: [
            { id: 'call_1', type: 'function', function: { name: 'get_weather', arguments: '{"city":"Bonn"}' } }
          ]
        }
      },
      { message: { content: null, refusal: 'I will not.' } }
    ]
  })
  t.equal(outputTokens, tokens('get_weather', '{"city":"Bonn"}', 'I will not.') + 7)
})

t.test('tools and schemas are input, by their JSON', async t => {
  const tools = [{ type: 'function', function: { name: 'get_weather', parameters: { type: 'object' } } }]
  const schema = { type: 'object', properties: { tags: { type: 'array' } } }
  const message = { role: 'user', content: 'Hi' }
  const plain = await estimate('chat/completions', chat(message), null)
  const more = await estimate(
    'chat/completions', chat(message, { tools, response_format: { type: 'json_schema', json_schema: schema } }), null
  )
  t.equal(more.inputTokens - plain.inputTokens, tokens(JSON.stringify(tools[0]), JSON.stringify(schema)))
})

t.test('a response costs its input, instructions and output', async t => {
  const usage = textUsage(tokens('system', 'Be brief.', 'user', 'Name a colour.') + 2 * 3 + 3, tokens('Blue.'))
  const output = { output: [{ type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Blue.' }] }] }
  t.same(await estimate('responses', { instructions: 'Be brief.', input: 'Name a colour.' }, output), usage)
  t.same(
    await estimate(
      'responses',
      {
        instructions: 'Be brief.', input: [{ role: 'user', content: [{ type: 'input_text', text: 'Name a colour.' }] }]
      },
      output
    ),
    usage
  )
  t.equal((await estimate('responses', {}, {
    output: [
      { type: 'function_call', name: 'f', arguments: '{"a":1}' },
      { type: 'reasoning', summary: [{ type: 'summary_text', text: 'Hm.' }] }
    ]
  })).outputTokens,
  tokens('f', '{"a":1}', 'Hm.') + 7)
})

t.test('a completion and an embedding take texts, tokens, or lists of either', async t => {
  t.same(
    await estimate('completions', { prompt: 'Once upon' }, { choices: [{ text: ' a time' }] }),
    textUsage(tokens('Once upon'), tokens(' a time'))
  )
  t.same(
    await estimate('embeddings', { input: ['one', 'two words'] }, { data: [{ embedding: [0.1] }] }),
    textUsage(tokens('one', 'two words'), 0)
  )
  t.same(await estimate('embeddings', { input: [[1, 2, 3], [4]] }, null), textUsage(4, 0))
})

t.test('an image is a flat figure, whatever stands for it', async t => {
  const image = (url: string, detail?: string): object =>
    chat({ role: 'user', content: [{ type: 'image_url', image_url: { url, detail } }] })
  const bare = tokens('user') + 3 + 3
  t.equal((await estimate('chat/completions', image('https://example.com/a.png'), null)).inputTokens, bare + 765)
  t.equal(
    (await estimate('chat/completions', image('[elided image/png, 123456 bytes, sha256:abc]'), null)).inputTokens,
    bare + 765
  )
  t.equal((await estimate('chat/completions', image('https://example.com/a.png', 'low'), null)).inputTokens, bare + 85)
  t.equal(
    (await estimate(
      'responses',
      {
        input: [
          { role: 'user', content: [{ type: 'input_image', image_url: 'https://example.com/a.png', detail: 'low' }] }
        ]
      },
      null
    )).inputTokens,
    bare + 85
  )
})

t.test('a text is text, whatever it says: what is printed for storage, or looks like media', async t => {
  const content =
    'Look: [elided image/png, 123456 bytes, sha256:0123456789abcdef] and data:image/png;base64,iVBORw0KGgo= … [truncated: 1 of 999999 bytes kept]'
  t.equal(
    (await estimate('chat/completions', chat({ role: 'user', content }), null)).inputTokens, tokens('user', content) + 6
  )
})

t.test('a body that is cut short or no JSON is counted as it stands', async t => {
  const cut = '{"model":"gpt-4o","messages":[{"role":"user","content":"Tell me a st'
  t.same(await estimate('chat/completions', cut, '<html>no</html>'), textUsage(tokens(cut), tokens('<html>no</html>')))
  const call = {
    endpoint: 'chat/completions', model: 'gpt-4o', request: null, response: kept(cut, Buffer.byteLength(cut) * 2.5)
  }
  t.equal(
    (await estimateUsage(tokenizer, call)).outputTokens, Math.ceil(tokens(cut) * 2.5), 'and what is missing added'
  )
  t.same(await estimate('chat/completions', '', null), textUsage(0, 0))
  const deep = '['.repeat(100_000) + ']'.repeat(100_000)
  t.ok((await estimate('embeddings', `{"input":${deep}}`, null)).inputTokens > 0, 'also one nested too deeply to walk')
})

t.test('a stream of which a part was dropped is counted with that part', async t => {
  const body = answer({ role: 'assistant', content: 'A door to the sea.' })
  const call = {
    endpoint: 'chat/completions', model: 'gpt-4o', request: null, response: kept(body, JSON.stringify(body).length * 3)
  }
  t.equal((await estimateUsage(tokenizer, call)).outputTokens, tokens('A door to the sea.') * 3)
})

const media = Buffer.alloc(3_000_000, 'a picture').toString('base64')

t.test('media of a long body are media, and its text is counted to the letter', async t => {
  const content = [
    { type: 'image_url', image_url: { url: `data:image/png;base64,${media}` } },
    { type: 'text', text: 'What is on it?' }
  ]
  t.equal(
    (await estimate('chat/completions', chat({ role: 'user', content }), null)).inputTokens,
    tokens('user', 'What is on it?') + 765 + 6
  )
  const asText = chat({ role: 'user', content: `![](data:image/png;base64,${media})` })
  t.ok((await estimate('chat/completions', asText, null)).inputTokens > 1_000_000, 'in a text they are text')
})

t.test('samples all over a long text stand for it, whatever it begins with', async t => {
  const [preamble, text] = [' '.repeat(2_000_000), 'All work and no play makes Jack a dull boy. '.repeat(50_000)]
  const { inputTokens } = await estimate('chat/completions', chat({ role: 'user', content: preamble + text }), null)
  const expected = tokens('All work and no play makes Jack a dull boy. '.repeat(1000)) * 50
  t.ok(inputTokens > expected * 0.8 && inputTokens < expected * 1.3, `${inputTokens} of ${expected}`)
})

t.test('no body makes an estimate anything but a whole number of tokens', t => {
  const member = fc.constantFrom(
    'messages',
    'input',
    'prompt',
    'choices',
    'message',
    'content',
    'tool_calls',
    'function',
    'text',
    'output',
    'tools',
    'image_url',
    'type',
    'summary',
    'name'
  )
  const { body } = fc.letrec(tie => ({
    body: fc.dictionary(member, tie('value')),
    value: fc.oneof(
      { maxDepth: 6 },
      fc.constantFrom<unknown>(null, true, 1, -1.5, 'input_image', 'hello', '… [truncated: 0 of 9 bytes kept]'),
      fc.array(tie('value'), { maxLength: 3 }),
      tie('body')
    )
  }))
  fc.assert(fc.property(fc.constantFrom(
    'chat/completions', 'responses', 'completions', 'embeddings', 'other'
  ), body, body, (endpoint, request, response) => {
    const { input, output } = inOneGo(countable(endpoint, kept(request), kept(response)))
    return [input, output].every(side =>
      side.texts.every(text => typeof text === 'string') && Number.isInteger(side.flatTokens) && side.flatTokens >= 0 &&
        side.scale >= 1)
  }))
  t.end()
})

t.test('the model decides the encoding', t => {
  const o200k = [
    'gpt-4o', 'gpt-4o-mini-2024-07-18', 'gpt-4.1-nano', 'gpt-4.5-preview', 'gpt-5', 'o1', 'o3-mini',
    'chatgpt-4o-latest', 'ft:gpt-4o:org::id', 'something-new', ''
  ]
  const cl100k = [
    'gpt-4', 'gpt-4-0613', 'gpt-4-turbo', 'gpt-3.5-turbo-0125', 'gpt-35-turbo', 'text-embedding-3-large',
    'text-embedding-ada-002', 'davinci-002', 'babbage-002', 'davinci:2023-07-21-v2', 'ft:gpt-3.5-turbo:org::id'
  ]
  for (const model of o200k) t.equal(encodingOf(model), 'o200k_base', model)
  for (const model of cl100k) t.equal(encodingOf(model), 'cl100k_base', model)
  t.equal(encodingOf(null), 'o200k_base')
  t.end()
})

const corpus = new URL('../../../shared/corpus/openai-exchanges.jsonl', import.meta.url)
interface Exchange {
  readonly request: { readonly path: string, readonly body: string },
  readonly response: {
    readonly status: number, readonly body: string
  }
}
interface Chat {
  readonly model: string
  readonly usage: {
    readonly prompt_tokens: number
    readonly completion_tokens: number
    readonly completion_tokens_details?: { readonly reasoning_tokens: number }
  }
}

t.test('plain recorded chats are estimated within ten tokens each, and within one in a hundred together', {
  skip: existsSync(corpus) ? false : 'the folder ../shared is absent'
}, async t => {
  const chats = readFileSync(corpus, 'utf8').trim().split('\n').map(line => JSON.parse(line) as Exchange)
    .filter(({ request, response }) =>
      request.path === '/v1/chat/completions' && response.status === 200 && response.body.startsWith('{') &&
      !/"(?:tools|functions|response_format|image_url)"/.test(request.body))
  const errors = await Promise.all(chats.map(async ({ request, response }) => {
    const { model, usage } = JSON.parse(response.body) as Chat
    const estimated = await estimate('chat/completions', request.body, response.body, model)
    return {
      input: estimated.inputTokens - usage.prompt_tokens,
      output: estimated.outputTokens - (usage.completion_tokens - (usage.completion_tokens_details?.reasoning_tokens ??
        0)),
      tokens: usage.prompt_tokens + usage.completion_tokens
    }
  }))
  t.equal(errors.length, 118)
  t.ok(errors.every(({ input, output }) => Math.abs(input) <= 1 && Math.abs(output) <= 10), 'each')
  const [error, total] = errors.reduce(([off, all], one) =>
    [off + Math.abs(one.input) + Math.abs(one.output), all + one.tokens], [0, 0])
  t.ok(error < total / 100, `${error} of ${total}`)
})
