import { existsSync, readFileSync } from 'node:fs'

const file = new URL('../../../shared/prices/openai.json', import.meta.url)

/** What a test that needs the prices passes as `skip`: the reason, or false. */
export const pricesMissing: string | false = existsSync(file) ? false : 'the price list is not in ../shared/prices'

/** Tokens of a call that is text only. */
export interface TextTokens {
  readonly input: number
  /** Part of `input`. */
  readonly cached: number
  readonly output: number
}

type Rates = Partial<Record<'input' | 'cached_input' | 'output', number>>
type Prices = Readonly<Record<string, Rates | undefined>>

const models: Readonly<Record<string, Prices | undefined>> = pricesMissing === false
  ? (JSON.parse(readFileSync(file, 'utf8')) as { models: Record<string, Prices> }).models
  : {}

/**
 * OpenAI's bill in 10⁻¹² USD, reckoned from the price list alone and without a line of the product's code; null for
 * models without a price. Long contexts are none of its business.
 *
 * @param names the response's model, then the requested one: the first with a price counts
 */
export function independentCost (
  names: ReadonlyArray<string | null>, serviceTier: string | null, tokens: TextTokens
): bigint | null {
  if (tokens.input > 272_000) throw new RangeError('this sum does not cover long contexts')
  const prices = names.flatMap(name =>
    name === null ? [] : [models[name], models[name.replace(/-\d{4}-\d\d-\d\d$/, '')]])
    .find(found => found !== undefined)
  const rates = prices?.[serviceTier ?? ''] ?? prices?.['standard']
  if (rates === undefined) return null
  const input = picoUsd(rates.input)
  return BigInt(tokens.input - tokens.cached) * input +
    BigInt(tokens.cached) * (rates.cached_input === undefined ? input : picoUsd(rates.cached_input)) +
    BigInt(tokens.output) * picoUsd(rates.output)
}

/** The numeric column's text: always twelve decimals. */
export function usdText (picoUsd: bigint): string {
  const digits = picoUsd.toString().padStart(13, '0')
  return `${digits.slice(0, -12)}.${digits.slice(-12)}`
}

/** USD per million tokens, digit by digit, as 10⁻¹² USD per token. */
function picoUsd (usdPerMillion = 0): bigint {
  const [, whole = '', fraction = ''] = /^(\d+)(?:\.(\d{1,6}))?$/.exec(String(usdPerMillion)) ?? []
  if (whole === '') throw new RangeError(`not a price with up to six decimals: ${usdPerMillion}`)
  return BigInt(whole + fraction.padEnd(6, '0'))
}
