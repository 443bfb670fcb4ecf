import { redoableCodings } from './accept-encoding.js'
import { type KnowsKey, withoutGatewayKeys } from './gateway-key-filter.js'
import { endToEndHeaders, isNamed } from './hop-by-hop.js'
import { type Caller, isCredential } from './identity.js'
import { isPromptHeader } from './prompt-headers.js'

export interface UpstreamHeadersOptions {
  readonly caller: Pick<Caller, 'upstreamAuthorization'>
  /** Gateway keys are taken out wherever they are. */
  readonly knowsKey: KnowsKey
  /** The body is sent whole, with a `Content-Length` of the gateway's own. */
  readonly lengthIsOurs: boolean
  /** The answer has to be read and changed, so only codings that can be undone here may be offered. */
  readonly asksForUsage: boolean
  /** The body came compressed and goes on decoded. */
  readonly isDecoded: boolean
}

/**
 * Headers by which IIS and frameworks (Symfony, Zend) take another path than the request's: a call would reach what it
 * is not metered for, outside of the base path. Servers that make variables of names take `_` for `-`.
 */
const OTHER_PATH = /^x[-_](?:(?:original|rewrite)[-_]ur[il]|waws[-_]unencoded[-_]url)$/i

/** The caller's end-to-end headers, in their order, less what is meant for the gateway. */
export function upstreamHeaders (
  rawHeaders: readonly string[], { caller, knowsKey, lengthIsOurs, asksForUsage, isDecoded }: UpstreamHeadersOptions
): string[] {
  let headers = endToEndHeaders(rawHeaders, name =>
    isNamed(name, 'host') || isNamed(name, 'expect') || isPromptHeader(name) || OTHER_PATH.test(name) ||
    (lengthIsOurs && isNamed(name, 'content-length')) ||
    (isDecoded && isNamed(name, 'content-encoding')))
  if (caller.upstreamAuthorization !== null) headers = authorized(headers, caller.upstreamAuthorization)
  headers = withoutGatewayKeys(headers, knowsKey)
  if (!asksForUsage) return headers
  for (let i = 0; i < headers.length; i += 2) {
    if (!isNamed(headers[i] ?? '', 'accept-encoding')) continue
    headers[i + 1] = redoableCodings(headers[i + 1] ?? '') ?? 'identity'
  }
  return headers
}

/**
 * With the gateway's own key where the caller's credentials were, and no other: an upstream might prefer another
 * header's.
 */
function authorized (headers: readonly string[], authorization: string): string[] {
  const kept: string[] = []
  let isAuthorized = false
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? ''
    if (!isCredential(name)) kept.push(name, headers[i + 1] ?? '')
    else if (!isAuthorized && isNamed(name, 'authorization')) {
      kept.push(name, authorization)
      isAuthorized = true
    }
  }
  if (!isAuthorized) kept.push('Authorization', authorization)
  return kept
}
