import type { FastifyRequest } from 'fastify'
import { crossSiteRequest } from './errors.js'

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Rejects a state-changing request that a browser sends for a page of another site. The browser would add the
 * operator's login to it. Browsers name the site in `Sec-Fetch-Site` (https://www.w3.org/TR/fetch-metadata/), older
 * ones only in `Origin` (RFC 6454 §7); other clients send neither.
 * @throws GatewayError 403 `cross_site_request`
 */
export function rejectCrossSite (request: FastifyRequest): void {
  if (safeMethods.has(request.method)) return
  const { origin, host } = request.headers
  const site = request.headers['sec-fetch-site']
  const ownSite = site === undefined
    ? origin === undefined || (URL.canParse(origin) && new URL(origin).host === host)
    : site === 'same-origin' || site === 'none'
  if (!ownSite) throw crossSiteRequest()
}
