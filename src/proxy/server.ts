import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http'
import type { Log } from '../log.js'
import { BoundedConnections, CONNECTION_LIMITS, type ConnectionLimits } from './connection-limits.js'
import { proxiedTarget } from './proxied-target.js'
import type { ProxyRoute } from './route.js'
import { MAX_HEADER_BYTES } from './upstream.js'

export interface ProxyServerOptions {
  /** Takes the calls to `/v1/*` and `/prompt-types/{prompt_type}/v1/*`, with whatever method. */
  readonly route: ProxyRoute
  /** Takes all others. */
  readonly others: (req: IncomingMessage, res: ServerResponse) => void
  readonly log: Log
  /** Where the usual ones do not fit. */
  readonly limits?: Partial<ConnectionLimits> | undefined
}

/**
 * The HTTP server in front of both planes. The prefix of a path decides which plane a request is for. No router
 * decodes, rejects or limits the rest of the path: it is for the upstream.
 */
export function createProxyServer ({ route, others, log, limits }: ProxyServerOptions): Server {
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
  const connections = new BoundedConnections({ ...CONNECTION_LIMITS, ...limits })
  const server = createServer(
    { maxHeaderSize: MAX_HEADER_BYTES, ...connections.serverOptions }, connections.inTurn(take)
  )
  connections.watch(server)
  // Their size is limited; Node would drop those past the first thousand without a word.
  server.maxHeadersCount = 0
  server.on('checkContinue', connections.inTurn((req, res) => {
    // The proxy says when it wants a body; all others do at once, as Node does by itself.
    if (proxiedTarget(req.url ?? '/') === null) res.writeContinue()
    take(req, res)
  }))
  return server
}
