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
import { ANONYMOUS, type Caller, type IdentityOptions, identifyCaller, knowsKey } from './identity.js'
import { leavesFolder, withoutQuery } from '../metering/path-readings.js'
import { type Admission, type Policy, UNTYPED } from '../policy/policy.js'
import { isPreflight } from './preflight.js'
import { NO_BODY, type PreparedBody, UNREAD, prepareBody } from './prepare-body.js'
import { type PromptHeaders, parsePromptHeaders } from './prompt-headers.js'
import { redactKeys } from '../redaction/redact.js'
import { rejectCall } from './reject-call.js'
import { PassingBody, hasBody } from './request-body.js'
import type { StreamUsageExceptions } from '../metering/stream-usage-exceptions.js'
import { createUnreadCodings } from './unread-codings.js'
import { StreamBufferLimit } from '../capture/stream-buffer-limit.js'
import type { Upstream } from './upstream.js'
import { asksForWebSocket } from './websocket.js'

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

/** Handles one call, from its headers to its record. `path` is what stands behind `/v1`, with the query. */
export type ProxyRoute = (req: IncomingMessage, res: ServerResponse, path: string, pathPromptType: string | null) => Promise<void>

export function createProxyRoute (deps: ProxyDeps): ProxyRoute {
  const calls = new CallHandler(deps)
  return (req, res, path, pathPromptType) => calls.handle(req, res, path, pathPromptType)
}

/** Each step of a call is a method, in their order: docs/architecture.md has them in a table. */
class CallHandler {
  readonly #deps: ProxyDeps
  readonly #identity: IdentityOptions
  readonly #forwarding: ForwardDeps
  readonly #unreadCodings: ReturnType<typeof createUnreadCodings>
  readonly #bufferLimit = new StreamBufferLimit()

  constructor (deps: ProxyDeps) {
    this.#deps = deps
    this.#identity = { upstreamApiKey: deps.upstreamApiKey, findKey: hash => deps.policy.findKey(hash), now: deps.now }
    this.#unreadCodings = createUnreadCodings(deps.log)
    this.#forwarding = {
      upstream: deps.upstream,
      knowsKey: knowsKey(deps.policy),
      limits: { payloadMaxBytes: deps.payloadMaxBytes, unreadBytes: () => this.#bufferLimit.bytes }
    }
  }

  async handle (
    req: IncomingMessage, res: ServerResponse, requested: string, pathPromptType: string | null
  ): Promise<void> {
    const path = queryWithoutGatewayKeys(requested, this.#forwarding.knowsKey)
    const asksFirst = isPreflight(req)
    if (!asksFirst) this.#deps.cors?.attach(req, res)
    let call: AdmittedCall
    try {
      if (asksForWebSocket(req)) throw websocketNotSupported()
      if (leavesFolder(withoutQuery(path))) throw pathLeavesBase()
      if (holdsGatewayKey(withoutQuery(path), this.#forwarding.knowsKey)) throw pathHoldsKey()
      if (asksFirst) {
        await this.#answerPreflight(req, res, path)
        return
      }
      call = this.#admit(req, res, path, pathPromptType)
    } catch (error) {
      this.#reject(req, res, error)
      return
    }
    this.#deps.recorder.expect()
    this.#bufferLimit.enter()
    try {
      await this.#answer(call)
    } finally {
      this.#bufferLimit.leave()
      call.bodyShare.release()
    }
  }

  /** In no books: it is a question about a call, and not one. */
  async #answerPreflight (req: IncomingMessage, res: ServerResponse, path: string): Promise<void> {
    const { cors, upstreamTimeoutMs } = this.#deps
    if (cors !== null) {
      res.writeHead(204, cors.preflight(req)).end()
      return
    }
    const relay = forwardCall(this.#forwarding, { req, res, path, caller: ANONYMOUS }, NO_BODY, null)
    const outcome = await relay.outcome
    if (outcome.kind === 'unanswered') this.#reject(req, res, gatewayError(outcome.error, upstreamTimeoutMs))
    else relay.release()
  }

  /** @throws GatewayError for what cannot be a call */
  #admit (req: IncomingMessage, res: ServerResponse, path: string, pathPromptType: string | null): AdmittedCall {
    const { policy, promptTypeRequired: isRequired, bodyRoom } = this.#deps
    const headers = parsePromptHeaders(req.rawHeaders, pathPromptType)
    const caller = identifyCaller(this.#identity, req.rawHeaders, headers.promptType)
    const endpoint = endpointOf(costliestMethod(req.method ?? 'GET', req.headers), path, hasBody(req))
    if (isRequired && headers.promptType === UNTYPED && mayCost(endpoint)) throw promptTypeRequired()
    const admission = policy.admit(headers.promptType, headers.storeFullData)
    return {
      req, res, endpoint, path, headers, caller, admission, startedAtMs: performance.now(), bodyShare: bodyRoom.open()
    }
  }

  async #answer (call: AdmittedCall): Promise<void> {
    const { budgets, maxBodyBytes, streamUsage, recorder } = this.#deps
    const { promptType } = call.admission
    let body: PreparedBody | null = null
    let reservation: Reservation | null
    try {
      if (mayCost(call.endpoint)) budgets.check(promptType)
      const isStrict = budgets.isStrict(promptType)
      body = await prepareBody(call, { maxBodyBytes, mayAsk: streamUsage === 'inject', isStrict })
      reservation = await this.#reserve(call, body)
    } catch (error) {
      if (body?.content instanceof PassingBody) body.content.destroy() // What is left of it is read and dropped.
      await recorder.record(await buildCallRecord(this.#deps, unsentFacts(call, body?.facts ?? UNREAD, error)))
      this.#reject(call.req, call.res, error)
      return
    }
    try {
      await this.#exchange(call, body, reservation)
    } finally {
      reservation?.release()
    }
  }

  /** Holds what the call may cost, where a strict budget wants that. @throws GatewayError 429 `budget_exceeded` */
  async #reserve (
    { endpoint, admission: { promptType } }: AdmittedCall, { facts }: PreparedBody
  ): Promise<Reservation | null> {
    const { budgets } = this.#deps
    if (!mayCost(endpoint) || !budgets.isStrict(promptType)) return null
    return budgets.reserve(promptType, await costCeiling(this.#deps, endpoint, facts))
  }

  async #exchange (call: AdmittedCall, body: PreparedBody, reservation: Reservation | null): Promise<void> {
    const { streamUsageExceptions, upstreamTimeoutMs, recorder } = this.#deps
    const model = body.facts.members?.string('model') ?? null
    const isException = body.asking !== null && streamUsageExceptions.has(call.endpoint.name, model)
    let asking = isException ? null : body.asking
    let relay = forwardCall(this.#forwarding, call, body, asking)
    let outcome = await relay.outcome
    if (outcome.kind === 'usage_refused') {
      const rejected = relay
      asking = null
      relay = forwardCall(this.#forwarding, call, body, asking)
      outcome = await relay.outcome
      rejected.abandon()
      // If it fails again, the fault may be the caller's own.
      if (relay.head !== null && relay.head.statusCode < 400) learnException(this.#deps, call.endpoint.name, model)
    }
    if (relay.unreadCoding !== null) this.#unreadCodings.note(relay.unreadCoding, asking !== null)
    const facts = relayedFacts(call, body.facts, relay, outcome, upstreamTimeoutMs)
    const recorded = recorder.record(await buildCallRecord(this.#deps, facts))
    reservation?.release() // Its cost counts from now on.
    await recorded
    if (outcome.kind === 'unanswered') this.#reject(call.req, call.res, gatewayError(outcome.error, upstreamTimeoutMs))
    else relay.release()
  }

  #reject (req: IncomingMessage, res: ServerResponse, error: unknown): void {
    rejectCall(this.#deps.log, req, res, error)
  }
}

function learnException ({ streamUsageExceptions, log }: ProxyDeps, endpoint: string, model: string | null): void {
  streamUsageExceptions.add(endpoint, model)
  log.info({ endpoint, model: model === null ? null : redactKeys(model).slice(0, 256) },
    'the upstream rejects stream_options for this model: its streams are not asked for usage for an hour')
}
