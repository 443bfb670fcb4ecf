import type { IncomingMessage, ServerResponse } from 'node:http'
import { GatewayError } from '../errors.js'
import type { Log } from '../log.js'
import { CallerGoneError, expectsContinue } from './request-body.js'

/** Answers a call that went nowhere, with an error of the gateway's own. */
export function rejectCall (log: Log, req: IncomingMessage, res: ServerResponse, error: unknown): void {
  if (error instanceof CallerGoneError || res.headersSent || res.destroyed) {
    res.destroy()
    return
  }
  if (!(error instanceof GatewayError)) log.error({ err: error }, 'a call failed inside the gateway')
  req.resume() // What is left of the body is read and dropped, so that the caller gets to read the answer.
  const answer = error instanceof GatewayError
    ? error
    : new GatewayError(500, 'internal_error', 'api_error', 'The gateway failed to handle this call; its log says why.')
  const body = Buffer.from(JSON.stringify(answer.toBody()))
  // A caller that waits for `100 Continue` may send its body or not: what comes next on the connection is unknown.
  const connection = expectsContinue(req) && !req.complete ? { connection: 'close' } : {}
  res.writeHead(answer.statusCode, {
    'content-type': 'application/json; charset=utf-8', 'content-length': body.length, ...connection, ...answer.headers
  })
  res.end(body)
}
