/** As many as a double holds of any number: one with more may not be the number that was sent. */
const MOST_DIGITS = 15
const MOST_DECIMALS = 12

/**
 * The decimal text of an amount in USD that came as a JSON number, exactly as it was written. Null if it has more
 * decimals than the books, or more digits than a JSON number can represent exactly.
 */
export function usdText (amount: number): string | null {
  const [, whole = '', fraction = '', exponent = '0'] = /^(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(amount)) ?? []
  const decimals = fraction.length - Number(exponent)
  const digits = (whole + fraction).replace(/^0+/, '')
  if (digits === '' || digits.length > MOST_DIGITS || decimals > MOST_DECIMALS) return null
  if (decimals <= 0) return digits + '0'.repeat(-decimals)
  const padded = digits.padStart(decimals + 1, '0')
  return `${padded.slice(0, -decimals)}.${padded.slice(-decimals)}`
}
