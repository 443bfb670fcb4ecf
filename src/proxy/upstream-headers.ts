import { readableCodings } from './content-coding.js'
import { endToEndHeaders, isNamed } from './hop-by-hop.js'
import type { Caller } from './identity.js'
import { isPromptHeader } from './prompt-headers.js'

export interface UpstreamHeadersOptions {
  readonly caller: Caller
  /** The body is sent whole, with a `Content-Length` of the gateway's own. */
  readonly lengthIsOurs: boolean
  /** The answer has to be read and changed, so only codings that can be undone here may be offered. */
  readonly asksForUsage: boolean
}

/** The caller's end-to-end headers, in their order, less what is meant for the gateway. */
export function upstreamHeaders (rawHeaders: readonly string[], { caller, lengthIsOurs, asksForUsage }: UpstreamHeadersOptions): string[] {
  const headers = endToEndHeaders(rawHeaders, name =>
    isNamed(name, 'host') || isNamed(name, 'expect') || isPromptHeader(name) || (lengthIsOurs && isNamed(name, 'content-length')))
  if (caller.upstreamAuthorization === null && !asksForUsage) return headers
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? ''
    if (caller.upstreamAuthorization !== null && isNamed(name, 'authorization')) headers[i + 1] = caller.upstreamAuthorization
    if (asksForUsage && isNamed(name, 'accept-encoding')) headers[i + 1] = readableCodings(headers[i + 1] ?? '')
  }
  return headers
}
