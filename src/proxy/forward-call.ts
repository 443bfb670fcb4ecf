import type { IncomingMessage, ServerResponse } from 'node:http'
import { performance } from 'node:perf_hooks'
import type { KeepLimits } from '../metering/response-reader.js'
import type { Caller } from './identity.js'
import type { PreparedBody } from './prepare-body.js'
import { Relay } from './relay.js'
import { CallerGoneError } from './request-body.js'
import { upstreamHeaders } from './upstream-headers.js'
import type { Upstream } from './upstream.js'

export interface ForwardDeps {
  readonly upstream: Upstream
  /** Whether a text is a gateway key. */
  readonly knowsKey: (text: string) => boolean
  readonly limits: KeepLimits
}

/** A call, as far as the upstream has to know of it. */
export interface ForwardableCall {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  /** Path and query behind `/v1`. */
  readonly path: string
  readonly caller: Caller
}

/**
 * Sends a call upstream, once.
 * @param asking the body with `stream_options` injected; null where the caller's own goes
 */
export function forwardCall (
  { upstream, knowsKey, limits }: ForwardDeps, call: ForwardableCall, body: PreparedBody, asking: Buffer | null
): Relay {
  const { req, res } = call
  const expectsStream = body.facts.members?.value('stream') === true
  const relay = new Relay({ res, strip: asking !== null, expectsStream, limits, monotonicMs: () => performance.now() })
  const content = asking ?? body.content
  relay.attach(upstream.forward({
    method: req.method ?? 'GET',
    path: call.path,
    headers: upstreamHeaders(req.rawHeaders, {
      caller: call.caller,
      knowsKey,
      lengthIsOurs: content instanceof Buffer,
      asksForUsage: asking !== null,
      isDecoded: asking !== null && body.isCoded
    }),
    body: content
  }, relay))
  const leave = (): void => { if (!res.writableEnded) relay.callerGone(new CallerGoneError()) }
  if (res.destroyed || req.socket.destroyed) leave()
  res.on('close', leave)
  return relay
}
