import t from 'tap'
import { createPricing } from '../../src/pricing/pricing.js'
import { type Ceiling, costCeiling } from '../../src/metering/cost-ceiling.js'
import { endpointOf } from '../../src/metering/endpoints.js'
import { modelLimits } from '../../src/metering/model-limits.js'
import type { Tokenizer } from '../../src/metering/tokenizer.js'

/** Counts a token for every four bytes, or does not answer in time. */
const tokenizer = (isLate = false): Tokenizer => ({
  count: (_encoding, texts, otherwise = () => 0) =>
    Promise.resolve(texts.map(text => isLate ? otherwise(text) : Math.ceil(text.length / 4))),
  close: () => Promise.resolve()
})

const pricing = createPricing({
  provider: 'openai',
  prices: [
    {
      model: 'free', effectiveFromMs: 0, input: '0', cachedInput: null, output: '0', audioInput: null, audioOutput: null
    },
    {
      model: 'own',
      effectiveFromMs: 0,
      input: '10',
      cachedInput: '1',
      output: '100',
      audioInput: '40',
      audioOutput: '200'
    }
  ]
})

const told = async (
  path: string,
  body: object | string | null,
  isLate = false,
  unread: string | null = null,
  contentType = 'application/json'
): Promise<Ceiling> => {
  const bytes = body === null ? null : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  return await costCeiling({
    pricing, tokenizer: tokenizer(isLate), now: () => Date.UTC(2026, 10, 23)
  }, endpointOf('POST', `/${path}`), { body: bytes, unread, contentType })
}

const ceiling = async (path: string, body: object | string | null, isLate = false): Promise<bigint> => {
  const picoUsd = await told(path, body, isLate)
  if (typeof picoUsd !== 'bigint') throw new Error(picoUsd.why)
  return picoUsd
}

/** Why there is none. */
const whyNot = async (
  path: string, body: object | string | null, unread: string | null = null
): Promise<string | bigint> => {
  const found = await told(path, body, false, unread)
  return typeof found === 'bigint' ? found : found.why
}

/** Of the operator's own price, in 10⁻¹² USD per token. */
const [INPUT, OUTPUT, AUDIO_INPUT, AUDIO_OUTPUT] = [10_000_000n, 100_000_000n, 40_000_000n, 200_000_000n]
const { contextTokens, outputTokens } = modelLimits('own')
const quarter = (body: object): bigint => BigInt(Math.ceil(JSON.stringify(body).length / 4))

t.test('a chat may cost the tokens of its request and the most that its answer may have', async t => {
  const chat = { model: 'own', messages: [{ role: 'user', content: 'How are you?' }] }
  const limited = { ...chat, max_completion_tokens: 50 }
  t.equal(await ceiling('chat/completions', limited), quarter(limited) * INPUT + 50n * OUTPUT)
  t.equal(
    await ceiling('chat/completions', limited, true),
    BigInt(JSON.stringify(limited).length) * INPUT + 50n * OUTPUT,
    'bytes where the tokenizer does not answer'
  )
  const many = { ...chat, max_tokens: 50, n: 3 }
  t.equal(await ceiling('chat/completions', many), quarter(many) * INPUT + 150n * OUTPUT)
  t.equal(
    await ceiling('chat/completions', chat),
    quarter(chat) * INPUT + BigInt(outputTokens) * OUTPUT,
    'the model\'s own maximum'
  )
  const long = { ...limited, messages: 'word '.repeat(30_000) }
  t.equal(
    await ceiling('chat/completions', long),
    BigInt(JSON.stringify(long).length) * INPUT + 50n * OUTPUT,
    'a text too long to be counted whole'
  )
  const longer = { ...limited, messages: 'x'.repeat(2_000_000) }
  t.equal(
    await ceiling('chat/completions', longer),
    BigInt(contextTokens) * AUDIO_INPUT + 50n * AUDIO_OUTPUT,
    'none has more than the model takes, of whatever kind'
  )
  t.equal(await ceiling('embeddings', { model: 'own', input: 'x'.repeat(2_000_000) }), BigInt(contextTokens) * INPUT)
})

t.test('other endpoints have limits of their own', async t => {
  const response = { model: 'own', input: 'hi', max_output_tokens: 7 }
  t.equal(await ceiling('responses', response), quarter(response) * INPUT + 7n * OUTPUT)
  const completion = { model: 'own', prompt: ['a', 'b', 'c'], best_of: 2 }
  t.equal(await ceiling('completions', completion), quarter(completion) * INPUT + BigInt(16 * 2 * 3) * OUTPUT)
  const tokens = { model: 'own', prompt: [1, 2, 3], max_tokens: 1 }
  t.equal(await ceiling('completions', tokens), quarter(tokens) * INPUT + OUTPUT)
  const embedding = { model: 'own', input: ['a', 'b'] }
  t.equal(await ceiling('embeddings', embedding), quarter(embedding) * INPUT)
})

t.test('what costs more than its text may cost all that the model takes, at its dearest rate', async t => {
  const part = (content: object): object => ({
    model: 'own', messages: [{ role: 'user', content: [content] }], max_completion_tokens: 1
  })
  const all = BigInt(contextTokens) * AUDIO_INPUT + AUDIO_OUTPUT
  const cases: Array<[string, object]> = [
    ['chat/completions', part({ type: 'image_url', image_url: { url: 'https://example.com/a.png' } })],
    ['chat/completions', part({ type: 'input_audio', input_audio: { data: '', format: 'wav' } })],
    ['chat/completions', part({ type: 'file', file: { file_id: 'file-1' } })],
    ['chat/completions', { ...part({ type: 'text', text: '' }), modalities: ['text', 'audio'] }],
    ['responses', { model: 'own', input: 'hi', max_output_tokens: 1, previous_response_id: 'resp_1' }],
    ['responses', { model: 'own', prompt: { id: 'pmpt_1' }, max_output_tokens: 1 }],
    ['responses', { model: 'own', input: 'hi', tools: [{ type: 'web_search_preview' }], max_output_tokens: 1 }]
  ]
  for (const [path, body] of cases) t.equal(await ceiling(path, body), all, JSON.stringify(body))
  const hidden = JSON.stringify(part({ type: 'image_url', image_url: { url: 'https://example.com/a.png' } }))
    .replace('image_url', 'image\\u005furl')
  t.equal(await ceiling('chat/completions', hidden), all, 'in escapes too')
  const none = { model: 'own', input: 'an "image_url"', previous_response_id: null, max_output_tokens: 1 }
  t.equal(await ceiling('responses', none), quarter(none) * INPUT + OUTPUT)
})

t.test('the dearest tier that may serve it is reckoned with, and a long context\'s rates', async t => {
  const chat = { model: 'gpt-4.1', messages: [], max_tokens: 1_000_000 }
  const usd = async (body: object): Promise<number> => Number(await ceiling('chat/completions', body)) / 1e12
  const close = (value: number, expected: number): boolean => Math.abs(value - expected) < 0.01
  t.ok(close(await usd({ ...chat, service_tier: 'default' }), 8))
  t.ok(close(await usd({ ...chat, service_tier: 'priority' }), 14))
  t.ok(close(await usd(chat), 14), 'the project may be set to it')
  const long = { model: 'gpt-5.6-terra', messages: 'x'.repeat(280_000), max_tokens: 1_000_000, service_tier: 'default' }
  t.ok(await usd(long) > 18, 'above 272,000 tokens')
})

t.test('a model without a price has no ceiling, and one that is free has one of 0', async t => {
  for (const path of ['chat/completions', 'responses', 'embeddings', 'not/known']) {
    const told = await whyNot(path, { model: 'nobody-knows', messages: [], input: 'x' })
    t.equal(told, "the model 'nobody-knows' has no price", path)
    t.equal(await ceiling(path, { model: 'free', messages: [], input: 'x' }), 0n, path)
  }
  t.equal(
    await ceiling('moderations', { model: 'nobody-knows', input: 'x' }),
    0n,
    'a free route costs nothing, whatever its model'
  )
  t.match(await whyNot('responses', { model: 'x'.repeat(50_000) }), /^the model 'x{128}…' has no price$/)
})

t.test('a body whose Content-Type names another charset is not read as the upstream reads it', async t => {
  const body = { model: 'own', messages: [], max_tokens: 1 }
  for (const type of ['', 'application/json', 'application/json; charset=utf-8', 'application/json;charset="utf8"', 'text/plain; charset=us-ascii; x=1', 'application/json; charset=', 'application/json; x-charset=utf-16']) {
    t.type(await told('chat/completions', body, false, null, type), 'bigint', type)
  }
  for (const type of ['application/json; charset=utf-16', 'application/json;charset="utf-16le"', 'application/json; charset = utf-7', 'application/json; charset=utf-8; charset=utf-32', 'application/json; charset=iso-8859-1', 'application/json, text/x;charset=ibm037']) {
    t.match(await told('chat/completions', body, false, null, type), { why: /other than UTF-8: '/ }, type)
  }
  t.type(await told('chat/completions', `\ufeff${JSON.stringify(body)}`), 'bigint', 'a byte order mark')
})

t.test('a request to a path that is not known may cost what a chat does, and its tokens may be audio or images', async t => {
  const body = { model: 'own', input: 'x' }
  const [input, output] = [quarter(body), BigInt(outputTokens)]
  t.equal(await ceiling('audio/speech', body), input * AUDIO_INPUT + output * AUDIO_OUTPUT)
  t.equal(
    await ceiling('Responses/compact/', body),
    await ceiling('responses/compact', body),
    'a known one, spelled otherwise'
  )
  t.equal(await ceiling('responses/compact', body), input * INPUT + output * OUTPUT)
  t.equal(await ceiling('uploads', body), 0n)
})

t.test('what cannot be read, or not in one way, has no ceiling', async t => {
  for (const path of ['chat/completions', 'completions', 'responses', 'embeddings']) {
    t.match(await whyNot(path, 'not JSON'), /JSON/)
    t.match(await whyNot(path, null), /no body/)
    t.equal(await whyNot(path, null, 'it was sealed'), 'it was sealed')
    for (const model of [undefined, null, 7, ['own'], { name: 'own' }]) {
      t.match(
        await whyNot(path, { model, messages: [] }), /names no model/, JSON.stringify(model)
      )
    }
    t.match(await whyNot(path, `{"model":"${'x'.repeat(100_000)}"}`), /names no model/)
    t.match(await whyNot(path, '{"model":"nobody-knows","model":"own"}'), /twice/)
    t.match(await whyNot(path, '{"Model":"nobody-knows","model":"own"}'), /case/)
    t.match(await whyNot(path, Buffer.from('{"model":"own"}', 'utf16le').toString('latin1')), /JSON/)
  }
  t.match(await whyNot('chat/completions', '{"model":"own","max_tokens":1,"max_tokens":100000}'), /twice/)
})

t.test('a limit that is no number limits nothing, and one that servers read as a number is not read here', async t => {
  const chat = { model: 'own', messages: [] }
  for (const name of ['n', 'max_tokens', 'max_completion_tokens', 'max_output_tokens', 'best_of']) {
    for (const value of ['128', true, [3], {}]) {
      t.match(
        await whyNot('chat/completions', { ...chat, max_tokens: 1, [name]: value }),
        new RegExp(`'${name}'`),
        JSON.stringify(value)
      )
    }
  }
  const limited = { ...chat, max_tokens: 1, n: null }
  t.equal(await ceiling('chat/completions', limited), quarter(limited) * INPUT + OUTPUT)
  for (const max of [0, -1, -0.5]) {
    const unlimited = { ...chat, max_completion_tokens: max }
    t.equal(await ceiling('chat/completions', unlimited), quarter(unlimited) * INPUT +
      BigInt(outputTokens) * OUTPUT, `${max}`)
    const completion = { model: 'own', prompt: 'a', max_tokens: max }
    t.equal(await ceiling('completions', completion), quarter(completion) * INPUT +
      BigInt(outputTokens) * OUTPUT, `a completion of ${max}`)
  }
  t.equal(
    await ceiling('chat/completions', '{"model":"own","max_tokens":1e999}'),
    BigInt(Math.ceil('{"model":"own","max_tokens":1e999}'.length / 4)) * INPUT + 1_000_000_000n * OUTPUT
  )
  const many = '{"model":"own","\\u006e":1e9,"max_tokens":1e9}'
  t.ok(await ceiling('chat/completions', many) >= 1_000_000_000n * OUTPUT)
})

t.test('a completion has an answer for each of its prompts, however long they are', async t => {
  const prompts = Array.from({ length: 300_000 }, () => 'a "b", c')
  const body = { model: 'own', prompt: prompts, max_tokens: 2 }
  t.equal(await ceiling('completions', body), BigInt(contextTokens) * AUDIO_INPUT + 600_000n * AUDIO_OUTPUT)
  const tokens = { model: 'own', prompt: Array<number>(800_000).fill(5), max_tokens: 2 }
  t.equal(await ceiling('completions', tokens), BigInt(contextTokens) * AUDIO_INPUT + 2n * AUDIO_OUTPUT)
})

t.test('snapshots and fine-tuned models have their family\'s limits', t => {
  t.equal(modelLimits('gpt-4o-mini-2024-07-18').contextTokens, 128_000)
  t.equal(modelLimits('ft:gpt-4o-mini-2024-07-18:org::id').contextTokens, 128_000)
  t.equal(modelLimits('gpt-4-0613').contextTokens, 32_768)
  t.equal(modelLimits('gpt-4.1-nano').outputTokens, 32_768)
  t.equal(modelLimits('gpt-5-mini').contextTokens, 400_000)
  t.equal(modelLimits('gpt-5.4').contextTokens, 1_050_000)
  t.equal(modelLimits('o3-mini').outputTokens, 100_000)
  t.end()
})
