import type { OperatorPrice } from '../lib/operator-price.js'
import { decimalToPicoUsd } from '../lib/usd.js'
import { modelNames, type TokenRates } from './model-rates.js'

/** The rates of operators' own that hold for a model at a time; null where there are none. */
export type OperatorRates = (model: string, atMs: number) => TokenRates | null

interface DatedRates {
  readonly fromMs: number
  readonly rates: TokenRates
}

/** Callers name models: for how many of them it is remembered which prices they go by. */
const MAX_REMEMBERED = 1000

/**
 * Looks a model up by its very name, then as a fine-tune (`ft:gpt-4o-2024-08-06:org::id` is `ft:gpt-4o-2024-08-06`),
 * then as a dated snapshot of its family: the first of these that has a price at that time counts. So a price of
 * `gpt-4o` is also that of `gpt-4o-2024-08-06`, unless that has one of its own; it is never that of `ft:gpt-4o`. It is
 * what the operator pays, and holds for every service tier and context length.
 */
export function operatorRates (prices: readonly OperatorPrice[]): OperatorRates {
  if (prices.length === 0) return () => null
  const byModel = new Map<string, DatedRates[]>()
  for (const price of prices) {
    const dated = byModel.get(price.model) ?? []
    byModel.set(price.model, dated)
    dated.push({ fromMs: price.effectiveFromMs, rates: ratesOf(price) })
  }
  // The latest first: the first that holds is the one.
  for (const dated of byModel.values()) dated.sort((a, b) => b.fromMs - a.fromMs)

  const remembered = new Map<string, readonly DatedRates[]>()
  return (model, atMs) => {
    let candidates = remembered.get(model)
    if (candidates === undefined) {
      candidates = modelNames(model).flatMap(name => byModel.get(name) ?? [])
      if (remembered.size >= MAX_REMEMBERED) remembered.delete(remembered.keys().next().value ?? model)
      remembered.set(model, candidates)
    }
    for (const { fromMs, rates } of candidates) if (fromMs <= atMs) return rates
    return null
  }
}

function ratesOf (price: OperatorPrice): TokenRates {
  const input = perToken(price.input)
  const output = perToken(price.output)
  const cachedInput = price.cachedInput === null ? input : perToken(price.cachedInput)
  const audioInput = price.audioInput === null ? null : perToken(price.audioInput)
  return {
    input,
    cachedInput,
    cacheWrite: input,
    audioInput: audioInput ?? input,
    cachedAudioInput: audioInput ?? cachedInput,
    imageInput: input,
    cachedImageInput: cachedInput,
    output,
    audioOutput: price.audioOutput === null ? output : perToken(price.audioOutput),
    imageOutput: output
  }
}

/** 10⁻¹² USD per token; exact, for a price has at most six decimals. */
const perToken = (usdPerMillion: string): bigint => decimalToPicoUsd(usdPerMillion) / 1_000_000n
