import {
  calcPrice, findProvider, type MatchLogic, type ModelInfo, type ModelPrice, type Provider
} from '@pydantic/genai-prices'
import { openaiPrices, type PublishedPrices, type PublishedRates, type ServiceTier } from './openai-prices.js'

/** In 10⁻¹² USD per token. */
export interface TokenRates {
  readonly input: bigint
  readonly cachedInput: bigint
  readonly cacheWrite: bigint
  readonly audioInput: bigint
  readonly cachedAudioInput: bigint
  readonly imageInput: bigint
  readonly cachedImageInput: bigint
  readonly output: bigint
  readonly audioOutput: bigint
  readonly imageOutput: bigint
}

/** Rates by context length: the last band whose `above` is less than the input's tokens holds for the whole call. */
export type RateBands = readonly [RateBand, ...RateBand[]]
interface RateBand { readonly above: number, readonly rates: TokenRates }

export interface FoundRates {
  /** Null: no price is known for the model. */
  readonly bands: RateBands | null
  /** Whether the answer depends on the time of the call. */
  readonly dated: boolean
}

/** Where prices come from. Looking up may be slow; `createPricing` remembers the answers. */
export type RateSource = (model: string, tier: ServiceTier, atMs: number) => FoundRates

const UNKNOWN: FoundRates = { bands: null, dated: false }
const LONG_CONTEXT_TOKENS = 272_000
const publishedPrices = new Map(Object.entries(openaiPrices))

/**
 * The built-in prices of a provider, by its id in `@pydantic/genai-prices`; of one that it does not know, none.
 *
 * For OpenAI the project's own table goes first, since it has the tiers and audio rates; `@pydantic/genai-prices`
 * answers for the models that the table lacks, and, where it knows that a price has changed, for calls before the
 * latest change. A name that neither knows is tried once more as a dated snapshot of its family. Nothing else is
 * guessed.
 */
export function builtInRates (providerId: string): RateSource {
  const provider = findProvider({ providerId })
  if (provider?.id !== providerId) return () => UNKNOWN
  return providerId === 'openai' ? openaiRates(provider) : (model, _tier, atMs) => packageRates(provider, model, atMs)
}

function openaiRates (provider: Provider): RateSource {
  return (model, tier, atMs) => {
    const name = modelName(model)
    const family = familyName(name)
    for (const candidate of name === family ? [name] : [name, family]) {
      const prices = publishedPrices.get(candidate)
      const dated = datedModel(provider, candidate) ?? datedModel(provider, family)
      if (prices !== undefined && (dated === undefined || atMs >= lastChangeMs(dated))) {
        return { bands: tableBands(prices, tier), dated: dated !== undefined }
      }
      if (dated !== undefined) return packageRates(provider, dated.id, atMs)
      if (provider.models.some(known => isNamed(known.match, candidate))) return packageRates(provider, candidate, atMs)
    }
    return UNKNOWN
  }
}

/**
 * The names that a model may have a price under, each once, the closest first: its own, `ft:gpt-4o-2024-08-06` of a
 * fine-tuned one, the family's.
 */
export function modelNames (model: string): string[] {
  const name = modelName(model)
  return [...new Set([model, name, familyName(name)])]
}

/** `ft:gpt-4o:org:name:id`, and Azure's `gpt-4o.ft-id`, are fine-tuned `ft:gpt-4o`; other names are what they are. */
function modelName (model: string): string {
  if (model.startsWith('ft:')) return model.split(':', 2).join(':')
  const base = /^(.+)\.ft-/.exec(model)?.[1]
  return base === undefined ? model : `ft:${base}`
}

/** Without the date of a snapshot: `-2024-07-18`, or `-0613` on the older ones. */
function familyName (name: string): string {
  return name.replace(/-(?:20\d\d-[01]\d-[0-3]\d|[01]\d[0-3]\d)$/, '')
}

/**
 * Whether a rule of the package means this very name. Its prefix rules take any ending, and would price an
 * unknown model as one that resembles it.
 */
function isNamed (match: MatchLogic, name: string): boolean {
  if ('or' in match) return match.or.some(one => isNamed(one, name))
  if ('and' in match) return match.and.every(one => isNamed(one, name))
  if ('equals' in match) return match.equals === name
  if ('regex' in match) return new RegExp(match.regex).test(name)
  if ('starts_with' in match) return match.starts_with === name
  return 'contains' in match && name.includes(match.contains)
}

function datedModel (provider: Provider, name: string): ModelInfo | undefined {
  return provider.models.find(known => Array.isArray(known.prices) && isNamed(known.match, name))
}

function lastChangeMs (model: ModelInfo): number {
  const prices = Array.isArray(model.prices) ? model.prices : []
  return Math.max(
    ...prices.map(({ constraint }) => constraint?.type === 'start_date' ? Date.parse(constraint.start_date) : -Infinity)
  )
}

function tableBands (prices: PublishedPrices, tier: ServiceTier): RateBands | null {
  const base = prices[tier] ?? prices.standard
  if (base === undefined) return null
  // OpenAI serves long contexts at the standard tier where a tier has no rates for them.
  const long = prices[`${tier}_above_272k`] ?? prices.standard_above_272k
  const short: RateBand = { above: -1, rates: ratesPerToken(base) }
  return long === undefined ? [short] : [short, { above: LONG_CONTEXT_TOKENS, rates: ratesPerToken(long) }]
}

/** Standard rates: the package knows no tiers. */
function packageRates (provider: Provider, model: string, atMs: number): FoundRates {
  const found = calcPrice({}, model, { providerId: provider.id, timestamp: new Date(atMs) })
  if (found === null) return UNKNOWN
  const price = found.model_price
  // Priced by the hour, image or call only. (A price that lists nothing at all is that of a free model.)
  const bands = price['input_mtok'] === undefined && Object.keys(price).length > 0 ? null : packageBands(price)
  return { bands, dated: Array.isArray(found.model.prices) }
}

function packageBands (price: ModelPrice): RateBands {
  const starts = new Set(
    Object.values(price).flatMap(rate => typeof rate === 'object' ? rate.tiers.map(tier => tier.start) : [])
  )
  const longer = [...starts].sort((a, b) => a - b).map(above => ({ above, rates: packageRatesAbove(price, above) }))
  return [{ above: -1, rates: packageRatesAbove(price, -1) }, ...longer]
}

function packageRatesAbove (price: ModelPrice, above: number): TokenRates {
  const at = (key: string): number | undefined => {
    const rate = price[key]
    return typeof rate === 'object' ? rate.tiers.findLast(tier => tier.start <= above)?.price ?? rate.base : rate
  }
  const rates: Record<keyof PublishedRates, number | undefined> = {
    input: at('input_mtok') ?? 0,
    cachedInput: at('cache_read_mtok'),
    cacheWrite: at('cache_write_mtok'),
    output: at('output_mtok'),
    audioInput: at('input_audio_mtok'),
    cachedAudioInput: at('cache_audio_read_mtok'),
    audioOutput: at('output_audio_mtok'),
    imageInput: at('input_image_mtok'),
    cachedImageInput: at('cache_image_read_mtok'),
    imageOutput: at('output_image_mtok')
  }
  return ratesPerToken(rates)
}

/**
 * A kind of token without a rate of its own is billed as what it is part of. What has no output rate (embeddings) has
 * no output.
 */
function ratesPerToken (usd: { readonly [rate in keyof PublishedRates]: number | undefined }): TokenRates {
  const input = usd.input ?? 0
  const output = usd.output ?? 0
  const cachedInput = usd.cachedInput ?? input
  return {
    input: picoUsdPerToken(input),
    cachedInput: picoUsdPerToken(cachedInput),
    cacheWrite: picoUsdPerToken(usd.cacheWrite ?? input),
    audioInput: picoUsdPerToken(usd.audioInput ?? input),
    cachedAudioInput: picoUsdPerToken(usd.cachedAudioInput ?? usd.audioInput ?? cachedInput),
    imageInput: picoUsdPerToken(usd.imageInput ?? input),
    cachedImageInput: picoUsdPerToken(usd.cachedImageInput ?? usd.imageInput ?? cachedInput),
    output: picoUsdPerToken(output),
    audioOutput: picoUsdPerToken(usd.audioOutput ?? output),
    imageOutput: picoUsdPerToken(usd.imageOutput ?? output)
  }
}

/** The one rounding: it corrects the binary float of a decimal price with up to six places. */
function picoUsdPerToken (usdPerMillion: number): bigint {
  return BigInt(Math.round(usdPerMillion * 1_000_000))
}
