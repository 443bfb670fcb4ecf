import { existsSync, readFileSync } from 'node:fs'
import { calcPrice } from '@pydantic/genai-prices'
import fc from 'fast-check'
import t from 'tap'
import { createPricing, type PricedCall } from '../../src/pricing/pricing.js'
import { textUsage, type TokenUsage } from '../../src/pricing/token-usage.js'
import { parseUsage } from '../../src/metering/parse-usage.js'

const NOW = Date.parse('2026-11-22T12:00:00Z')
const MILLION = 1_000_000n
const pricing = createPricing({ provider: 'openai' })

function cost (model: string | null, usage: Partial<TokenUsage>, call: Partial<PricedCall> = {}): bigint | null {
  const { costPicoUsd } = pricing.price({
    responseModel: model, requestModel: null, serviceTier: null, usage: { ...textUsage(0, 0), ...usage }, atMs: NOW, ...call
  })
  return costPicoUsd
}

/** Pico-USD for that many tokens at a price in USD per million, reckoned from the price's decimal text. */
function at (tokens: number, usdPerMillion: number): bigint {
  const [whole = '0', fraction = ''] = usdPerMillion.toFixed(6).split('.')
  return BigInt(tokens) * (BigInt(whole) * MILLION + BigInt(fraction))
}

t.test('text is billed at input and output rates, exactly', t => {
  t.equal(cost('gpt-4o-mini', { inputTokens: 1_000, outputTokens: 100 }), 210_000_000n)
  t.equal(cost('gpt-4o-mini', {}), 0n)
  t.equal(cost('text-embedding-ada-002-v2', { inputTokens: 3 }), 300_000n)
  t.end()
})

t.test('cached input is billed at its rate instead of the input rate', t => {
  t.equal(cost('gpt-4o', { inputTokens: 1_000, cachedInputTokens: 600 }), at(400, 2.5) + at(600, 1.25))
  t.equal(cost('o1-pro', { inputTokens: 1_000, cachedInputTokens: 600 }), at(1_000, 150), 'the input rate where none is known')
  t.equal(cost('gpt-5.4-pro', { inputTokens: 10, cachedInputTokens: 6 }, { serviceTier: 'flex' }), at(10, 15), 'nor in this tier')
  t.end()
})

t.test('cache writes have a rate of their own', t => {
  t.equal(cost('gpt-5.6-luna', { inputTokens: 100, cachedInputTokens: 50, cacheWriteInputTokens: 30 }), at(20, 0.2) + at(50, 0.02) + at(30, 0.25))
  t.equal(cost('gpt-4o', { inputTokens: 100, cacheWriteInputTokens: 30 }), at(100, 2.5))
  t.end()
})

t.test('reasoning is billed as the output it is part of', t => {
  t.equal(cost('o4-mini', { outputTokens: 500, reasoningTokens: 448 }), at(500, 4.4))
  t.end()
})

t.test('audio is billed at audio rates, and the rest at text rates', t => {
  t.equal(cost('gpt-4o-audio-preview', { inputTokens: 100, audioInputTokens: 60, outputTokens: 50, audioOutputTokens: 30 }),
    at(40, 2.5) + at(60, 40) + at(20, 10) + at(30, 80))
  t.equal(cost('gpt-realtime-1.5', { inputTokens: 100, cachedInputTokens: 30, audioInputTokens: 60, cachedAudioInputTokens: 20 }),
    at(30, 4) + at(10, 0.4) + at(40, 32) + at(20, 0.4), 'cached text, and cached audio')
  t.equal(cost('gpt-audio', { inputTokens: 100, cachedInputTokens: 100, audioInputTokens: 40, cachedAudioInputTokens: 40 }),
    at(60, 2.5) + at(40, 32), 'cached audio without a rate is audio')
  t.equal(cost('gpt-4o', { inputTokens: 10, audioInputTokens: 4 }), at(10, 2.5), 'a model without audio rates')
  t.end()
})

t.test('image tokens are billed at image rates', t => {
  t.equal(cost('gpt-image-1.5', { inputTokens: 100, imageInputTokens: 60, cachedInputTokens: 20, cachedImageInputTokens: 20, outputTokens: 50, imageOutputTokens: 45 }),
    at(40, 5) + at(40, 8) + at(20, 2) + at(5, 10) + at(45, 32))
  t.end()
})

t.test('the tier that served the call decides', t => {
  const usage = { inputTokens: 100, cachedInputTokens: 40, outputTokens: 10 }
  for (const serviceTier of [null, 'default', 'standard', 'auto', 'scale', 'constructor']) {
    t.equal(cost('gpt-5', usage, { serviceTier }), at(60, 1.25) + at(40, 0.125) + at(10, 10), String(serviceTier))
  }
  t.equal(cost('gpt-5-2025-08-07', usage, { serviceTier: 'priority' }), at(60, 2.5) + at(40, 0.25) + at(10, 20))
  t.equal(cost('o4-mini', usage, { serviceTier: 'flex' }), at(60, 0.55) + at(40, 0.1375) + at(10, 2.2))
  t.equal(cost('gpt-4.1', usage, { serviceTier: 'batch' }), at(100, 1) + at(10, 4), 'cached input is no cheaper in a batch')
  t.equal(cost('gpt-4', usage, { serviceTier: 'flex' }), at(100, 30) + at(10, 60), 'a tier without rates is standard')
  t.end()
})

t.test('input longer than 272,000 tokens moves the whole call to the long-context rates', t => {
  t.equal(cost('gpt-5.4', { inputTokens: 272_000, outputTokens: 10 }), at(272_000, 2.5) + at(10, 15))
  t.equal(cost('gpt-5.4', { inputTokens: 272_001, outputTokens: 10 }), at(272_001, 5) + at(10, 22.5))
  t.equal(cost('gpt-5.4', { inputTokens: 272_001, outputTokens: 10 }, { serviceTier: 'flex' }), at(272_001, 2.5) + at(10, 11.25))
  t.equal(cost('gpt-5.4', { inputTokens: 272_001, outputTokens: 10 }, { serviceTier: 'priority' }), at(272_001, 5) + at(10, 22.5),
    'a tier without long-context rates: the standard ones')
  t.equal(cost('gpt-4.1', { inputTokens: 500_000 }), at(500_000, 2), 'a model without them')
  t.equal(cost('gpt-6-sol', { inputTokens: 272_001, cachedInputTokens: 1, outputTokens: 10 }), at(272_000, 4) + at(1, 0.4) + at(10, 15), 'and where only the package knows them')
  t.equal(cost('gpt-6-sol', { inputTokens: 272_000, outputTokens: 10 }), at(272_000, 2) + at(10, 10))
  t.end()
})

t.test('a dated snapshot that no table has costs what its family does', t => {
  t.equal(cost('gpt-4o-2029-01-31', { inputTokens: 10, outputTokens: 10 }), at(10, 2.5) + at(10, 10))
  t.equal(cost('gpt-4-0913', { inputTokens: 10 }), at(10, 30))
  t.equal(cost('gpt-4o-2024-05-13', { inputTokens: 10 }), at(10, 5), 'one that has a price of its own keeps it')
  t.equal(cost('gpt-3.5-turbo-0301', { inputTokens: 10 }), at(10, 1.5), 'also where only the package knows it')
  t.end()
})

t.test('a fine-tuned model is priced as fine-tuned or not at all', t => {
  const usage = { inputTokens: 100, cachedInputTokens: 40, outputTokens: 10 }
  t.equal(cost('ft:gpt-4o-mini-2024-07-18:my-org::Abc123', usage), at(60, 0.3) + at(40, 0.15) + at(10, 1.2))
  t.equal(cost('ft:gpt-4o-2024-11-20:my-org:name:id:ckpt-step-90', usage), at(60, 3.75) + at(40, 1.875) + at(10, 15))
  t.equal(cost('gpt-4o-mini-2024-07-18.ft-0e208cf33a6a466994aff31a08aba678', usage), at(60, 0.3) + at(40, 0.15) + at(10, 1.2))
  t.equal(cost('ft:davinci-002:my-org::id', usage), null)
  t.equal(cost('ft:gpt-4-0613:my-org::id', usage), null)
  t.end()
})

t.test('a model that nobody knows costs null with a reason, never zero', t => {
  for (const model of ['gpt-4o-nonsense-model', 'gpt-5-nano-nonsense', 'gpt-4o-audio-preview-x', 'nonsense', '', 'constructor', '__proto__', 'ft:', 'gpt-4o ', 'x'.repeat(100_000),
    'davinci:2023-07-21-v2', 'whisper-1', 'gpt-transcribe']) {
    t.same(pricing.price({ responseModel: model, requestModel: null, serviceTier: null, usage: textUsage(1, 1), atMs: NOW }),
      { costPicoUsd: null, costReason: 'unknown_model' }, model.slice(0, 40))
  }
  t.same(pricing.price({ responseModel: null, requestModel: null, serviceTier: null, usage: textUsage(1, 1), atMs: NOW }),
    { costPicoUsd: null, costReason: 'unknown_model' })
  t.end()
})

t.test('the response\'s model is priced, and the requested one where nobody knows it', t => {
  t.equal(cost('gpt-4o', { inputTokens: 10 }, { requestModel: 'gpt-4' }), at(10, 2.5))
  t.equal(cost('davinci:2023-07-21-v2', { inputTokens: 10 }, { requestModel: 'davinci-002' }), at(10, 2))
  t.equal(cost(null, { inputTokens: 10 }, { requestModel: 'gpt-4' }), at(10, 30))
  t.end()
})

t.test('moderation is free, and known to be', t => {
  t.equal(cost('omni-moderation-latest', { inputTokens: 10 }), 0n)
  t.equal(cost('text-moderation-007', { inputTokens: 10 }), 0n)
  t.end()
})

t.test('a call is billed at the price of its time', t => {
  const inputTokens = 1_000
  t.equal(cost('o3', { inputTokens }, { atMs: Date.parse('2025-06-09T23:59:59Z') }), at(inputTokens, 10))
  t.equal(cost('o3', { inputTokens }, { atMs: Date.parse('2025-06-10T00:00:00Z') }), at(inputTokens, 2))
  t.equal(cost('o3-2025-04-16', { inputTokens }, { atMs: Date.parse('2025-05-01T00:00:00Z') }), at(inputTokens, 10))
  t.equal(cost('gpt-5.6-luna-2026-07-09', { inputTokens }, { atMs: Date.parse('2026-07-20T00:00:00Z') }), at(inputTokens, 1))
  t.equal(cost('gpt-5.6-luna-2026-07-09', { inputTokens }, { atMs: NOW }), at(inputTokens, 0.2))
  t.end()
})

t.test('another provider\'s models are priced from that provider\'s data only', t => {
  const call = { requestModel: null, serviceTier: 'flex', usage: textUsage(1_000_000, 0), atMs: NOW }
  const groq = createPricing({ provider: 'groq' })
  const model = 'llama-3.3-70b-versatile'
  t.equal(groq.price({ ...call, responseModel: model }).costPicoUsd, BigInt(Math.round((calcPrice({ input_tokens: 1_000_000 }, model, { providerId: 'groq' })?.total_price ?? NaN) * 1e12)))
  t.equal(groq.price({ ...call, responseModel: 'gpt-4o' }).costPicoUsd, null)
  for (const provider of ['nobody', '', 'OpenAI compatible']) {
    t.same(createPricing({ provider }).price({ ...call, responseModel: 'gpt-4o' }), { costPicoUsd: null, costReason: 'unknown_model' }, provider)
  }
  t.end()
})

t.test('a flood of made-up models leaves the prices of real ones right', t => {
  const floods = Array.from({ length: 3_000 }, (_, i) => cost(`made-up-${i}`, { inputTokens: 1 }))
  t.ok(floods.every(picoUsd => picoUsd === null))
  t.equal(cost('gpt-4o', { inputTokens: 1 }), at(1, 2.5))
  t.end()
})

t.test('the cost of any usage is the sum of its kinds, to the last digit', t => {
  const n = fc.nat({ max: 90_000_000 })
  const kinds = fc.record({ text: n, cachedText: n, write: n, audio: n, cachedAudio: n, image: n, cachedImage: n, out: n, audioOut: n, imageOut: n })
  fc.assert(fc.property(kinds, k => {
    const input = k.text + k.cachedText + k.write + k.audio + k.cachedAudio + k.image + k.cachedImage
    const usage: TokenUsage = {
      inputTokens: input,
      cachedInputTokens: k.cachedText + k.cachedAudio + k.cachedImage,
      cacheWriteInputTokens: k.write,
      audioInputTokens: k.audio + k.cachedAudio,
      cachedAudioInputTokens: k.cachedAudio,
      imageInputTokens: k.image + k.cachedImage,
      cachedImageInputTokens: k.cachedImage,
      outputTokens: k.out + k.audioOut + k.imageOut,
      reasoningTokens: k.out,
      audioOutputTokens: k.audioOut,
      imageOutputTokens: k.imageOut
    }
    return cost('gpt-realtime-mini-2025-12-15', usage) === at(k.text + k.write, 0.6) + at(k.cachedText, 0.06) + at(k.audio, 10) + at(k.cachedAudio, 0.3) +
      at(k.image + k.cachedImage, 0.8) + at(k.out + k.imageOut, 2.4) + at(k.audioOut, 20)
  }))
  t.end()
})

const shared = new URL('../../../shared/', import.meta.url)
const missing = existsSync(shared) ? false : 'the folder ../shared is absent'
type PriceTable = Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, number>>>>>>

function readPrices (): PriceTable {
  return (JSON.parse(readFileSync(new URL('prices/openai.json', shared), 'utf8')) as { models: PriceTable }).models
}

t.test('every rate of the shared price table is today\'s rate', { skip: missing }, t => {
  const kindsOf: Readonly<Record<string, ReadonlyArray<keyof TokenUsage>>> = {
    input: ['inputTokens'],
    cached_input: ['inputTokens', 'cachedInputTokens'],
    cache_write: ['inputTokens', 'cacheWriteInputTokens'],
    audio_input: ['inputTokens', 'audioInputTokens'],
    cached_audio_input: ['inputTokens', 'cachedInputTokens', 'audioInputTokens', 'cachedAudioInputTokens'],
    image_input: ['inputTokens', 'imageInputTokens'],
    cached_image_input: ['inputTokens', 'cachedInputTokens', 'imageInputTokens', 'cachedImageInputTokens'],
    output: ['outputTokens'],
    audio_output: ['outputTokens', 'audioOutputTokens'],
    image_output: ['outputTokens', 'imageOutputTokens']
  }
  for (const [model, tiers] of Object.entries(readPrices())) {
    for (const [tierName, rates] of Object.entries(tiers).filter(([name]) => name !== 'sources')) {
      const tier = tierName.replace('_above_272k', '')
      const long = tierName !== tier
      for (const [rate, usd] of Object.entries(rates)) {
        const tokens = long ? 300_000 : 100_000
        const usage: Partial<TokenUsage> = Object.fromEntries((kindsOf[rate] ?? []).map(kind => [kind, tokens]))
        // An output rate shows its band only beside a long input.
        const beside = long && usage.inputTokens === undefined ? { inputTokens: tokens } : {}
        const expected = at(tokens, usd) + at(beside.inputTokens ?? 0, rates['input'] ?? 0)
        t.equal(cost(model, { ...usage, ...beside }, { serviceTier: tier }), expected, `${model} ${tierName} ${rate}`)
      }
    }
  }
  t.end()
})

interface Exchange {
  readonly id: string
  readonly request: { readonly method: string, readonly path: string, readonly body: string | null }
  readonly response: { readonly status: number, readonly body: string }
}
interface Answer { readonly model?: string, readonly service_tier?: string | null, readonly usage?: Readonly<Record<string, unknown>> | null }

/** The object, or the last event of a stream, that carries usage. */
function answerWithUsage (body: string): Answer | undefined {
  const texts = body.startsWith('{') ? [body] : body.split('\n').filter(line => line.startsWith('data: {')).map(line => line.slice(6))
  const answers = texts.map(text => JSON.parse(text) as Answer & { response?: Answer }).map(event => event.response ?? event)
  return answers.findLast(answer => typeof answer.usage === 'object' && answer.usage !== null)
}

t.test('each metered recorded exchange costs what an independent sum over the shared table says', { skip: missing }, t => {
  const prices = readPrices()
  const exchanges = readFileSync(new URL('corpus/openai-exchanges.jsonl', shared), 'utf8').trim().split('\n').map(line => JSON.parse(line) as Exchange)
  let priced = 0
  for (const { id, request, response } of exchanges) {
    if (request.method !== 'POST' || !/^\/v1\/(?:chat\/completions|completions|responses|embeddings)$/.test(request.path)) continue
    const answer = answerWithUsage(response.body)
    if (answer === undefined) continue
    const { model: requestModel } = JSON.parse(request.body ?? '{}') as { model: string }
    const table = prices[answer.model ?? ''] ?? prices[requestModel]
    const tier = answer.service_tier === 'priority' || answer.service_tier === 'flex' ? answer.service_tier : 'standard'
    const rates = table?.[tier] ?? table?.['standard'] ?? {}
    const usage = (answer.usage ?? {}) as Record<string, number | undefined> & Record<`${string}_details`, Record<string, number> | undefined>
    const input = usage['prompt_tokens'] ?? usage['input_tokens'] ?? 0
    const output = usage['completion_tokens'] ?? usage['output_tokens'] ?? 0
    const cached = usage.prompt_tokens_details?.['cached_tokens'] ?? usage.input_tokens_details?.['cached_tokens'] ?? 0
    const expected = at(input - cached, rates['input'] ?? NaN) + at(cached, rates['cached_input'] ?? rates['input'] ?? NaN) + at(output, rates['output'] ?? NaN)
    const parsed = parseUsage(answer.usage)
    if (parsed === null) { t.fail(`${id} has no usage`); continue }
    t.equal(parsed.inputTokens + parsed.outputTokens, usage['total_tokens'])
    t.same(pricing.price({ responseModel: answer.model ?? null, requestModel, serviceTier: answer.service_tier ?? null, usage: parsed, atMs: NOW }),
      { costPicoUsd: expected, costReason: null }, `${id} ${requestModel}`)
    priced++
  }
  t.equal(priced, 313)
  t.end()
})
