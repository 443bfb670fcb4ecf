/**
 * What a call used, in the terms in which OpenAI bills it. All counts are integers from 0 to 10⁹. Of input, the cached,
 * cache-write, audio and image tokens are parts; `parseUsage` holds that the parts fit into the whole:
 *
 *     cached + cacheWrite + (audio − cachedAudio) + (image − cachedImage) ≤ input
 *     cachedAudio ≤ audio, cachedImage ≤ image, cachedAudio + cachedImage ≤ cached
 *     audioOutput + imageOutput ≤ output, reasoning ≤ output
 */
export interface TokenUsage {
  readonly inputTokens: number
  /** Read from the prompt cache: billed at the cached rate instead of the input rate. */
  readonly cachedInputTokens: number
  /** Written to the prompt cache, where a model charges for that. No part of the cached ones. */
  readonly cacheWriteInputTokens: number
  readonly audioInputTokens: number
  /** Part of both the audio and the cached tokens. */
  readonly cachedAudioInputTokens: number
  readonly imageInputTokens: number
  /** Part of both the image and the cached tokens. */
  readonly cachedImageInputTokens: number
  readonly outputTokens: number
  /** Billed as any other output. */
  readonly reasoningTokens: number
  readonly audioOutputTokens: number
  readonly imageOutputTokens: number
}

/** A call with more tokens than this was not made: far above every context window, and its cost still fits the books. */
export const MAX_TOKENS = 1_000_000_000

/** Plain text in, plain text out, nothing cached: what an embedding or an estimate amounts to. */
export function textUsage (inputTokens: number, outputTokens: number): TokenUsage {
  return {
    inputTokens,
    cachedInputTokens: 0,
    cacheWriteInputTokens: 0,
    audioInputTokens: 0,
    cachedAudioInputTokens: 0,
    imageInputTokens: 0,
    cachedImageInputTokens: 0,
    outputTokens,
    reasoningTokens: 0,
    audioOutputTokens: 0,
    imageOutputTokens: 0
  }
}

/**
 * Reads the `usage` member of a chat completion, completion or embedding (`prompt_tokens`, `completion_tokens`) or of a
 * response (`input_tokens`, `output_tokens`): https://platform.openai.com/docs/api-reference. Takes what an upstream may
 * send: a count that is no sane integer is as good as absent, parts are cut to fit into their whole, and of input,
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
