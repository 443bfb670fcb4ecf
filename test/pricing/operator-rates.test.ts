import fc from 'fast-check'
import t from 'tap'
import type { OperatorPrice } from '../../src/lib/operator-price.js'
import { createPricing, type OperatedPricing, type PricedCall } from '../../src/pricing/pricing.js'
import { textUsage, type TokenUsage, usageDetails, withUsageDetails } from '../../src/pricing/token-usage.js'

const NOW = Date.parse('2026-11-22T12:00:00Z')

/** One dollar in, two dollars out, from the epoch on. */
const price = (model: string, fields: Partial<OperatorPrice> = {}): OperatorPrice =>
  ({
    model,
    effectiveFromMs: 0,
    input: '1',
    cachedInput: null,
    output: '2',
    audioInput: null,
    audioOutput: null,
    ...fields
  })

const pricing = (...prices: OperatorPrice[]): OperatedPricing => createPricing({ provider: 'openai', prices })

function cost (
  by: OperatedPricing,
  model: string | null,
  usage: Partial<TokenUsage> = { inputTokens: 1 },
  call: Partial<PricedCall> = {}
): bigint | null {
  return by.price({
    responseModel: model,
    requestModel: null,
    serviceTier: null,
    usage: {
      ...textUsage(0, 0), ...usage
    },
    atMs: NOW,
    ...call
  }).costPicoUsd
}

/** What one input token costs, in USD per million: by it a test tells which price was taken. */
const inputRate = (by: OperatedPricing, model: string | null, call: Partial<PricedCall> = {}): number =>
  Number(cost(by, model, { inputTokens: 1 }, call)) / 1e6

t.test('an operator\'s price wins over the built-in table, and gives a model one that nobody knows', t => {
  const by = pricing(price('gpt-4o'), price('our-own'))
  t.equal(inputRate(by, 'gpt-4o'), 1)
  t.equal(inputRate(by, 'our-own'), 1)
  t.equal(inputRate(by, 'gpt-4'), 30)
  t.equal(cost(by, 'other'), null)
  t.equal(
    inputRate(createPricing({ provider: 'nobody', prices: [price('our-own')] }), 'our-own'),
    1,
    'of a provider without a table too'
  )
  t.end()
})

t.test('it holds from its date on, to the millisecond, until the next one does; before it the built-in price', t => {
  const from = Date.parse('2028-02-29T00:00:00.250Z')
  const next = Date.parse('2028-03-01T00:00:00Z')
  const by = pricing(
    price('gpt-4o', { effectiveFromMs: next, input: '3' }), price('gpt-4o', { effectiveFromMs: from, input: '1' })
  )
  for (const [atMs, rate] of [
    [from - 1, 2.5], [from, 1], [next - 1, 1], [next, 3], [next + 1e12, 3], [from - 1, 2.5]
  ] as const) {
    t.equal(inputRate(by, 'gpt-4o', { atMs }), rate, new Date(atMs).toISOString())
  }
  t.end()
})

t.test('a family\'s price is that of its dated snapshots, unless they have one of their own', t => {
  const by = pricing(
    price('gpt-4o', { input: '1' }),
    price('gpt-4o-2024-05-13', { input: '4' }),
    price('gpt-4o-2024-08-06', { input: '5', effectiveFromMs: NOW + 1 })
  )
  t.equal(inputRate(by, 'gpt-4o-2024-11-20'), 1, 'although the built-in table lists the snapshot')
  t.equal(inputRate(by, 'gpt-4o-2024-05-13'), 4)
  t.equal(inputRate(by, 'gpt-4o-2024-08-06'), 1, 'one to come is none yet')
  t.equal(inputRate(by, 'gpt-4o-2024-08-06', { atMs: NOW + 1 }), 5)
  t.equal(inputRate(by, 'gpt-4o-mini'), 0.15, 'another model')
  t.equal(inputRate(pricing(price('gpt-4o-2024-08-06')), 'gpt-4o'), 2.5, 'a snapshot\'s price is not its family\'s')
  t.end()
})

t.test('a fine-tuned model goes by its own name, then by what it is tuned from, never by the plain model', t => {
  const model = 'ft:gpt-4o-2024-08-06:org:name:id'
  t.equal(inputRate(pricing(price('gpt-4o'), price('gpt-4o-2024-08-06')), model), 3.75)
  t.equal(inputRate(pricing(price('ft:gpt-4o')), model), 1)
  t.equal(inputRate(pricing(price('ft:gpt-4o'), price('ft:gpt-4o-2024-08-06', { input: '7' })), model), 7)
  t.equal(inputRate(pricing(price('ft:gpt-4o-2024-08-06', { input: '7' }), price(model, { input: '8' })), model), 8)
  t.equal(inputRate(pricing(price('ft:gpt-4o')), 'gpt-4o-2024-08-06.ft-0e208cf33a6a466994aff31a08aba678'), 1)
  t.end()
})

t.test('the response\'s model decides before the requested one does, whoever has the price', t => {
  const by = pricing(price('alias'), price('gpt-4', { input: '9' }))
  t.equal(inputRate(by, 'gpt-4o', { requestModel: 'alias' }), 2.5, 'built-in, but of the response')
  t.equal(inputRate(by, 'gpt-4-0613', { requestModel: 'alias' }), 9)
  t.equal(inputRate(by, 'davinci:2023-07-21-v2', { requestModel: 'alias' }), 1, 'nobody knows the response\'s')
  t.equal(inputRate(by, null, { requestModel: 'alias' }), 1)
  t.end()
})

t.test('what has no price of its own is billed as what it is part of', t => {
  const usage = {
    inputTokens: 100,
    cachedInputTokens: 40,
    audioInputTokens: 30,
    cachedAudioInputTokens: 10,
    cacheWriteInputTokens: 5,
    imageInputTokens: 7,
    outputTokens: 20,
    audioOutputTokens: 8
  }
  const plain = price('m', { input: '1', output: '100' })
  t.equal(cost(pricing(plain), 'm', usage), 100_000_000n + 2_000_000_000n)
  t.equal(cost(pricing({ ...plain, cachedInput: '0.25' }), 'm', usage), 60_000_000n + 10_000_000n + 2_000_000_000n)
  t.equal(cost(pricing({ ...plain, audioInput: '2', audioOutput: '200', cachedInput: '0.25' }), 'm', usage),
    40_000_000n + 7_500_000n + 60_000_000n + 1_200_000_000n + 1_600_000_000n, 'cached audio is audio')
  t.equal(
    cost(pricing({ ...plain, input: '0', cachedInput: '0.000001' }), 'm', { inputTokens: 3, cachedInputTokens: 2 }),
    2n,
    'six decimals, and free input'
  )
  t.end()
})

t.test('it holds for every service tier, and for long contexts', t => {
  const by = pricing(price('gpt-5.4'))
  for (const serviceTier of ['flex', 'priority', 'batch', 'default']) {
    t.equal(
      inputRate(by, 'gpt-5.4', { serviceTier }), 1, serviceTier
    )
  }
  t.equal(cost(by, 'gpt-5.4', { inputTokens: 300_000 }), 300_000_000_000n)
  t.end()
})

t.test('changed prices hold for the next call, whatever was remembered of the old ones', t => {
  const by = pricing()
  t.equal(inputRate(by, 'gpt-4o'), 2.5)
  t.equal(cost(by, 'our-own'), null)
  by.use([price('gpt-4o'), price('our-own')])
  t.equal(inputRate(by, 'gpt-4o'), 1)
  t.equal(inputRate(by, 'our-own'), 1)
  by.use([price('our-own', { input: '6' })])
  t.equal(inputRate(by, 'gpt-4o'), 2.5)
  t.equal(inputRate(by, 'our-own'), 6)
  t.end()
})

t.test('a model\'s name may be anything, and thousands of others come in between', t => {
  const names = ['org/model:free', 'ft:gpt-4o:org::id', '__proto__', 'constructor', 'ä ß', 'x'.repeat(256)]
  const by = pricing(...names.map(name => price(name)))
  t.same(Array.from({ length: 5000 }, (_, i) => cost(by, `unknown-${i}`)).filter(cost => cost !== null), [])
  for (const name of names) t.equal(inputRate(by, name), 1, name)
  t.equal(cost(by, 'x'.repeat(257)), null)
  t.end()
})

t.test('the counts that no column holds come back from their text as they went in', t => {
  t.equal(usageDetails(textUsage(100, 10)), null)
  t.equal(usageDetails({ ...textUsage(100, 10), cachedInputTokens: 3, reasoningTokens: 4 }), null, 'these have columns')
  t.equal(
    usageDetails({ ...textUsage(100, 10), audioInputTokens: 3, imageOutputTokens: 4 }),
    '{"audioInputTokens":3,"imageOutputTokens":4}'
  )
  const count = fc.nat(1_000_000_000)
  const details = fc.record({
    cacheWriteInputTokens: count,
    audioInputTokens: count,
    cachedAudioInputTokens: count,
    imageInputTokens: count,
    cachedImageInputTokens: count,
    audioOutputTokens: count,
    imageOutputTokens: count
  })
  fc.assert(fc.property(details, details => {
    const usage = { ...textUsage(5, 6), ...details }
    t.same(withUsageDetails(textUsage(5, 6), usageDetails(usage)), usage)
  }), { numRuns: 50 })
  t.end()
})
