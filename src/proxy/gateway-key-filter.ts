import { type GatewayKeyLike, findGatewayKeys, mayHoldGatewayKey } from '../redaction/key-shapes.js'
import { replaceRanges } from '../redaction/redact.js'
import { isNamed } from './hop-by-hop.js'

/** Whether this is a key of the gateway's: one that is in force, or was revoked. */
export type KnowsKey = (key: string) => boolean

/** In a path something has to stand in the key's place: without it another resource would be named. */
const IN_PATH = 'redacted-key'

/**
 * The headers without gateway keys, wherever in a name or value they are, percent-encoded or in Basic credentials
 * (RFC 7617). What only looks like one inside of something longer, such as a JWT, is left where it is, unless it is
 * known.
 *
 * @param headers a flat list of names and values; the same list where there is nothing to take out
 */
export function withoutGatewayKeys (headers: string[], knows: KnowsKey): string[] {
  // One scan for all of them: hardly any call has one outside of its carrier.
  if (!mayHoldGatewayKey(headers.join('\n')) && !hasBasic(headers)) return headers
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? ''
    const value = cleanedValue(name, headers[i + 1] ?? '', knows)
    if (value !== null) kept.push(name, value)
  }
  return kept
}

/** The path and query without gateway keys. A parameter that is nothing else goes whole. */
export function pathWithoutGatewayKeys (path: string, knows: KnowsKey): string {
  if (!mayHoldGatewayKey(path)) return path
  const question = path.indexOf('?')
  const resource = question === -1 ? path : path.slice(0, question)
  const kept = replaceRanges(resource, leaking(resource, knows), IN_PATH)
  if (question === -1) return kept
  const query = cleanedList(path.slice(question + 1), '&', parameter => withoutKeys(parameter, knows))
  return query === '' ? kept : `${kept}?${query}`
}

/** Whether a header's value has a gateway key in it, in any form. */
export function holdsGatewayKey (value: string, knows: KnowsKey): boolean {
  return leaking(value, knows).length > 0 || leaking(basicCredentials(value) ?? '', knows).length > 0
}

function cleanedValue (name: string, value: string, knows: KnowsKey): string | null {
  if (leaking(name, knows).length > 0) return null
  if (!holdsGatewayKey(value, knows)) return value
  const unlessKey = (item: string): string | null => leaking(item, knows).length > 0 ? null : item
  if (isNamed(name, 'cookie')) return orNull(cleanedList(value, ';', unlessKey).trim())
  if (isNamed(name, 'sec-websocket-protocol')) return orNull(cleanedList(value, ',', unlessKey).trim())
  return basicCredentials(value) === null ? withoutKeys(value, knows) : null
}

/**
 * What is left of the text; null where it says nothing more, or taking a key out made another of what was around
 * it.
 */
function withoutKeys (text: string, knows: KnowsKey): string | null {
  const found = leaking(text, knows)
  if (found.length === 0) return text
  const rest = replaceRanges(text, found, '').trim()
  const saysMore = /[A-Za-z0-9]/.test(rest.replace(/^[^=\s]*=/, '').replace(/bearer|%[\da-f]{2}/gi, ''))
  return saysMore && leaking(rest, knows).length === 0 ? rest : null
}

function cleanedList (list: string, separator: string, clean: (item: string) => string | null): string {
  return list.split(separator).map(clean).filter(item => item !== null).join(separator)
}

/** A text with more of them than this means nothing: they are not asked for one by one, each for a hash. */
const MAX_ASKED = 32

function leaking (text: string, knows: KnowsKey): GatewayKeyLike[] {
  const found = findGatewayKeys(text)
  return found.length > MAX_ASKED ? found : found.filter(({ key, standsAlone }) => standsAlone || knows(key))
}

function hasBasic (headers: readonly string[]): boolean {
  for (let i = 1; i < headers.length; i += 2) if (basicCredentials(headers[i] ?? '') !== null) return true
  return false
}

/** Decoded; null where the value holds none. */
function basicCredentials (value: string): string | null {
  if ((value.charCodeAt(0) | 0x20) !== 0x62 /* b */) return null
  const base64 = /^basic +([\w+/-]+=*) *$/i.exec(value)?.[1]
  return base64 === undefined ? null : Buffer.from(base64, 'base64').toString('latin1')
}

const orNull = (text: string): string | null => text === '' ? null : text
