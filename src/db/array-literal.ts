const special = /["\\\0]/
const specials = /["\\\0]/g
const escaped = (character: string): string => character === '\0' ? '\uFFFD' : `\\${character}`

/**
 * A Postgres array as text (`{"a","b",NULL}`), for a parameter cast to `text[]`. Any string is safe in it: a NUL, which
 * Postgres refuses in text, becomes U+FFFD, as a lone surrogate does on its way through UTF-8.
 */
export function textArray<Row> (rows: readonly Row[], value: (row: Row) => string | null): string {
  let literal = '{'
  for (const row of rows) {
    const text = value(row)
    if (literal.length > 1) literal += ','
    literal += text === null ? 'NULL' : `"${special.test(text) ? text.replace(specials, escaped) : text}"`
  }
  return literal + '}'
}

/** The same for values that need no quotes: numbers, booleans, uuids, decimals, moments in ISO form. */
export function plainArray<Row> (rows: readonly Row[], value: (row: Row) => string | number | boolean | null): string {
  let literal = '{'
  for (const row of rows) {
    const plain = value(row)
    if (literal.length > 1) literal += ','
    literal += plain === null ? 'NULL' : String(plain)
  }
  return literal + '}'
}
