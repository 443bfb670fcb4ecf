import { createPricing } from '../../src/pricing/pricing.js'
import { textUsage } from '../../src/pricing/token-usage.js'
import type { Database } from '../../src/db/database.js'
import { createBatchWriter } from '../../src/recording/batch-writer.js'
import type { BatchEntry } from '../../src/recording/call-record.js'

interface Kind {
  readonly promptType: string
  readonly description: string
  readonly model: string
  /** Calls a day, tokens in, tokens out: on average. */
  readonly rate: readonly [calls: number, input: number, output: number]
  /** How much more there is of it at the end than at the beginning. */
  readonly growth?: number
}

const KINDS: readonly Kind[] = [
  {
    promptType: 'generate_image_metadata',
    description: 'Alt text and tags for an uploaded image',
    model: 'gpt-4o',
    rate: [90, 1900, 140]
  },
  {
    promptType: 'summarise_article',
    description: 'Three sentences for the front page',
    model: 'gpt-4.1',
    rate: [60, 5200, 210],
    growth: 2.5
  },
  {
    promptType: 'select_best_tags',
    description: 'Picks the tags that fit a page best',
    model: 'gpt-4o-mini',
    rate: [140, 1300, 40]
  },
  {
    promptType: 'translate_page',
    description: 'English to Czech, keeping the markup',
    model: 'gpt-4.1-mini',
    rate: [40, 3800, 3900],
    growth: 1.6
  },
  {
    promptType: 'answer_support_ticket',
    description: 'First draft of an answer',
    model: 'gpt-5',
    rate: [25, 2900, 900],
    growth: 3
  },
  {
    promptType: 'moderate_comment',
    description: 'Is this comment fit to print?',
    model: 'gpt-4o-mini',
    rate: [200, 420, 12]
  },
  {
    promptType: 'extract_invoice',
    description: 'Supplier, date and lines of a scanned invoice',
    model: 'gpt-4o',
    rate: [12, 2600, 480],
    growth: 0.4
  },
  {
    promptType: 'embed_paragraph', description: 'For the search', model: 'text-embedding-3-small', rate: [160, 380, 0]
  },
  { promptType: 'classify_lead', description: '', model: 'our-own-model', rate: [8, 700, 25] },
  { promptType: 'untyped', description: '', model: 'gpt-4o-mini', rate: [15, 600, 150] }
]
const USERS = ['ada', 'grace', 'newsroom', 'importer', 'support', null]
const DAY_MS = 86_400_000

/** The same numbers for the same seed (mulberry32). */
function random (seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** A UUIDv7 of that moment. The product's own never go back in time, whatever book was filled before. */
function idAt (atMs: number, next: () => number): string {
  const hex = (digits: number): string => Math.floor(next() * 16 ** digits).toString(16).padStart(digits, '0')
  const time = Math.floor(atMs).toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7${hex(3)}-8${hex(3)}-${hex(6)}${hex(6)}`
}

const prompt = (kind: Kind): string => JSON.stringify({
  model: kind.model,
  messages: [
    {
      role: 'system',
      content: `You are the newsroom's assistant. Task: ${kind.description === '' ? kind.promptType : kind.description}`
    },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'What is to be seen here?\nBe brief.' },
        { type: 'image_url', image_url: { url: '[elided image/png, 123456 bytes, sha256:9f2c…]' } }
      ]
    }
  ],
  tools: [
    {
      type: 'function',
      function: {
        name: 'save_tags',
        description: 'Stores tags',
        parameters: { type: 'object', properties: { tags: { type: 'array', items: { type: 'string' } } } }
      }
    }
  ]
})

const response = (kind: Kind): string => JSON.stringify({
  id: 'chatcmpl-1',
  object: 'chat.completion',
  model: kind.model,
  choices: [{
    index: 0,
    message: {
      role: 'assistant',
      content: 'A lighthouse at dusk.',
      tool_calls: [
        { id: 'call_1', type: 'function', function: { name: 'save_tags', arguments: '{"tags":["sea","dusk"]}' } }
      ]
    },
    finish_reason: 'tool_calls'
  }]
})

const DAYS = 45

export interface BooksSize {
  /** Further prompt types, each with one call in the last day. */
  readonly moreTypes?: number
  /** A share of the calls: one is some thousand. */
  readonly share?: number
}

/** Books as a gateway would have kept them over some weeks up to `nowMs`, the same each time. */
export async function fillBooks (
  database: Database, nowMs: number, { moreTypes = 0, share = 1 }: BooksSize = {}
): Promise<void> {
  const next = random(20_261_123)
  const pricing = createPricing({ provider: 'openai' })
  const entries: BatchEntry[] = []
  const kinds = [...KINDS, ...Array.from({ length: moreTypes }, (_, i): Kind => (
    {
      promptType: `experiment-${String(i).padStart(5, '0')}`,
      description: 'One of many',
      model: 'gpt-4o-mini',
      rate: [1 / DAYS, 500, 50]
    }))]
  for (const kind of kinds) {
    for (let day = 0; day < DAYS; day++) {
      const growth = 1 + ((kind.growth ?? 1) - 1) * day / DAYS
      const calls = kind.rate[0] < 1
        ? (day === DAYS - 1 ? 1 : 0)
        : Math.round(kind.rate[0] * growth * share * (0.6 + 0.8 * next()) / 4)
      for (let i = 0; i < calls; i++) entries.push(call(kind, nowMs - (DAYS - day - next()) * DAY_MS, next, pricing))
    }
  }
  entries.sort((a, b) => a.record.createdAtMs - b.record.createdAtMs)
  const writer = createBatchWriter(database)
  for (let from = 0; from < entries.length; from += 500) {
    await writer.write({
      id: idAt(nowMs, next), entries: entries.slice(from, from + 500)
    })
  }
}

function call (kind: Kind, atMs: number, next: () => number, pricing: ReturnType<typeof createPricing>): BatchEntry {
  const [, input, output] = kind.rate
  const inputTokens = Math.round(input * (0.5 + next()))
  const cachedInputTokens = next() < 0.4 ? Math.floor(inputTokens / 2) : 0
  const outputTokens = Math.round(output * (0.5 + next()))
  const failed = next() < 0.02
  const usage = { ...textUsage(inputTokens, outputTokens), cachedInputTokens }
  const cost = pricing.price({
    responseModel: kind.model, requestModel: kind.model, serviceTier: 'default', usage, atMs
  })
  const durationMs = Math.round(300 + output * 4 * (0.5 + next()))
  return {
    record: {
      id: idAt(atMs, next),
      createdAtMs: Math.round(atMs),
      promptType: kind.promptType,
      taskDescription: kind.description === '' ? null : kind.description,
      provider: 'openai',
      endpoint: kind.model.startsWith('text-embedding') ? 'embeddings' : 'chat/completions',
      requestModel: kind.model,
      responseModel: failed ? null : kind.model,
      serviceTier: failed ? null : 'default',
      user: USERS[Math.floor(next() * USERS.length)] ?? null,
      keyId: null,
      metadata: '{"batch":"2026-11"}',
      stream: next() < 0.3,
      statusCode: failed ? 429 : 200,
      success: !failed,
      errorType: failed ? 'rate_limit_exceeded' : null,
      errorMessage: failed ? 'Rate limit reached for requests. Try again in 2 s.' : null,
      inputTokens: failed ? null : inputTokens,
      cachedInputTokens: failed ? null : cachedInputTokens,
      outputTokens: failed ? null : outputTokens,
      reasoningTokens: failed ? null : 0,
      usageSource: failed ? 'none' : 'upstream',
      usageDetails: null,
      ...(failed ? { costPicoUsd: null, costReason: 'no_usage' as const } : cost),
      durationMs,
      timeToFirstByteMs: Math.round(durationMs / 3),
      upstreamRequestId: `req_${Math.floor(next() * 1e12).toString(16)}`,
      requestBytes: inputTokens * 4,
      responseBytes: outputTokens * 4,
      isCall: true,
      blocked: false,
      logged: true,
      storeFullData: kind.promptType === 'generate_image_metadata',
      newConfig: { trackFullData: kind.promptType === 'generate_image_metadata', isActive: true }
    },
    payload: { prompt: prompt(kind), response: failed ? null : response(kind) }
  }
}
