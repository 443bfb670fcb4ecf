import fc from 'fast-check'
import t from 'tap'
import { textUsage } from '../../src/pricing/token-usage.js'
import { parseUsage } from '../../src/metering/parse-usage.js'

t.test('a chat completion\'s usage is read with its details', t => {
  t.same(parseUsage({
    prompt_tokens: 1000,
    completion_tokens: 300,
    total_tokens: 1300,
    prompt_tokens_details: { cached_tokens: 400, audio_tokens: 100, image_tokens: 50, cache_write_tokens: 20 },
    completion_tokens_details: {
      reasoning_tokens: 64, audio_tokens: 30, accepted_prediction_tokens: 5, rejected_prediction_tokens: 1
    }
  }), {
    ...textUsage(1000, 300),
    cachedInputTokens: 400,
    audioInputTokens: 100,
    imageInputTokens: 50,
    cacheWriteInputTokens: 20,
    reasoningTokens: 64,
    audioOutputTokens: 30
  })
  t.end()
})

t.test('a response\'s usage is read with its details', t => {
  t.same(parseUsage({
    input_tokens: 1000,
    input_tokens_details: {
      cached_tokens: 400,
      cached_tokens_details: { audio_tokens: 5, image_tokens: 7 },
      audio_tokens: 10,
      image_tokens: 10
    },
    output_tokens: 300,
    output_tokens_details: { reasoning_tokens: 64, image_tokens: 8 },
    total_tokens: 1300
  }), {
    ...textUsage(1000, 300),
    cachedInputTokens: 400,
    audioInputTokens: 10,
    cachedAudioInputTokens: 5,
    imageInputTokens: 10,
    cachedImageInputTokens: 7,
    reasoningTokens: 64,
    imageOutputTokens: 8
  })
  t.end()
})

t.test('an embedding\'s usage has no output', t => {
  t.same(parseUsage({ prompt_tokens: 8, total_tokens: 8 }), textUsage(8, 0))
  t.end()
})

t.test('what one count lacks is taken from the total', t => {
  t.same(parseUsage({ prompt_tokens: 10, total_tokens: 15 }), textUsage(10, 5))
  t.same(parseUsage({ completion_tokens: 5, total_tokens: 15 }), textUsage(10, 5))
  t.same(parseUsage({ total_tokens: 15 }), textUsage(15, 0))
  t.same(parseUsage({ prompt_tokens: 10 }), textUsage(10, 0))
  t.same(parseUsage({ completion_tokens: 5 }), textUsage(0, 5))
  t.same(parseUsage({ prompt_tokens: 10, total_tokens: 3 }), textUsage(10, 0))
  t.end()
})

t.test('null and odd details are as good as none', t => {
  for (const odd of [null, 'x', 7, [], { cached_tokens: null, audio_tokens: '3', image_tokens: -1 }]) {
    t.same(
      parseUsage({
        prompt_tokens: 10, completion_tokens: 5, prompt_tokens_details: odd, completion_tokens_details: odd
      }),
      textUsage(10, 5)
    )
  }
  t.end()
})

t.test('a usage without a usable count is null', t => {
  for (const odd of [undefined, null, 1, 'x', [], [1], {}, { prompt_tokens: '12' }, {
    prompt_tokens: -1, completion_tokens: 1.5
  },
  { input_tokens: 1e300 }, { output_tokens: NaN }, { total_tokens: null }, { input_tokens: 1_000_000_001 }]) {
    t.equal(parseUsage(odd), null, JSON.stringify(odd))
  }
  t.end()
})

t.test('parts never exceed their whole', t => {
  t.match(parseUsage({
    prompt_tokens: 10,
    prompt_tokens_details: { cached_tokens: 1000 },
    completion_tokens: 5,
    completion_tokens_details: { reasoning_tokens: 6 }
  }),
  { inputTokens: 10, cachedInputTokens: 10, outputTokens: 5, reasoningTokens: 5 })
  t.end()
})

t.test('cached tokens that do not fit into the text are cached audio', t => {
  t.match(parseUsage({ prompt_tokens: 100, prompt_tokens_details: { cached_tokens: 60, audio_tokens: 70 } }),
    { cachedInputTokens: 60, audioInputTokens: 70, cachedAudioInputTokens: 30 })
  t.end()
})

t.test('whatever an upstream sends, the counts are whole numbers whose parts fit', t => {
  const count = fc.oneof(
    fc.integer({ min: -3, max: 60 }),
    fc.double(),
    fc.constantFrom<unknown>(null, undefined, '5', {}, [], true, 1e300, -0, Infinity)
  )
  const details = fc.record({
    cached_tokens: count,
    cache_write_tokens: count,
    audio_tokens: count,
    image_tokens: count,
    reasoning_tokens: count,
    cached_tokens_details: fc.record({ audio_tokens: count, image_tokens: count }, { requiredKeys: [] })
  }, { requiredKeys: [] })
  const usage = fc.record({
    prompt_tokens: count,
    completion_tokens: count,
    total_tokens: count,
    input_tokens: count,
    output_tokens: count,
    prompt_tokens_details: fc.oneof(details, count),
    completion_tokens_details: fc.oneof(details, count),
    input_tokens_details: details,
    output_tokens_details: details
  }, { requiredKeys: [] })
  fc.assert(fc.property(usage, value => {
    const parsed = parseUsage(value)
    if (parsed === null) return true
    const text = parsed.inputTokens - parsed.audioInputTokens - parsed.imageInputTokens
    const cachedText = parsed.cachedInputTokens - parsed.cachedAudioInputTokens - parsed.cachedImageInputTokens
    return Object.values(parsed).every((n: number) => Number.isSafeInteger(n) && n >= 0 && !Object.is(n, -0)) &&
      cachedText >= 0 && cachedText + parsed.cacheWriteInputTokens <= text &&
      parsed.cachedAudioInputTokens <= parsed.audioInputTokens && parsed.cachedImageInputTokens <= parsed.imageInputTokens &&
      parsed.reasoningTokens <= parsed.outputTokens && parsed.audioOutputTokens +
        parsed.imageOutputTokens <= parsed.outputTokens
  }), { numRuns: 5000 })
  t.end()
})
