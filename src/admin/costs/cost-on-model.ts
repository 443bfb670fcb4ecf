import type { Pricing } from '../../pricing/pricing.js'
import { textUsage } from '../../pricing/token-usage.js'
import type { CostFigures } from '../schemas/costs.js'

/** What the tokens would have cost on a model; null where no price is known for it. */
export type CostOnModel =
  | { readonly costPicoUsd: bigint, readonly costReason: null }
  | { readonly costPicoUsd: null, readonly costReason: 'unknown_model' }

/**
 * The exact cost of the tokens of many calls on one model. Each kind of token is priced at the rate of a call of
 * average length, because some models charge more for long contexts. Prices are those of `atMs`, at the standard tier.
 */
export function costOnModel (pricing: Pricing, model: string, used: CostFigures, atMs: number): CostOnModel {
  const length = Math.max(1, Math.ceil(used.calls === 0 ? 0 : used.input_tokens / used.calls))
  const costOf = (cachedInputTokens: number, outputTokens: number) => pricing.price({
    responseModel: model,
    requestModel: null,
    serviceTier: null,
    usage: { ...textUsage(length, outputTokens), cachedInputTokens },
    atMs
  })
  const [plain, cached, output] = [costOf(0, 0), costOf(length, 0), costOf(0, 1)]
  if (plain.costPicoUsd === null || cached.costPicoUsd === null ||
    output.costPicoUsd === null) return { costPicoUsd: null, costReason: 'unknown_model' }
  return {
    costPicoUsd: BigInt(used.input_tokens - used.cached_input_tokens) * (plain.costPicoUsd / BigInt(length)) +
      BigInt(used.cached_input_tokens) * (cached.costPicoUsd / BigInt(length)) +
      BigInt(used.output_tokens) * (output.costPicoUsd - plain.costPicoUsd),
    costReason: null
  }
}
