import { BUDGET_EXCEEDED } from '../errors.js'
import type { Log } from '../log.js'
import type { Pricing } from '../pricing/pricing.js'
import { type TokenUsage, usageDetails } from '../pricing/token-usage.js'
import { TOO_LONG_METADATA, storedMetadata } from '../lib/stored-object.js'
import type { CallRecord, FinishedCall, UsageSource } from '../recording/call-record.js'
import { uuidV7 } from '../recording/uuid-v7.js'
import { inSlices } from '../lib/slices.js'
import { CallPayload, readableBody } from '../capture/call-payload.js'
import { type Endpoint, mayCost } from '../metering/endpoints.js'
import { estimateUsage } from '../metering/estimate-usage.js'
import type { Caller } from './identity.js'
import type { JsonMembers } from '../decoders/json-members.js'
import type { Admission } from '../policy/policy.js'
import type { PromptHeaders } from './prompt-headers.js'
import { redactKeys } from '../redaction/redact.js'
import type { ResponseFacts, ResponseReader } from '../metering/response-reader.js'
import type { Tokenizer } from '../metering/tokenizer.js'
import { withUnreadInput } from '../metering/unread-input.js'
import { parseUsage } from '../metering/parse-usage.js'

/** The members of a request body that the gateway reads. */
export const REQUEST_MEMBERS: ReadonlySet<string> = new Set([
  'model', 'stream', 'stream_options', 'user', 'safety_identifier', 'metadata'
])

/** Everything that is known of a call with a known outcome. */
export interface CallFacts {
  /**
   * What was known when it was let in. (Referred to, not copied: a copy of an object of this size costs more than all
   * that is done with it.)
   */
  readonly call: {
    readonly endpoint: Endpoint
    readonly admission: Admission
    readonly headers: PromptHeaders
    readonly caller: Caller
  }
  readonly request: RequestFacts
  readonly response: {
    readonly statusCode: number
    readonly reader: ResponseReader | null
    readonly sizeBytes: number
    readonly upstreamRequestId: string | null
  }
  /** Why the call failed short of a whole answer from upstream; null where there was one. */
  readonly failure: { readonly type: string, readonly message: string } | null
  readonly durationMs: number
  readonly timeToFirstByteMs: number | null
}

export interface RequestFacts {
  /** Decoded; null where the body passed without a look inside, or could not be decoded. */
  readonly body: Buffer | null
  readonly members: JsonMembers | null
  /** The field `model` of a form that passed. */
  readonly formModel?: string | null
  /** Why there was no look inside; null where there was, or where there is no body. */
  readonly unread: string | null
  readonly contentType: string
  /** As they came over the wire. */
  readonly sizeBytes: number
}

export interface BookkeepingDeps {
  readonly provider: string
  readonly pricing: Pricing
  readonly tokenizer: Tokenizer
  readonly payloadMaxBytes: number
  readonly now: () => number
  readonly log: Log
}

/** What a call used, as far as its answer says. */
interface Used {
  readonly answer: ResponseFacts | null
  readonly usage: TokenUsage | null
  readonly source: UsageSource
  readonly cost: Pick<CallRecord, 'costPicoUsd' | 'costReason'>
}

const MAX_LABEL_CHARACTERS = 256
const MAX_ERROR_CHARACTERS = 2000

/**
 * Builds the record of a call: what it used, what that costs, and how it went. Never rejects: a call that cannot be
 * understood is still counted, without what it used.
 */
export async function buildCallRecord (deps: BookkeepingDeps, facts: CallFacts): Promise<FinishedCall> {
  const { request, response } = facts
  const { admission, headers, caller, endpoint } = facts.call
  const requestModel = label(request.members?.string('model') ?? request.formModel ?? null)
  const payload = new CallPayload(deps.payloadMaxBytes, request, response.reader)
  if (payload.isLong) {
    await payload.buildInSlices().catch((error: unknown) => {
      payload.drop()
      deps.log.error({ err: error }, 'a call is recorded without its prompt and response, which could not be read')
    })
  }
  const { answer, usage, source, cost } = await usedBy(deps, facts, requestModel)
  const error = errorOf(facts, answer)
  const blocked = isBlocked(facts)
  const nowMs = deps.now()

  const record: CallRecord = {
    id: uuidV7(nowMs),
    createdAtMs: nowMs,
    promptType: admission.promptType,
    taskDescription: redacted(headers.description),
    provider: deps.provider,
    endpoint: label(endpoint.name) ?? '',
    requestModel,
    responseModel: label(answer?.model ?? null),
    serviceTier: label(answer?.serviceTier ?? null),
    user: label(headers.user) ?? userOf(request.members) ?? redacted(caller.user),
    keyId: caller.keyId,
    metadata: metadataOf(headers.metadata, request.members),
    stream: request.members?.value('stream') === true,
    statusCode: response.statusCode,
    success: error === null,
    isCall: mayCost(endpoint),
    blocked,
    errorType: error?.type ?? null,
    errorMessage: error === null ? null : redactKeys(error.message).slice(0, MAX_ERROR_CHARACTERS),
    inputTokens: usage?.inputTokens ?? null,
    cachedInputTokens: usage?.cachedInputTokens ?? null,
    outputTokens: usage?.outputTokens ?? null,
    reasoningTokens: usage?.reasoningTokens ?? null,
    usageDetails: usage === null ? null : usageDetails(usage),
    usageSource: source,
    costPicoUsd: cost.costPicoUsd,
    costReason: cost.costReason,
    durationMs: facts.durationMs,
    timeToFirstByteMs: facts.timeToFirstByteMs,
    upstreamRequestId: label(response.upstreamRequestId),
    requestBytes: request.sizeBytes,
    responseBytes: response.sizeBytes,
    logged: admission.logged,
    storeFullData: admission.storeFullData,
    newConfig: admission.newConfig
  }
  return { record, buildPayload: () => payload.build() }
}

/** The upstream's own count; an estimate where a good answer, or the part of one that came, has none. */
async function usedBy (deps: BookkeepingDeps, facts: CallFacts, requestModel: string | null): Promise<Used> {
  try {
    const answer = facts.response.reader?.facts() ?? null
    let usage = saysUsage(facts, answer) ? parseUsage(answer?.usage) : null
    let source: UsageSource = usage === null ? 'none' : 'upstream'
    if (usage === null && answer !== null && isEstimable(facts, answer)) {
      usage = await estimateUsage(deps.tokenizer, {
        endpoint: facts.call.endpoint.name,
        model: answer.model ?? requestModel,
        request: readableBody(facts.request),
        response: facts.response.reader === null ? null : await inSlices(facts.response.reader.kept())
      })
      if (facts.request.unread !== null) usage = withUnreadInput(usage, facts.request.sizeBytes, answer.model)
      source = 'estimated'
    }
    return { answer, usage, source, cost: costOf(deps, facts, answer, requestModel, usage) }
  } catch (error) {
    deps.log.error({ err: error }, 'the usage of a call could not be determined; the call is recorded without it')
    return { answer: null, usage: null, source: 'none', cost: costOf(deps, facts, null, requestModel, null) }
  }
}

function isEstimable ({ call, response }: CallFacts, answer: ResponseFacts): boolean {
  const isUnfinished = answer.status === 'queued' || answer.status === 'in_progress'
  return call.endpoint.metering === 'tokens' && response.statusCode < 300 && !isUnfinished &&
    response.reader?.isModelOutput === true
}

function costOf (
  deps: BookkeepingDeps,
  facts: CallFacts,
  answer: ResponseFacts | null,
  requestModel: string | null,
  usage: TokenUsage | null
): Used['cost'] {
  const { metering } = facts.call.endpoint
  if (!mayCost(facts.call.endpoint) || isBlocked(facts)) return { costPicoUsd: null, costReason: 'not_metered' }
  if (usage === null) {
    return {
      costPicoUsd: null, costReason: metering === 'tokens' || saysUsage(facts, answer) ? 'no_usage' : 'not_metered'
    }
  }
  return deps.pricing.price({
    responseModel: answer?.model ?? null,
    requestModel,
    serviceTier: answer?.serviceTier ?? null,
    usage,
    atMs: deps.now() - facts.durationMs
  })
}

/** Whether the answer tells what the call used, maybe in a form that is not known here, such as seconds of audio. */
function saysUsage ({ call: { endpoint: { metering } } }: CallFacts, answer: ResponseFacts | null): boolean {
  const usage: unknown = answer?.usage
  if (!mayCost({ metering }) || typeof usage !== 'object' || usage === null) return false
  // A job that was only begun has counts of 0.
  return metering === 'tokens' || Object.values(usage).some(count => typeof count === 'number' && count > 0)
}

/** Stopped by a budget: it went nowhere. (The failure is one of the gateway's own; an upstream's is in the answer.) */
function isBlocked ({ failure }: CallFacts): boolean {
  return failure?.type === BUDGET_EXCEEDED
}

function errorOf (facts: CallFacts, answer: ResponseFacts | null): { type: string, message: string } | null {
  if (facts.failure !== null) return facts.failure
  const upstream = upstreamError(answer?.error)
  const { statusCode } = facts.response
  if (upstream !== null) return upstream
  return statusCode >= 400
    ? { type: 'http_error', message: `The upstream API answered ${statusCode} without an error object.` }
    : null
}

/** OpenAI's error object: https://platform.openai.com/docs/guides/error-codes */
function upstreamError (error: unknown): { type: string, message: string } | null {
  if (typeof error === 'string' && error !== '') return { type: 'upstream_error', message: error }
  if (typeof error !== 'object' || error === null) return null
  const type = text(error, 'type') ?? text(error, 'code') ?? 'upstream_error'
  return { type: label(type) ?? 'upstream_error', message: text(error, 'message') ?? jsonText(error) }
}

/** JSON can be nested deeper than it can be written again. */
function jsonText (value: object): string {
  try {
    return JSON.stringify(value)
  } catch {
    return 'The upstream API answered with an error that is nested too deep to be stored.'
  }
}

function text (object: object, key: string): string | null {
  const value: unknown = Reflect.get(object, key)
  return typeof value === 'string' && value !== '' ? value : null
}

function userOf (members: JsonMembers | null): string | null {
  return label(members?.string('safety_identifier') ?? members?.string('user') ?? null)
}

function metadataOf (header: string | null, members: JsonMembers | null): string | null {
  if (header !== null) return storedMetadata(redactKeys(header))
  const member = members?.get('metadata')
  if (member === undefined) return null
  if (member.text === null) return TOO_LONG_METADATA
  const value = members?.value('metadata')
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isObject ? storedMetadata(redactKeys(member.text)) : null
}

/** Names come from outside: no longer than any real one, and no key that got into the wrong place. */
function label (value: string | null): string | null {
  return value === null || value === '' ? null : redactKeys(value).slice(0, MAX_LABEL_CHARACTERS)
}

function redacted (value: string | null): string | null {
  return value === null ? null : redactKeys(value)
}
