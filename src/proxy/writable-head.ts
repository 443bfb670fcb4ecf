const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/** What neither a field value nor a reason phrase may hold (RFC 9110 §5.5, RFC 9112 §4). */
const FORBIDDEN = /[^\t\x20-\x7e\x80-\xff]/g

/** Text that may stand in a head: what may not is a space. */
export function headText (text: string): string {
  return text.replace(FORBIDDEN, ' ')
}

/** Names and values that Node writes: those that HTTP does not allow are made so, or left out. */
export function writableHeaders (headers: readonly string[]): string[] {
  const written: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? ''
    if (TOKEN.test(name)) written.push(name, headText(headers[i + 1] ?? ''))
  }
  return written
}
