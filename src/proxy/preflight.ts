import type { IncomingMessage } from 'node:http'
import { costliestMethod } from '../metering/endpoints.js'
import { hasBody } from './request-body.js'

/** What a caller is known by, none of which a browser puts into a preflight. */
const CREDENTIALS = ['authorization', 'api-key', 'x-api-key', 'proxy-authorization', 'cookie'] as const

/**
 * Whether this is a browser's question, before the request itself, if a page of another origin may send it:
 * https://fetch.spec.whatwg.org/#cors-preflight-request. It carries no key and no body, and costs nothing.
 */
export function isPreflight (req: IncomingMessage): boolean {
  if (req.method !== 'OPTIONS') return false
  const { headers } = req
  return costliestMethod('OPTIONS', headers) === 'OPTIONS' && headers.origin !== undefined &&
    headers['access-control-request-method'] !== undefined && !hasBody(req) &&
    CREDENTIALS.every(name => headers[name] === undefined)
}
