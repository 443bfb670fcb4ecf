import type { GatewayKeyLike } from '../redaction/key-shapes.js'
import { replaceRanges } from '../redaction/redact.js'
import { isNamed } from './hop-by-hop.js'
import { findLeakingKeys } from './leaking-keys.js'

/** Whether this is a key of the gateway: a valid or a revoked one. */
export type KnowsKey = (key: string) => boolean

/**
 * The headers without gateway keys, wherever in a name or value they are, plain, percent-encoded or in base64, such as
 * Basic credentials (RFC 7617). What only looks like one inside of something longer, such as a JWT, is left where it
 * is, unless it is known.
 *
 * @param headers a flat list of names and values; the same list where there is nothing to take out
 */
export function withoutGatewayKeys (headers: string[], knows: KnowsKey): string[] {
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? ''
    const value = cleanedValue(name, headers[i + 1] ?? '', knows)
    if (value !== null) kept.push(name, value)
  }
  return kept
}

/**
 * The path with a query without gateway keys. A parameter that is nothing else goes whole.
 *
 * @param target path and query
 */
export function queryWithoutGatewayKeys (target: string, knows: KnowsKey): string {
  const question = target.indexOf('?')
  if (question === -1) return target
  const query = cleanedList(target.slice(question + 1), '&', parameter => withoutKeys(parameter, knows))
  const path = target.slice(0, question)
  return query === '' && question < target.length - 1 ? path : `${path}?${query}`
}

/** Whether a text, such as a header's value or a path, contains a gateway key, in any form. */
export function holdsGatewayKey (text: string, knows: KnowsKey): boolean {
  return leaking(text, knows).length > 0
}

function cleanedValue (name: string, value: string, knows: KnowsKey): string | null {
  if (leaking(name, knows).length > 0) return null
  if (!holdsGatewayKey(value, knows)) return value
  const unlessKey = (item: string): string | null => leaking(item, knows).length > 0 ? null : item
  if (isNamed(name, 'cookie')) return orNull(cleanedList(value, ';', unlessKey).trim())
  if (isNamed(name, 'sec-websocket-protocol')) return orNull(cleanedList(value, ',', unlessKey).trim())
  return withoutKeys(value, knows)
}

/**
 * What is left of the text; null where it says nothing more, or taking a key out made another of what was around
 * it.
 */
function withoutKeys (text: string, knows: KnowsKey): string | null {
  const found = leaking(text, knows)
  if (found.length === 0) return text
  const rest = replaceRanges(text, found, '').trim()
  const saysMore = /[A-Za-z0-9]/.test(rest.replace(/^[^=\s]*=/, '').replace(/bearer|basic|%[\da-f]{2}/gi, ''))
  return saysMore && leaking(rest, knows).length === 0 ? rest : null
}

function cleanedList (list: string, separator: string, clean: (item: string) => string | null): string {
  return list.split(separator).map(clean).filter(item => item !== null).join(separator)
}

/** A text with more of them than this means nothing: they are not asked for one by one, each for a hash. */
const MAX_ASKED = 32

function leaking (text: string, knows: KnowsKey): GatewayKeyLike[] {
  const found = findLeakingKeys(text)
  return found.length > MAX_ASKED ? found : found.filter(({ key, standsAlone }) => standsAlone || knows(key))
}

const orNull = (text: string): string | null => text === '' ? null : text
