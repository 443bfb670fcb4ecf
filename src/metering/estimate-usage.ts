import { countable, type BillableText } from './billable-text.js'
import type { Encoding, Tokenizer } from './tokenizer.js'
import type { CapturedBody } from '../capture/captured-body.js'
import { inSlices } from '../lib/slices.js'
import { MAX_TOKENS, textUsage, type TokenUsage } from '../pricing/token-usage.js'

/** A call whose usage the upstream did not report. */
export interface UnmeteredCall {
  /** The route behind `/v1/`: `chat/completions`. */
  readonly endpoint: string
  /** The response's model, else the request's. */
  readonly model: string | null
  /** Null where it could not be read. */
  readonly request: CapturedBody | null
  /** Null where none came. */
  readonly response: CapturedBody | null
}

/**
 * Estimates what a call used from its bodies: text as the model's tokenizer splits it, plus what the chat format adds.
 * It does not see, and so does not count, hidden reasoning, caching, audio and files, or an earlier response that the
 * request only names. Never rejects.
 */
export async function estimateUsage (tokenizer: Tokenizer, call: UnmeteredCall): Promise<TokenUsage> {
  const { input, output } = await inSlices(countable(call.endpoint, call.request, call.response))
  const counts = await tokenizer.count(encodingOf(call.model), [...input.texts, ...output.texts])
  return textUsage(
    total(input, counts.slice(0, input.texts.length)),
    total(output, counts.slice(input.texts.length))
  )
}

function total ({ scale, flatTokens }: BillableText, counts: readonly number[]): number {
  return Math.min(MAX_TOKENS, Math.ceil(counts.reduce((sum, count) => sum + count, 0) * scale) + flatTokens)
}

/**
 * The older chat models, embeddings and base models have `cl100k_base`; all since gpt-4o, and what is unknown,
 * `o200k_base`.
 */
export function encodingOf (model: string | null): Encoding {
  const base = model?.replace(/^ft:/, '') ?? ''
  return /^(?:gpt-4(?![\d.o])|gpt-3\.5|gpt-35|text-embedding-|davinci|babbage)/.test(base)
    ? 'cl100k_base'
    : 'o200k_base'
}
