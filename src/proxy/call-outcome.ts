import { performance } from 'node:perf_hooks'
import { GatewayError } from '../errors.js'
import type { CallFacts, RequestFacts } from './build-call-record.js'
import { headerValue } from './hop-by-hop.js'
import type { Outcome, Relay } from './relay.js'
import { CallerGoneError } from './request-body.js'
import { toGatewayError } from './upstream.js'

/** nginx's status for a caller that left before it was answered; it is never sent. */
const CALLER_GONE = 499

interface TimedCall {
  /** Monotonic milliseconds. */
  readonly startedAtMs: number
}

/**
 * The facts of a call that never went upstream: a budget rejected it, it was too large, or its caller left while
 * sending it.
 */
export function unsentFacts (call: CallFacts['call'] & TimedCall, request: RequestFacts, error: unknown): CallFacts {
  return {
    call,
    request,
    response: {
      statusCode: error instanceof GatewayError ? error.statusCode : CALLER_GONE,
      reader: null,
      sizeBytes: 0,
      upstreamRequestId: null
    },
    failure: failureOf(error),
    durationMs: Math.round(performance.now() - call.startedAtMs),
    timeToFirstByteMs: null
  }
}

/** The facts of a call that went upstream. */
export function relayedFacts (
  call: CallFacts['call'] & TimedCall, request: RequestFacts, relay: Relay, outcome: Outcome, timeoutMs: number
): CallFacts {
  const { head } = relay
  let failure: CallFacts['failure'] = null
  let statusCode = head?.statusCode ?? CALLER_GONE
  if (outcome.kind === 'caller_gone') failure = failureOf(new CallerGoneError())
  if (outcome.kind === 'cut') {
    failure = {
      type: 'upstream_aborted', message: `The upstream broke off its response: ${outcome.error.message}`
    }
  }
  if (outcome.kind === 'unanswered') {
    const error = gatewayError(outcome.error, timeoutMs)
    failure = failureOf(error)
    if (error instanceof GatewayError) statusCode = error.statusCode
  }
  return {
    call,
    request,
    response: {
      statusCode,
      reader: relay.reader,
      sizeBytes: relay.sizeBytes,
      upstreamRequestId: head === null ? null : headerValue(head.rawHeaders, 'x-request-id')
    },
    failure,
    durationMs: Math.round(performance.now() - call.startedAtMs),
    timeToFirstByteMs: relay.firstByteAtMs === null ? null : Math.round(relay.firstByteAtMs - call.startedAtMs)
  }
}

/** The gateway's error for an upstream's failure; an error of the request's own body stays as it is. */
export function gatewayError (error: Error, timeoutMs: number): Error {
  return error instanceof GatewayError || error instanceof CallerGoneError ? error : toGatewayError(error, timeoutMs)
}

function failureOf (error: unknown): { type: string, message: string } {
  if (error instanceof GatewayError) return { type: error.code, message: error.message }
  if (error instanceof CallerGoneError) return { type: 'caller_gone', message: error.message }
  return { type: 'internal_error', message: String(error) }
}
