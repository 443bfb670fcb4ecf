/** Whether a header has this name. (The length is compared first: it tells most names apart.) */
export function isNamed (name: string, lowerCaseName: string): boolean {
  return name.length === lowerCaseName.length && name.toLowerCase() === lowerCaseName
}

/** The first value of a header, as it came. */
export function headerValue (rawHeaders: readonly string[], lowerCaseName: string): string | null {
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (isNamed(rawHeaders[i] ?? '', lowerCaseName)) return rawHeaders[i + 1] ?? ''
  }
  return null
}

/** All values of a header that is a list, as one: RFC 9110 §5.3. Null where it is not there. */
export function listValue (rawHeaders: readonly string[], lowerCaseName: string): string | null {
  let list: string | null = null
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (!isNamed(rawHeaders[i] ?? '', lowerCaseName)) continue
    const value = rawHeaders[i + 1] ?? ''
    list = list === null ? value : `${list}, ${value}`
  }
  return list
}

/**
 * Fields of one connection, not of the message: RFC 9110 §7.6.1. What `Connection` names besides is one of them too.
 */
function isHopByHop (name: string): boolean {
  switch (name.length) {
    case 2: return isNamed(name, 'te')
    case 7: return isNamed(name, 'upgrade')
    case 10: return isNamed(name, 'connection') || isNamed(name, 'keep-alive')
    case 16: return isNamed(name, 'proxy-connection')
    case 17: return isNamed(name, 'transfer-encoding')
    default: return false
  }
}

/** The fields that `Connection` names, lower-case; null if it names none beyond the known ones. */
function namedByConnection (rawHeaders: readonly string[]): Set<string> | null {
  let named: Set<string> | null = null
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (!isNamed(rawHeaders[i] ?? '', 'connection')) continue
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
 * @param skip further headers to leave out, by their name as it came
 */
export function endToEndHeaders (rawHeaders: readonly string[], skip: (name: string) => boolean): string[] {
  const named = namedByConnection(rawHeaders)
  const kept: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? ''
    if (isHopByHop(name) || named?.has(name.toLowerCase()) === true || skip(name)) continue
    kept.push(name, rawHeaders[i + 1] ?? '')
  }
  return kept
}
