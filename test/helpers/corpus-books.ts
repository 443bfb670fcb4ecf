import { type Exchange, isStream } from './corpus.js'
import { type TextTokens, independentCost } from './independent-cost.js'

/** OpenAI's usage object, of either API. */
interface Usage {
  prompt_tokens?: number
  completion_tokens?: number
  input_tokens?: number
  output_tokens?: number
  prompt_tokens_details?: Details
  completion_tokens_details?: Details
  input_tokens_details?: Details
  output_tokens_details?: Details
}
interface Details { cached_tokens?: number, reasoning_tokens?: number, audio_tokens?: number }

interface Answered {
  model?: string,
  service_tier?: string | null,
  usage?: Usage | null,
  error?: {
    message: string
  } | null,
  response?: Answered
}

export interface Tokens extends TextTokens {
  readonly reasoning: number
}

/** What the books must say of an exchange, read from its recorded bodies without a line of the product's code. */
export interface ExpectedEntry {
  /** Without its `/v1/`. */
  readonly endpoint: string
  /** It creates something that may cost money. */
  readonly isCall: boolean
  /** A known route, or an answer with usage. */
  readonly metered: boolean
  readonly requestModel: string | null
  readonly responseModel: string | null
  readonly serviceTier: string | null
  readonly user: string | null
  readonly stream: boolean
  readonly success: boolean
  readonly errorMessage: string | null
  readonly requestId: string | null
  /** Null where upstream gave no usage, or nothing was created. */
  readonly tokens: Tokens | null
}

const METERED = ['chat/completions', 'completions', 'responses', 'embeddings']
/** Of the recorded routes, those whose POST is free. */
const FREE = /^(assistants|threads|threads\/\w+\/messages)$/

/** @param body what upstream answered, where that is not what was recorded */
export function expectedEntry ({ request, response }: Exchange, body = response.body): ExpectedEntry {
  const endpoint = request.path.replace(/^\/v1\//, '').replace(/\?.*/, '')
  const asked = request.body === ''
    ? {}
    : JSON.parse(request.body) as { model?: string, user?: string, stream?: boolean }
  const parts = answers(isStream({ request, response, id: '', source: '' }), body)
  const last = <Key extends keyof Answered>(key: Key): NonNullable<Answered[Key]> | null =>
    parts.findLast(part => part[key] != null)?.[key] ?? null
  const isCall = request.method === 'POST' && !FREE.test(endpoint)
  const usage = isCall ? last('usage') : null
  const metered = isCall && (METERED.includes(endpoint) || usage !== null)
  const success = response.status < 400
  return {
    endpoint,
    isCall,
    metered,
    requestModel: asked.model ?? null,
    responseModel: last('model'),
    serviceTier: last('service_tier'),
    user: asked.user ?? null,
    stream: asked.stream === true,
    success,
    errorMessage: success ? null : last('error')?.message ?? null,
    requestId: response.headers['x-request-id'] ?? null,
    tokens: usage === null ? null : tokensOf(usage)
  }
}

/** In 10⁻¹² USD; null where nothing was billed that one could know. */
export function expectedCost (entry: ExpectedEntry, tokens: TextTokens | null = entry.tokens): bigint | null {
  return tokens === null ? null : independentCost([entry.responseModel, entry.requestModel], entry.serviceTier, tokens)
}

/** The objects of an answer: each chunk's of a stream, and what an event of the Responses API wraps. */
function answers (stream: boolean, body: string): Answered[] {
  const texts = stream
    ? body.split('\n').filter(line => line.startsWith('data: {')).map(line => line.slice('data: '.length))
    : [body]
  return texts.map(text => JSON.parse(text) as Answered).map(answer => answer.response ?? answer)
}

function tokensOf (usage: Usage): Tokens {
  const input = usage.prompt_tokens_details ?? usage.input_tokens_details ?? {}
  const output = usage.completion_tokens_details ?? usage.output_tokens_details ?? {}
  if ((input.audio_tokens ?? 0) + (output.audio_tokens ?? 0) > 0) throw new Error('these sums do not cover audio')
  return {
    input: usage.prompt_tokens ?? usage.input_tokens ?? 0,
    cached: input.cached_tokens ?? 0,
    output: usage.completion_tokens ?? usage.output_tokens ?? 0,
    reasoning: output.reasoning_tokens ?? 0
  }
}
