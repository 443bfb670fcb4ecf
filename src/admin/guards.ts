import type { FastifyRequest } from 'fastify'
import { crossSiteRequest } from './errors.js'

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Refuses a state-changing request that a browser sends for another site's page, to which it adds the operator's
 * login by itself. Browsers say so in `Sec-Fetch-Site` (https://www.w3.org/TR/fetch-metadata/), older ones only in
 * `Origin` (RFC 6454 §7); what is no browser sends neither.
 * @throws GatewayError 403 `cross_site_request`
 */
export function refuseCrossSite (request: FastifyRequest): void {
  if (safeMethods.has(request.method)) return
  const { origin, host } = request.headers
  const site = request.headers['sec-fetch-site']
  const ownSite = site === undefined
    ? origin === undefined || (URL.canParse(origin) && new URL(origin).host === host)
    : site === 'same-origin' || site === 'none'
  if (!ownSite) throw crossSiteRequest()
}
