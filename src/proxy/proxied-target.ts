import { decodeUnreserved } from '../metering/path-readings.js'

/** A request target under one of the proxy's prefixes. */
export interface ProxiedTarget {
  /** Path and query behind `/v1`, as the caller wrote them. */
  readonly path: string
  /** The type that the path form names, percent-encoded; null in the plain form. */
  readonly promptType: string | null
}

const PLAIN = /^\/v1(?=[/?]|$)/
const WITH_PROMPT_TYPE = /^\/prompt-types\/([^/?]*)\/v1(?=[/?]|$)/
/** What the prefixes are not written with, but may be spelled with. */
const SPELLED = /\/\/|\/\.|%/
const SEGMENT = /\/([^/?]*)/y

/**
 * The target behind `/v1` or `/prompt-types/{prompt_type}/v1`, however the prefix is spelled; null if it is under
 * neither.
 */
export function proxiedTarget (url: string): ProxiedTarget | null {
  const target = originForm(url)
  const prefix = PLAIN.exec(target) ?? WITH_PROMPT_TYPE.exec(target)
  if (prefix !== null) return { path: target.slice(prefix[0].length), promptType: prefix[1] ?? null }
  return SPELLED.test(target) ? behindSpelledPrefix(target) : null
}

/** The path and query of a request target in absolute form, which every server takes (RFC 9112 §3.2.2). */
function originForm (url: string): string {
  return url.startsWith('/') ? url : url.replace(/^https?:\/\/[^/?]*/i, '')
}

/** Reads segments until their normal form is a prefix: `//v1`, `/%761`, `/./v1`, `/prompt-types/x//v1`. */
function behindSpelledPrefix (target: string): ProxiedTarget | null {
  const open: Array<{ readonly raw: string, readonly name: string }> = []
  SEGMENT.lastIndex = 0
  for (let segment = SEGMENT.exec(target); segment !== null; segment = SEGMENT.exec(target)) {
    const [, raw = ''] = segment
    const name = decodeUnreserved(raw)
    if (name === '' || name === '.') continue
    if (name === '..') open.pop()
    else open.push({ raw, name })
    const [first, second, third] = open
    const isPlain = open.length === 1 && first?.name === 'v1'
    const isTyped = open.length === 3 && first?.name === 'prompt-types' && third?.name === 'v1'
    if (isPlain || isTyped) {
      return {
        path: target.slice(SEGMENT.lastIndex), promptType: isTyped ? second?.raw ?? null : null
      }
    }
  }
  return null
}
