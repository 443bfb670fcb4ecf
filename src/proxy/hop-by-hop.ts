/** Fields of one connection, not of the message: RFC 9110 §7.6.1. What `Connection` names besides is one of them too. */
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'transfer-encoding', 'upgrade'])

/** The fields that `Connection` names, lower-case; null if it names none beyond the known ones. */
function namedByConnection (rawHeaders: readonly string[]): Set<string> | null {
  let named: Set<string> | null = null
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.length !== 10 || rawHeaders[i]?.toLowerCase() !== 'connection') continue
    for (const token of (rawHeaders[i + 1] ?? '').split(',')) {
      const name = token.trim().toLowerCase()
      if (name !== '' && name !== 'close' && name !== 'keep-alive') (named ??= new Set()).add(name)
    }
  }
  return named
}

/**
 * The end-to-end headers of a message, in their order, with their case and duplicates.
 *
 * @param rawHeaders a flat list of names and values
 * @param skip further headers to leave out
 */
export function endToEndHeaders (rawHeaders: readonly string[], skip: (lowerCaseName: string) => boolean): string[] {
  const named = namedByConnection(rawHeaders)
  const kept: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? ''
    const key = name.toLowerCase()
    if (HOP_BY_HOP.has(key) || named?.has(key) === true || skip(key)) continue
    kept.push(name, rawHeaders[i + 1] ?? '')
  }
  return kept
}
