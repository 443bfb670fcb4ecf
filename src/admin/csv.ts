/**
 * Comma-separated values as RFC 4180 has them: lines end with CRLF, a cell with a quote, comma or line break is quoted.
 * A byte-order mark goes first, without which Excel takes UTF-8 for the local 8-bit code; other readers skip it.
 */
export const CSV_START = '\u{feff}'

export type CsvCell = string | number | boolean | null

/** One line. Null is an empty cell. */
export const csvLine = (cells: readonly CsvCell[]): string => `${cells.map(csvCell).join(',')}\r\n`

function csvCell (value: CsvCell): string {
  if (value === null) return ''
  const text = typeof value === 'string' ? defused(value) : String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/**
 * Spreadsheets run what begins with one of these as a formula, and callers choose some of the texts: an apostrophe
 * before it makes it text (https://owasp.org/www-community/attacks/CSV_Injection). A plain number is none.
 */
const defused = (text: string): string =>
  /^[=+\-@\t\r\n]/.test(text) && !/^-\d+(\.\d+)?$/.test(text) ? `'${text}` : text
