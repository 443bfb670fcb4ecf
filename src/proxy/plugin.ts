import { type IncomingMessage, METHODS, type ServerResponse } from 'node:http'
import type { FastifyInstance, RawRequestDefaultExpression } from 'fastify'
import { GatewayError } from '../errors.js'
import { type ProxyDeps, createProxyRoute } from './route.js'

/** Where the router finds the proxy; callers never see this path. */
const PROXY_PATH = '/v1'

const PLAIN = /^\/v1(?=[/?]|$)/
const WITH_PROMPT_TYPE = /^\/prompt-types\/([^/?]*)\/v1(?=[/?]|$)/

/** The path and query of a request target in absolute form, which every server takes (RFC 9112 §3.2.2). */
function originForm (url: string): string {
  return url.startsWith('/') ? url : url.replace(/^https?:\/\/[^/?]*/i, '')
}

/**
 * For Fastify's `rewriteUrl`: every call to the proxy goes to one route, by its prefix alone. What stands behind it is the
 * upstream's business, so the router must not decode it, find fault with it or limit its length.
 */
export function routeProxyCalls (req: RawRequestDefaultExpression): string {
  const url = originForm(req.url ?? '/')
  return PLAIN.test(url) || WITH_PROMPT_TYPE.test(url) ? PROXY_PATH : url
}

/** The data plane: `/v1/*` and `/prompt-types/{prompt_type}/v1/*`, every method. */
export function proxyPlugin (app: FastifyInstance, deps: ProxyDeps, done: () => void): void {
  const route = createProxyRoute(deps)
  for (const method of METHODS) {
    if (method !== 'CONNECT' && !app.supportedMethods.includes(method)) app.addHttpMethod(method, { hasBody: true })
  }
  app.server.on('checkContinue', (req: IncomingMessage, res: ServerResponse) => {
    // The proxy says when it wants a body; all others do at once, as Node does by itself.
    if (routeProxyCalls(req) !== PROXY_PATH) res.writeContinue()
    app.server.emit('request', req, res)
  })
  app.route({
    method: app.supportedMethods,
    url: PROXY_PATH,
    // Calls are not logged one by one: none needs a logger of its own.
    childLoggerFactory: logger => logger,
    // From here the raw request and response are the proxy's: Fastify must not read the body.
    onRequest: (request, reply) => {
      reply.hijack()
      const url = originForm(request.originalUrl)
      const prefix = WITH_PROMPT_TYPE.exec(url)
      const path = prefix === null ? url.slice(PROXY_PATH.length) : url.slice(prefix[0].length)
      route(request.raw, reply.raw, path, prefix?.[1] ?? null).catch((error: unknown) => {
        deps.log.error({ err: error }, 'a call failed inside the gateway')
        reply.raw.destroy()
      })
    },
    handler: () => { throw new GatewayError(500, 'internal_error', 'api_error', 'The proxy did not take its call.') }
  })
  done()
}
