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

/**
 * A call with more tokens than this was not made: far above every context window, and its cost still fits the books.
 */
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

/** The counts that have no column of their own in the usage log. */
const DETAILS = [
  'cacheWriteInputTokens', 'audioInputTokens', 'cachedAudioInputTokens', 'imageInputTokens', 'cachedImageInputTokens', 'audioOutputTokens', 'imageOutputTokens'
] as const satisfies ReadonlyArray<keyof TokenUsage>

/**
 * `usage_logs.usage_details`: JSON text of those of them that are not 0, under their names here; null where all are.
 */
export function usageDetails (usage: TokenUsage): string | null {
  let details: Record<string, number> | null = null
  for (const name of DETAILS) if (usage[name] !== 0) (details ??= {})[name] = usage[name]
  return details === null ? null : JSON.stringify(details)
}

/** The inverse of `usageDetails`, over the counts that do have columns. Null where the text is none that it makes. */
export function withUsageDetails (usage: TokenUsage, details: string | null): TokenUsage | null {
  if (details === null) return usage
  try {
    const counts: unknown = JSON.parse(details)
    if (typeof counts !== 'object' || counts === null) return null
    const isKnown = ([name, count]: [string, unknown]): boolean => DETAILS.some(known => known === name) &&
      typeof count === 'number' && Number.isInteger(count) && count >= 0 && count <= MAX_TOKENS
    return Object.entries(counts).every(isKnown) ? { ...usage, ...counts } : null
  } catch {
    return null
  }
}
