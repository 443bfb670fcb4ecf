import type { Pricing } from '../pricing/pricing.js'
import { MAX_TOKENS, type TokenUsage, textUsage } from '../pricing/token-usage.js'
import { type Endpoint, mayCost } from './endpoints.js'
import { encodingOf } from './estimate-usage.js'
import { type MemberSpan, readObject } from '../decoders/json-object.js'
import { modelLimits } from './model-limits.js'
import { MAX_COUNTED_CHARS } from './token-count.js'
import type { Tokenizer } from './tokenizer.js'

export interface CeilingDeps {
  readonly pricing: Pricing
  readonly tokenizer: Tokenizer
  readonly now: () => number
}

/**
 * The cost ceiling of a call in 10⁻¹² USD; or why it is unknown, and what to do if fixing the request does not help.
 */
export type Ceiling = bigint | { readonly why: string, readonly fix?: string }

/** What is known of the body of a request. */
export interface ReadRequest {
  /** Decoded; null where it was not read, or there is none. */
  readonly body: Buffer | null
  /** Why the body was not read. */
  readonly unread: string | null
  /** Lower-case; empty where there is none. */
  readonly contentType: string
}

const MEMBERS: ReadonlySet<string> = new Set([
  'model', 'service_tier', 'prompt', 'n', 'best_of', 'max_tokens', 'max_completion_tokens', 'max_output_tokens',
  'previous_response_id', 'conversation', 'modalities'
])
/** What a completion has where its request sets no limit. */
const COMPLETION_TOKENS = 16
/** A longer body is not searched, it has to be more than text; it fills any context window. */
const MAX_SEARCHED_BYTES = 1024 * 1024
/** Values that are longer are no names, numbers or lists of modalities. */
const MAX_VALUE_BYTES = 64 * 1024
/** Of a model's name in a message. */
const MAX_NAMED_CHARACTERS = 128
/**
 * Parts of a request that cost more than their text: media, files, items kept upstream, tools that fetch input by
 * themselves.
 */
const MORE_THAN_TEXT = new RegExp('"type"\\s*:\\s*"(?:image_url|input_image|input_audio|input_file|file|item_reference|' +
  'web_search|file_search|code_interpreter|image_generation|computer|mcp)|"audio"\\s*:\\s*\\{|"web_search_options"|' +
  // An escaped letter or underscore, which nothing writes that has nothing to hide.
  '\\\\u00(?:5[fF]|[46][1-9a-fA-F]|[57][0-9aA])')
/** What reads a text as UTF-8 does. */
const UTF8_NAMES: ReadonlySet<string> = new Set(['utf-8', 'utf8', 'us-ascii', 'ascii'])

/**
 * The most that a call may cost, before it is sent: its maximum of tokens, at the highest rate that may apply. 0 for a
 * free endpoint. A request that cannot be read, or can be read in more than one way, has no ceiling; nor has a model
 * without a price.
 */
export async function costCeiling (
  deps: CeilingDeps, endpoint: Endpoint, { body, unread, contentType }: ReadRequest
): Promise<Ceiling> {
  if (!mayCost(endpoint)) return 0n
  if (body === null) return { why: unread ?? 'it has no body' }
  const otherCharset = charsetsOf(contentType).find(charset => !UTF8_NAMES.has(charset))
  if (otherCharset !== undefined) {
    return { why: `its Content-Type names a charset other than UTF-8: '${otherCharset.slice(0, 64)}'` }
  }
  const read = await readObject(body, MEMBERS)
  if ('why' in read) return read
  const members = new RequestMembers(body, read)
  const model = members.value('model')
  if (typeof model !== 'string') return { why: 'it names no model' }
  const outputTokens = outputAtMost(endpoint, model, members)
  if (outputTokens === null) return { why: `its '${members.badCount}' is not a number that sets a limit` }

  const isSearched = body.length <= MAX_SEARCHED_BYTES
  const text = isSearched ? body.toString() : ''
  const hasMore = endpoint.name !== 'embeddings' && (!isSearched || isMoreThanText(endpoint, members, text))
  const { contextTokens } = modelLimits(model)
  // The upstream rejects a request that does not fit, which costs nothing.
  const counted = hasMore || !isSearched ? body.length : await countAtMost(deps.tokenizer, model, text)
  const inputTokens = hasMore ? contextTokens : Math.min(counted, contextTokens)

  const mayBeAnyKind = hasMore || endpoint.metering === 'usage'
  let ceiling: bigint | null = null
  for (const serviceTier of tiers(members.value('service_tier'))) {
    for (const usage of usages(inputTokens, Math.min(outputTokens, MAX_TOKENS), mayBeAnyKind)) {
      const { costPicoUsd } = deps.pricing.price({
        responseModel: null, requestModel: model, serviceTier, usage, atMs: deps.now()
      })
      if (costPicoUsd !== null && (ceiling === null || costPicoUsd > ceiling)) ceiling = costPicoUsd
    }
  }
  return ceiling ?? withoutPrice(model)
}

function withoutPrice (model: string): Ceiling {
  const name = model.length > MAX_NAMED_CHARACTERS ? `${model.slice(0, MAX_NAMED_CHARACTERS)}…` : model
  const fix = 'Set its price with PUT /admin/api/prices/{model} (0 if it is free), or use a model that has one.'
  return { why: `the model '${name}' has no price`, fix }
}

/** All that a `Content-Type` says, for a server may go by any of them. */
function charsetsOf (contentType: string): string[] {
  return Array.from(contentType.matchAll(/[;,\s]charset\s*=[\s"']*([^\s"',;]+)/g), ([, charset = '']) => charset)
}

/** The values of a request's members. */
class RequestMembers {
  readonly #body: Buffer
  readonly #spans: ReadonlyMap<string, MemberSpan>
  /** A count that servers may read in more than one way. */
  badCount: string | null = null

  constructor (body: Buffer, spans: ReadonlyMap<string, MemberSpan>) {
    this.#body = body
    this.#spans = spans
  }

  /** Undefined where it is absent; of a value that is too long to be one of these, its first byte. */
  value (name: string): unknown {
    const span = this.#spans.get(name)
    if (span === undefined) return undefined
    const end = span.end - span.start > MAX_VALUE_BYTES ? span.start + 1 : span.end
    const text = this.#body.toString('utf8', span.start, end)
    return end === span.end ? JSON.parse(text) as unknown : { tooLong: text }
  }

  /**
   * A number, rounded up. Null where it is absent, or sets no limit; what is no number at all some servers take for
   * one.
   */
  count (name: string): number | null {
    const value = this.value(name) ?? null
    if (value === null) return null
    if (typeof value === 'number') return value > 0 ? Math.ceil(value) : null
    this.badCount = name
    return null
  }

  /** A completion's prompts: a list has one answer for each, unless it is the tokens of one. */
  prompts (): number {
    const span = this.#spans.get('prompt')
    if (span === undefined || this.#body[span.start] !== 0x5b) return 1
    const first = /^\[\s*[-\d]/.test(this.#body.toString('latin1', span.start, Math.min(span.start + 64, span.end)))
    return first ? 1 : Math.max(1, span.elements)
  }
}

/**
 * The tokens of the whole body as it stands: JSON's names, quotes and escapes are more than the few tokens that the
 * chat format puts around each message. Where they are not counted it is the bytes, of which every token has at least
 * one.
 */
async function countAtMost (tokenizer: Tokenizer, model: string, text: string): Promise<number> {
  if (text.length > MAX_COUNTED_CHARS) return Buffer.byteLength(text)
  const [tokens = 0] = await tokenizer.count(encodingOf(model), [text], text => Buffer.byteLength(text))
  return tokens
}

function isMoreThanText ({ name }: Endpoint, members: RequestMembers, text: string): boolean {
  const modalities = members.value('modalities')
  return MORE_THAN_TEXT.test(text) ||
    members.value('previous_response_id') != null ||
    members.value('conversation') != null ||
    (isResponses(name) && members.value('prompt') != null) || // A template that is kept upstream.
    (modalities != null && !(Array.isArray(modalities) && modalities.every(modality => modality === 'text')))
}

/** Null where a member that limits it is no number. */
function outputAtMost ({ name }: Endpoint, model: string, members: RequestMembers): number | null {
  if (name === 'embeddings') return 0
  const most = modelLimits(model).outputTokens
  const answers = Math.max(1, members.count('n') ?? 1, members.count('best_of') ?? 1)
  const maxTokens = members.count('max_tokens')
  const maxCompletion = members.count('max_completion_tokens')
  const maxOutput = members.count('max_output_tokens')
  if (members.badCount !== null) return null
  if (isResponses(name)) return maxOutput ?? most
  switch (name) {
    case 'completions': {
      const unlimited = members.value('max_tokens') == null ? COMPLETION_TOKENS : most
      return (maxTokens ?? unlimited) * answers * members.prompts()
    }
    case 'chat/completions': return Math.max(maxCompletion ?? maxTokens ?? most, maxTokens ?? 0) * answers
    // What limits its output is not known, if anything does.
    default: return Math.max(maxCompletion ?? 0, maxTokens ?? 0, maxOutput ?? 0, most) * answers * members.prompts()
  }
}

const isResponses = (name: string): boolean => name === 'responses' || name === 'responses/compact'

/** Without a wish, or with `auto`, the project's setting decides, which may be the dearest. */
function tiers (requested: unknown): readonly string[] {
  return requested === 'default' || requested === 'flex' ? [requested] : ['default', 'flex', 'priority']
}

/** All the tokens as one kind, for each kind that they can be: what is dearest of those is no less than any mixture. */
function * usages (inputTokens: number, outputTokens: number, isMoreThanText: boolean): Generator<TokenUsage> {
  const text = textUsage(inputTokens, outputTokens)
  const inputs: Partial<TokenUsage>[] = [{}, { cachedInputTokens: inputTokens }, { cacheWriteInputTokens: inputTokens }]
  const outputs: Partial<TokenUsage>[] = [{}]
  if (isMoreThanText) {
    inputs.push({ audioInputTokens: inputTokens }, { imageInputTokens: inputTokens })
    inputs.push({ audioInputTokens: inputTokens, cachedInputTokens: inputTokens, cachedAudioInputTokens: inputTokens })
    inputs.push({ imageInputTokens: inputTokens, cachedInputTokens: inputTokens, cachedImageInputTokens: inputTokens })
    outputs.push({ audioOutputTokens: outputTokens }, { imageOutputTokens: outputTokens })
  }
  for (const input of inputs) for (const output of outputs) yield { ...text, ...input, ...output }
}
