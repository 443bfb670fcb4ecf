/**
 * Money is counted in 10⁻¹² USD: a price in USD per million tokens, with up to six decimals, is a whole number of them
 * per token.
 */
const PICO_USD_PER_USD = 1_000_000_000_000n
const DECIMALS = 12

/** Exact USD as decimal text without needless zeros: `210000000n` is `'0.00021'`. */
export function picoUsdToDecimal (picoUsd: bigint): string {
  const sign = picoUsd < 0n ? '-' : ''
  const magnitude = picoUsd < 0n ? -picoUsd : picoUsd
  const fraction = (magnitude % PICO_USD_PER_USD).toString().padStart(DECIMALS, '0').replace(/(?<!0)0+$/, '')
  return `${sign}${magnitude / PICO_USD_PER_USD}${fraction === '' ? '' : `.${fraction}`}`
}

/** The nearest number of USD, once, at the very end. */
export const picoUsdToNumber = (picoUsd: bigint): number => Number(picoUsdToDecimal(picoUsd))

/**
 * The inverse of `picoUsdToDecimal`. Throws a RangeError for text that is no plain decimal, or not whole in 10⁻¹² USD.
 */
export function decimalToPicoUsd (decimal: string): bigint {
  const [, sign, whole, fraction = ''] = /^(-?)(\d+)(?:\.(\d{1,12})0*)?$/.exec(decimal) ?? []
  if (whole === undefined) throw new RangeError(`'${decimal}' is not an amount in USD with at most ${DECIMALS} decimals.`)
  const magnitude = BigInt(whole) * PICO_USD_PER_USD + BigInt(fraction.padEnd(DECIMALS, '0'))
  return sign === '-' ? -magnitude : magnitude
}
