import type { Pricing } from '../pricing/pricing.js'
import { MAX_TOKENS, type TokenUsage, textUsage } from '../pricing/token-usage.js'
import type { Endpoint } from './endpoints.js'
import { encodingOf } from './estimate.js'
import { JsonMembers } from './json-members.js'
import { modelLimits } from './model-limits.js'
import { MAX_COUNTED_CHARS } from './token-count.js'
import type { Tokenizer } from './tokenizer.js'

export interface CeilingDeps {
  readonly pricing: Pricing
  readonly tokenizer: Tokenizer
  readonly now: () => number
}

const MEMBERS: ReadonlySet<string> = new Set([
  'model', 'service_tier', 'prompt', 'n', 'best_of', 'max_tokens', 'max_completion_tokens', 'max_output_tokens',
  'previous_response_id', 'conversation', 'modalities'
])
/** What a completion has where its request sets no limit. */
const COMPLETION_TOKENS = 16
/** Parts of a request that cost more than their text: media, files, items kept upstream, tools that fetch input by themselves. */
const MORE_THAN_TEXT = new RegExp('"type"\\s*:\\s*"(?:image_url|input_image|input_audio|input_file|file|item_reference|' +
  'web_search|file_search|code_interpreter|image_generation|computer|mcp)|"audio"\\s*:\\s*\\{|"web_search_options"|' +
  // An escaped letter or underscore, which nothing writes that has nothing to hide.
  '\\\\u00(?:5[fF]|[46][1-9a-fA-F]|[57][0-9aA])')

/**
 * What a call may cost at most, in 10⁻¹² USD, before it is sent: as many tokens as it can have, at the dearest rate that may
 * apply to them. 0 where nothing has a price: a free endpoint, a model that nobody knows, a body that
 * cannot be read (compressed).
 */
export async function callCeiling (deps: CeilingDeps, endpoint: Endpoint, { body }: { readonly body: Buffer | null }): Promise<bigint> {
  if (endpoint.metering === 'free' || body === null) return 0n
  const members = new JsonMembers(MEMBERS, body.length)
  members.feed(body)
  const model = members.string('model')
  if (model === null) return 0n
  const text = body.toString()
  const hasMore = endpoint.name !== 'embeddings' && isMoreThanText(endpoint, members, text)
  const { contextTokens } = modelLimits(model)
  // A request that does not fit is refused by the upstream, and costs nothing.
  const inputTokens = hasMore ? contextTokens : Math.min(await countAtMost(deps.tokenizer, model, text), contextTokens)
  const outputTokens = Math.min(outputAtMost(endpoint, model, members), MAX_TOKENS)

  let ceiling = 0n
  for (const serviceTier of tiers(members.string('service_tier'))) {
    for (const usage of usages(inputTokens, outputTokens, hasMore || endpoint.metering === 'usage')) {
      const { costPicoUsd } = deps.pricing.price({ responseModel: null, requestModel: model, serviceTier, usage, atMs: deps.now() })
      if (costPicoUsd !== null && costPicoUsd > ceiling) ceiling = costPicoUsd
    }
  }
  return ceiling
}

/**
 * The tokens of the whole body as it stands: JSON's names, quotes and escapes are more than the few tokens that the chat
 * format puts around each message. Where they are not counted it is the bytes, of which every token has at least one.
 */
async function countAtMost (tokenizer: Tokenizer, model: string, text: string): Promise<number> {
  if (text.length > MAX_COUNTED_CHARS) return Buffer.byteLength(text)
  const [tokens = 0] = await tokenizer.count(encodingOf(model), [text], text => Buffer.byteLength(text))
  return tokens
}

function isMoreThanText ({ name }: Endpoint, members: JsonMembers, text: string): boolean {
  const modalities = members.value('modalities')
  return MORE_THAN_TEXT.test(text) ||
    members.value('previous_response_id') != null ||
    members.value('conversation') != null ||
    ((name === 'responses' || name === 'responses/compact') && members.value('prompt') != null) || // A template that is kept upstream.
    (Array.isArray(modalities) && modalities.some(modality => modality !== 'text'))
}

function outputAtMost ({ name }: Endpoint, model: string, members: JsonMembers): number {
  const whole = (member: string): number | null => {
    const value = members.value(member)
    return typeof value === 'number' && value >= 0 ? Math.ceil(value) : null
  }
  const answers = Math.max(1, whole('n') ?? 1, whole('best_of') ?? 1)
  switch (name) {
    case 'embeddings': return 0
    case 'completions': return (whole('max_tokens') ?? COMPLETION_TOKENS) * answers * prompts(members.value('prompt'))
    case 'responses':
    case 'responses/compact': return whole('max_output_tokens') ?? modelLimits(model).outputTokens
    default: return Math.max(whole('max_completion_tokens') ?? whole('max_tokens') ?? modelLimits(model).outputTokens, whole('max_tokens') ?? 0) * answers
  }
}

/** A completion's prompts: a list has one answer for each, unless it is the tokens of one. */
function prompts (prompt: unknown): number {
  return Array.isArray(prompt) && typeof prompt[0] !== 'number' ? Math.max(1, prompt.length) : 1
}

/** Without a wish, or with `auto`, the project's setting decides, which may be the dearest. */
function tiers (requested: string | null): readonly string[] {
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
