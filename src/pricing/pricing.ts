import type { OperatorPrice } from '../lib/operator-price.js'
import { builtInRates, type FoundRates, type RateBands, type RateSource, type TokenRates } from './model-rates.js'
import type { ServiceTier } from './openai-prices.js'
import { operatorRates } from './operator-rates.js'
import type { TokenUsage } from './token-usage.js'

export { decimalToPicoUsd, picoUsdToDecimal } from '../lib/usd.js'

/** The facts that decide a call's price. */
export interface PricedCall {
  readonly responseModel: string | null
  readonly requestModel: string | null
  /** The tier that served the call, not the one asked for. */
  readonly serviceTier: string | null
  readonly usage: TokenUsage
  /** Time of the call, milliseconds since the epoch: prices change. */
  readonly atMs: number
}

/** Exactly one of the two is null. */
export type Cost =
  | { readonly costPicoUsd: bigint, readonly costReason: null }
  | { readonly costPicoUsd: null, readonly costReason: 'unknown_model' }

export interface Pricing {
  /** What the call costs in 10⁻¹² USD, exactly. Never throws. */
  readonly price: (call: PricedCall) => Cost
}

/** Pricing whose operators' prices change while it is in use. */
export interface OperatedPricing extends Pricing {
  /** Calls are priced by these from now on, all earlier ones forgotten. Takes `PolicyData.prices` as they are. */
  readonly use: (prices: readonly OperatorPrice[]) => void
}

export interface PricingOptions {
  /**
   * An id of `@pydantic/genai-prices` (`UPSTREAM_PROVIDER`). Of a provider that it does not know, every model is
   * unknown but for operators' prices.
   */
  readonly provider: string
  /** Operators' own. */
  readonly prices?: readonly OperatorPrice[]
}

const UNKNOWN_MODEL: Cost = { costPicoUsd: null, costReason: 'unknown_model' }
/** Callers name models: what is remembered of them is bounded, and a name longer than any model's is not looked up. */
const MAX_REMEMBERED = 1000
const MAX_MODEL_LENGTH = 256

/**
 * Prices the response's model, or, where it has no known price, the requested one. For each, an operator's price
 * overrides the built-in tables, also a price of its family: an operator who sets a price for `gpt-4o` need not know
 * which dated snapshots the tables list.
 *
 *     response's model: operator's (name, family) ▶ built-in (name, family) ▶ requested model: operator's ▶ built-in
 */
export function createPricing ({ provider, prices = [] }: PricingOptions): OperatedPricing {
  const builtIn = rememberRates(builtInRates(provider))
  let own = operatorRates(prices)
  const ratesOf = (model: string, call: PricedCall): TokenRates | null => {
    if (model.length > MAX_MODEL_LENGTH) return null
    const rates = own(model, call.atMs)
    if (rates !== null) return rates
    const bands = builtIn(model, servedTier(call.serviceTier), call.atMs)
    return bands === null ? null : ratesForLength(bands, call.usage.inputTokens)
  }
  return {
    use: prices => { own = operatorRates(prices) },
    price: call => {
      const { responseModel, requestModel } = call
      const rates = (responseModel === null ? null : ratesOf(responseModel, call)) ??
        (requestModel === null ? null : ratesOf(requestModel, call))
      return rates === null ? UNKNOWN_MODEL : { costPicoUsd: costPicoUsd(call.usage, rates), costReason: null }
    }
  }
}

/** `default`, none, and tiers without prices of their own (`scale` is paid for beforehand) are billed as standard. */
function servedTier (serviceTier: string | null): ServiceTier {
  return serviceTier === 'flex' || serviceTier === 'priority' || serviceTier === 'batch' ? serviceTier : 'standard'
}

function ratesForLength (bands: RateBands, inputTokens: number): TokenRates {
  let rates = bands[0].rates
  for (const band of bands) if (inputTokens > band.above) rates = band.rates
  return rates
}

/** Each token once, at the rate of the narrowest kind it belongs to. */
function costPicoUsd (usage: TokenUsage, rates: TokenRates): bigint {
  const cachedText = usage.cachedInputTokens - usage.cachedAudioInputTokens - usage.cachedImageInputTokens
  const text =
    usage.inputTokens - usage.audioInputTokens - usage.imageInputTokens - cachedText - usage.cacheWriteInputTokens
  const textOutput = usage.outputTokens - usage.audioOutputTokens - usage.imageOutputTokens
  return times(text, rates.input) +
    times(cachedText, rates.cachedInput) +
    times(usage.cacheWriteInputTokens, rates.cacheWrite) +
    times(usage.audioInputTokens - usage.cachedAudioInputTokens, rates.audioInput) +
    times(usage.cachedAudioInputTokens, rates.cachedAudioInput) +
    times(usage.imageInputTokens - usage.cachedImageInputTokens, rates.imageInput) +
    times(usage.cachedImageInputTokens, rates.cachedImageInput) +
    times(textOutput, rates.output) +
    times(usage.audioOutputTokens, rates.audioOutput) +
    times(usage.imageOutputTokens, rates.imageOutput)
}

function times (tokens: number, rate: bigint): bigint {
  return tokens === 0 ? 0n : BigInt(tokens) * rate
}

/** Keeps a source's answers per model and tier; dated ones for the minute they were given for, the oldest go first. */
function rememberRates (source: RateSource): (model: string, tier: ServiceTier, atMs: number) => RateBands | null {
  const remembered = new Map<string, FoundRates & { readonly minute: number }>()
  return (model, tier, atMs) => {
    const key = `${tier} ${model}`
    const minute = Math.floor(atMs / 60_000)
    const known = remembered.get(key)
    if (known !== undefined && (!known.dated || known.minute === minute)) return known.bands
    const found = source(model, tier, atMs)
    if (remembered.size >= MAX_REMEMBERED) remembered.delete(remembered.keys().next().value ?? key)
    remembered.set(key, { ...found, minute })
    return found.bands
  }
}
