import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http'
import type { Log } from '../log.js'
import { proxiedTarget } from './proxied-target.js'
import type { ProxyRoute } from './route.js'
import { MAX_HEADER_BYTES } from './upstream.js'

/** Longer than clients and load balancers keep an idle connection, so that it is they who close it. */
const KEEP_ALIVE_MS = 72_000

export interface ProxyServerOptions {
  /** Takes the calls to `/v1/*` and `/prompt-types/{prompt_type}/v1/*`, with whatever method. */
  readonly route: ProxyRoute
  /** Takes all others. */
  readonly others: (req: IncomingMessage, res: ServerResponse) => void
  readonly log: Log
}

/**
 * The HTTP server in front of both planes. Which of them a request is for, its prefix says; what stands behind it is the
 * upstream's business, so no router decodes it, finds fault with it or limits its length.
 */
export function createProxyServer ({ route, others, log }: ProxyServerOptions): Server {
  const take = (req: IncomingMessage, res: ServerResponse): void => {
    const target = proxiedTarget(req.url ?? '/')
    if (target === null) {
      others(req, res)
      return
    }
    route(req, res, target.path, target.promptType).catch((error: unknown) => {
      log.error({ err: error }, 'a call failed inside the gateway')
      res.destroy()
    })
  }
  // No limit on the time that a request takes to arrive: a large body over a slow line is no fault.
  const server = createServer({ maxHeaderSize: MAX_HEADER_BYTES, keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0 }, take)
  // Their size is limited; Node would drop those past the first thousand without a word.
  server.maxHeadersCount = 0
  server.on('checkContinue', (req: IncomingMessage, res: ServerResponse) => {
    // The proxy says when it wants a body; all others do at once, as Node does by itself.
    if (proxiedTarget(req.url ?? '/') === null) res.writeContinue()
    take(req, res)
  })
  return server
}
