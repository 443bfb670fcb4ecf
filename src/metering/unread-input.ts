import type { TokenUsage } from '../pricing/token-usage.js'
import { modelLimits } from './model-limits.js'

/**
 * An estimate whose request could not be read: a token for each byte that came, up to the model's context window. JSON
 * has about four bytes a token, and compressed it is about a quarter as long. No estimate would be as uncertain, and
 * too cheap.
 */
export function withUnreadInput (usage: TokenUsage, wireBytes: number, model: string | null): TokenUsage {
  return { ...usage, inputTokens: Math.min(wireBytes, modelLimits(model ?? '').contextTokens) }
}
