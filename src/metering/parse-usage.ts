import { MAX_TOKENS, type TokenUsage } from '../pricing/token-usage.js'

/**
 * Reads the `usage` member of a chat completion, completion or embedding (`prompt_tokens`, `completion_tokens`) or of a
 * response (`input_tokens`, `output_tokens`): https://platform.openai.com/docs/api-reference. Takes what an upstream
 * may send: a count that is no sane integer is as good as absent, parts are cut to fit into their whole, and of input,
 * output and total one may be missing. Null when neither input nor output can be told.
 */
export function parseUsage (value: unknown): TokenUsage | null {
  if (!isObject(value)) return null
  const total = count(value.total_tokens)
  const output = count(value.completion_tokens) ?? count(value.output_tokens)
  const inputTokens = count(value.prompt_tokens) ?? count(value.input_tokens) ?? rest(total, output)
  const outputTokens = output ?? rest(total, inputTokens)
  if (inputTokens === null && outputTokens === null) return null
  return withParts(
    inputTokens ?? 0, firstObject(value.prompt_tokens_details, value.input_tokens_details),
    outputTokens ?? 0, firstObject(value.completion_tokens_details, value.output_tokens_details)
  )
}

function withParts (inputTokens: number, inputOf: JsonObject, outputTokens: number, outputOf: JsonObject): TokenUsage {
  const audioInputTokens = part(inputOf.audio_tokens, inputTokens)
  const imageInputTokens = part(inputOf.image_tokens, inputTokens - audioInputTokens)
  const textTokens = inputTokens - audioInputTokens - imageInputTokens
  const cachedInputTokens = part(inputOf.cached_tokens, inputTokens)
  // Cached tokens that the text cannot hold must be audio or image, whether or not upstream says so.
  const beyondText = Math.max(0, cachedInputTokens - textTokens)
  const cachedOf = firstObject(inputOf.cached_tokens_details, null)
  const cachedAudioInputTokens = Math.max(
    part(cachedOf.audio_tokens, Math.min(audioInputTokens, cachedInputTokens)),
    Math.min(beyondText, audioInputTokens)
  )
  const cachedImageInputTokens = Math.max(
    part(cachedOf.image_tokens, Math.min(imageInputTokens, cachedInputTokens - cachedAudioInputTokens)),
    beyondText - cachedAudioInputTokens
  )
  const cachedTextTokens = cachedInputTokens - cachedAudioInputTokens - cachedImageInputTokens
  const audioOutputTokens = part(outputOf.audio_tokens, outputTokens)
  return {
    inputTokens,
    cachedInputTokens,
    cacheWriteInputTokens: part(inputOf.cache_write_tokens, textTokens - cachedTextTokens),
    audioInputTokens,
    cachedAudioInputTokens,
    imageInputTokens,
    cachedImageInputTokens,
    outputTokens,
    reasoningTokens: part(outputOf.reasoning_tokens, outputTokens),
    audioOutputTokens,
    imageOutputTokens: part(outputOf.image_tokens, outputTokens - audioOutputTokens)
  }
}

type JsonObject = Readonly<Record<string, unknown>>

const NOTHING: JsonObject = {}

function isObject (value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function firstObject (one: unknown, other: unknown): JsonObject {
  return isObject(one) ? one : isObject(other) ? other : NOTHING
}

/** Null for what is no sane count. (The sum turns -0, which JSON can say, into 0.) */
function count (value: unknown): number | null {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_TOKENS ? value + 0 : null
}

function part (value: unknown, whole: number): number {
  return Math.min(count(value) ?? 0, whole)
}

function rest (total: number | null, counted: number | null): number | null {
  return total === null ? null : Math.max(0, total - (counted ?? 0))
}
