import type { IncomingMessage, ServerResponse } from 'node:http'
import { performance } from 'node:perf_hooks'
import { pathHoldsKey, pathLeavesBase, promptTypeRequired, websocketNotSupported } from '../errors.js'
import type { Log } from '../log.js'
import type { BodyRoom, BodyShare } from './body-room.js'
import type { BudgetGate, Reservation } from '../policy/budget-gate.js'
import { costCeiling } from '../metering/cost-ceiling.js'
import { gatewayError, relayedFacts, unsentFacts } from './call-outcome.js'
import type { Cors } from './cors.js'
import { type Endpoint, costliestMethod, endpointOf, mayCost } from '../metering/endpoints.js'
import { type BookkeepingDeps, buildCallRecord } from './build-call-record.js'
import type { CallRecorder } from './call-recorder.js'
import { type ForwardDeps, forwardCall } from './forward-call.js'
import { holdsGatewayKey, queryWithoutGatewayKeys } from './gateway-key-filter.js'
import { type Caller, type IdentityOptions, identifyCaller, knowsKey } from './identity.js'
import { leavesFolder, withoutQuery } from '../metering/path-readings.js'
import { type Admission, type Policy, UNTYPED } from '../policy/policy.js'
import { isPreflight } from './preflight.js'
import { type PreparedBody, UNREAD, prepareBody } from './prepare-body.js'
import { type PromptHeaders, parsePromptHeaders } from './prompt-headers.js'
import { redactKeys } from '../redaction/redact.js'
import { rejectCall } from './reject-call.js'
import { PassingBody, hasBody } from './request-body.js'
import type { StreamUsageExceptions } from '../metering/stream-usage-exceptions.js'
import { createUnreadCodings } from './unread-codings.js'
import { StreamBufferLimit } from '../capture/stream-buffer-limit.js'
import type { Upstream } from './upstream.js'

export interface ProxyDeps extends BookkeepingDeps {
  readonly policy: Policy
  readonly budgets: Pick<BudgetGate, 'check' | 'isStrict' | 'reserve'>
  readonly upstream: Upstream
  readonly recorder: Pick<CallRecorder, 'expect' | 'record'>
  readonly upstreamApiKey: string | null
  /** Null: preflights and CORS headers are the upstream's. */
  readonly cors: Cors | null
  readonly promptTypeRequired: boolean
  readonly upstreamTimeoutMs: number
  readonly streamUsage: 'inject' | 'estimate'
  readonly streamUsageExceptions: StreamUsageExceptions
  readonly maxBodyBytes: number
  readonly bodyRoom: BodyRoom
  readonly log: Log
}

/** What is known of a call once it is let in. */
interface AdmittedCall {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly endpoint: Endpoint
  /** Path and query behind `/v1`. */
  readonly path: string
  readonly headers: PromptHeaders
  readonly caller: Caller
  readonly admission: Admission
  readonly startedAtMs: number
  /** Of the memory for gathered bodies, until the call is over. */
  readonly bodyShare: BodyShare
}

/** A request that names no caller: a preflight carries no key, and gets none. */
const ANONYMOUS: Caller = { keyId: null, user: null, upstreamAuthorization: null }
const NO_BODY: PreparedBody = { content: null, asking: null, isCoded: false, facts: UNREAD }

/** Handles one call, from its headers to its record. `path` is what stands behind `/v1`, with the query. */
export type ProxyRoute = (req: IncomingMessage, res: ServerResponse, path: string, pathPromptType: string | null) => Promise<void>

export function createProxyRoute (deps: ProxyDeps): ProxyRoute {
  const identity: IdentityOptions = { upstreamApiKey: deps.upstreamApiKey, findKey: hash => deps.policy.findKey(hash), now: deps.now }
  const knows = knowsKey(deps.policy)
  const unreadCodings = createUnreadCodings(deps.log)
  const unread = new StreamBufferLimit()
  const forwarding: ForwardDeps = {
    upstream: deps.upstream,
    knowsKey: knows,
    limits: { payloadMaxBytes: deps.payloadMaxBytes, unreadBytes: () => unread.bytes }
  }

  return async (req, res, requested, pathPromptType) => {
    const path = queryWithoutGatewayKeys(requested, knows)
    let call: AdmittedCall
    const asksFirst = isPreflight(req)
    if (!asksFirst) deps.cors?.attach(req, res)
    try {
      if (asksForWebSocket(req)) throw websocketNotSupported()
      if (leavesFolder(withoutQuery(path))) throw pathLeavesBase()
      if (holdsGatewayKey(withoutQuery(path), knows)) throw pathHoldsKey()
      if (asksFirst) {
        await answerPreflight(req, res, path)
        return
      }
      const headers = parsePromptHeaders(req.rawHeaders, pathPromptType)
      const caller = identifyCaller(identity, req.rawHeaders, headers.promptType)
      const endpoint = endpointOf(costliestMethod(req.method ?? 'GET', req.headers), path, hasBody(req))
      if (deps.promptTypeRequired && headers.promptType === UNTYPED && mayCost(endpoint)) throw promptTypeRequired()
      const admission = deps.policy.admit(headers.promptType, headers.storeFullData)
      const bodyShare = deps.bodyRoom.open()
      call = { req, res, endpoint, path, headers, caller, admission, startedAtMs: performance.now(), bodyShare }
    } catch (error) {
      rejectCall(deps.log, req, res, error)
      return
    }
    deps.recorder.expect()
    unread.enter()
    try {
      await answer(call)
    } finally {
      unread.leave()
      call.bodyShare.release()
    }
  }

  /** In no books: it is a question about a call, and not one. */
  async function answerPreflight (req: IncomingMessage, res: ServerResponse, path: string): Promise<void> {
    if (deps.cors !== null) {
      res.writeHead(204, deps.cors.preflight(req)).end()
      return
    }
    const relay = forwardCall(forwarding, { req, res, path, caller: ANONYMOUS }, NO_BODY, null)
    const outcome = await relay.outcome
    if (outcome.kind === 'unanswered') rejectCall(deps.log, req, res, gatewayError(outcome.error, deps.upstreamTimeoutMs))
    else relay.release()
  }

  async function answer (call: AdmittedCall): Promise<void> {
    const { req, res } = call
    let body: PreparedBody | null = null
    let reservation: Reservation | null
    try {
      if (mayCost(call.endpoint)) deps.budgets.check(call.admission.promptType)
      body = await prepareBody(call, {
        maxBodyBytes: deps.maxBodyBytes,
        mayAsk: deps.streamUsage === 'inject',
        isStrict: deps.budgets.isStrict(call.admission.promptType)
      })
      reservation = await reserve(deps, call, body)
    } catch (error) {
      if (body?.content instanceof PassingBody) body.content.destroy() // What is left of it is read and dropped.
      await deps.recorder.record(await buildCallRecord(deps, unsentFacts(call, body?.facts ?? UNREAD, error)))
      rejectCall(deps.log, req, res, error)
      return
    }
    try {
      await exchange(call, body, reservation)
    } finally {
      reservation?.release()
    }
  }

  async function exchange (call: AdmittedCall, body: PreparedBody, reservation: Reservation | null): Promise<void> {
    const { req, res } = call
    const model = body.facts.members?.string('model') ?? null
    const isException = body.asking !== null && deps.streamUsageExceptions.has(call.endpoint.name, model)
    let asking = isException ? null : body.asking
    let relay = forwardCall(forwarding, call, body, asking)
    let outcome = await relay.outcome
    if (outcome.kind === 'usage_refused') {
      const rejected = relay
      asking = null
      relay = forwardCall(forwarding, call, body, asking)
      outcome = await relay.outcome
      rejected.abandon()
      // If it fails again, the fault may be the caller's own.
      if (relay.head !== null && relay.head.statusCode < 400) learnException(deps, call.endpoint.name, model)
    }
    if (relay.unreadCoding !== null) unreadCodings.note(relay.unreadCoding, asking !== null)
    const recorded = deps.recorder.record(await buildCallRecord(deps, relayedFacts(call, body.facts, relay, outcome, deps.upstreamTimeoutMs)))
    reservation?.release() // Its cost counts from now on.
    await recorded
    if (outcome.kind === 'unanswered') rejectCall(deps.log, req, res, gatewayError(outcome.error, deps.upstreamTimeoutMs))
    else relay.release()
  }
}

/** `Upgrade` is a list: RFC 9110 §7.8. */
function asksForWebSocket ({ headers: { upgrade } }: IncomingMessage): boolean {
  return upgrade !== undefined && /(?:^|,)\s*websocket\s*(?:,|\/|$)/i.test(upgrade)
}

function learnException ({ streamUsageExceptions, log }: ProxyDeps, endpoint: string, model: string | null): void {
  streamUsageExceptions.add(endpoint, model)
  log.info({ endpoint, model: model === null ? null : redactKeys(model).slice(0, 256) },
    'the upstream rejects stream_options for this model: its streams are not asked for usage for an hour')
}

/** Holds what the call may cost, where a strict budget wants that. @throws GatewayError 429 `budget_exceeded` */
async function reserve (deps: ProxyDeps, { endpoint, admission: { promptType } }: AdmittedCall, { facts }: PreparedBody): Promise<Reservation | null> {
  if (!mayCost(endpoint) || !deps.budgets.isStrict(promptType)) return null
  return deps.budgets.reserve(promptType, await costCeiling(deps, endpoint, facts))
}
