/** Escapes of letters, digits, `-._~`, which mean the same as the characters themselves: RFC 3986 §6.2.2.2. */
const UNRESERVED = /%(?:2[de]|3\d|4[1-9a-f]|5[\daf]|6[1-9a-f]|7[\dae])/gi
const ESCAPES = /%[\da-f]{2}/gi
/** Spaces and control characters, which some servers leave out. */
const PADDING = /[\0-\x20\x7f]+/g
/** Overlong UTF-8 of `.`, `/` and `\`, which old decoders take: RFC 3629 §10. */
const OVERLONG = /\xc0[\xae\xaf]|\xc1\x9c|\xe0\x80[\xae\xaf]|\xe0\x81\x9c/g
const OVERLONG_CHARACTERS: Readonly<Record<string, string>> = {
  '\xc0\xae': '.', '\xc0\xaf': '/', '\xc1\x9c': '\\', '\xe0\x80\xae': '.', '\xe0\x80\xaf': '/', '\xe0\x81\x9c': '\\'
}
/** What only some servers do: take `\` for `/`, leave out a segment's parameters, look for the query after decoding. */
const HABITS: ReadonlyArray<(path: string) => string> = [
  path => path.replaceAll('\\', '/'),
  path => path.includes(';') ? path.split('/').map(segment => segment.split(';', 1)[0]).join('/') : path,
  path => path.split(/[?#]/, 1)[0] ?? ''
]
/** A server or a proxy in front of it decodes a path once; two of them, twice. */
const MAX_DECODINGS = 2

/** The path of a request target, without its query. */
export function withoutQuery (target: string): string {
  const query = target.indexOf('?')
  return query === -1 ? target : target.slice(0, query)
}

/**
 * A path's normal form (RFC 3986 §6.2.2: unreserved characters decoded, dot segments removed), slashes merged, without
 * those at its ends: `chat/completions`. What climbs above its root stays at the root.
 */
export function normalName (path: string): string {
  const open: string[] = []
  for (const segment of decodeUnreserved(path).split('/')) {
    if (segment === '..') open.pop()
    else if (segment !== '' && segment !== '.') open.push(segment)
  }
  return open.join('/')
}

/**
 * Each way in which a server may read a path, as its segments; null for a reading that climbs above the root. Takes
 * time in proportion to the path's length.
 */
export function * pathReadings (path: string): Generator<readonly string[] | null> {
  const seen = new Set<string>()
  let text = path
  for (let decodings = 0; ; decodings++) {
    const readings = new Set([
      decodeUnreserved(text).replace(OVERLONG, long => OVERLONG_CHARACTERS[long] ?? '').replace(PADDING, '')
    ])
    for (const habit of HABITS) for (const reading of [...readings]) readings.add(habit(reading))
    for (const reading of readings) {
      if (seen.has(reading)) continue
      seen.add(reading)
      yield segmentsOf(reading)
    }
    if (decodings === MAX_DECODINGS || !text.includes('%')) return
    text = decoded(text, ESCAPES)
  }
}

/** Whether a server may read the path as one that leaves the folder that it is appended to. */
export function leavesFolder (path: string): boolean {
  if (!/[.%\xc0\xe0]/.test(path)) return false
  for (const segments of pathReadings(path)) if (segments === null) return true
  return false
}

/** Empty segments add no depth: a server may merge slashes before it resolves `..`, and then climbs further. */
function segmentsOf (path: string): string[] | null {
  const open: string[] = []
  for (const segment of path.split('/')) {
    if (segment === '' || segment === '.') continue
    if (segment !== '..') open.push(segment)
    else if (open.pop() === undefined) return null
  }
  return open
}

/** RFC 3986 §6.2.2.2: what an escape says that needs none. */
export const decodeUnreserved = (text: string): string => decoded(text, UNRESERVED)

const decoded = (text: string, escapes: RegExp): string =>
  text.includes('%') ? text.replace(escapes, escape => String.fromCharCode(parseInt(escape.slice(1), 16))) : text
