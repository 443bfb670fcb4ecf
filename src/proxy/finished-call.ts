import type { CallRecord, CostReason, FinishedCall, UsageSource } from '../recording/call-record.js'
import { uuidV7 } from '../recording/uuid-v7.js'
import type { Endpoint } from './endpoints.js'
import { estimateUsage } from './estimate.js'
import type { Caller } from './identity.js'
import type { JsonMembers } from './json-members.js'
import { storedBinary, storedText } from './payload.js'
import type { Admission } from './policy.js'
import type { Pricing } from './pricing.js'
import type { PromptHeaders } from './prompt-headers.js'
import { redactKeys } from './redact.js'
import type { ResponseFacts, ResponseReader } from './response-reader.js'
import type { Tokenizer } from './tokenizer.js'
import { parseUsage, type TokenUsage } from './usage.js'

/** The members of a request body that the gateway looks at. */
export const REQUEST_MEMBERS: ReadonlySet<string> = new Set(['model', 'stream', 'stream_options', 'user', 'safety_identifier', 'metadata'])

/** All that is known of a call once its outcome is. */
export interface CallFacts {
  readonly endpoint: Endpoint
  readonly admission: Admission
  readonly headers: PromptHeaders
  readonly caller: Caller
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
  /** Null where the body passed without a look inside. */
  readonly body: Buffer | null
  readonly members: JsonMembers | null
  readonly contentType: string
  readonly sizeBytes: number
}

export interface BookkeepingDeps {
  readonly provider: string
  readonly pricing: Pricing
  readonly tokenizer: Tokenizer
  readonly payloadMaxBytes: number
  readonly now: () => number
}

const MAX_LABEL_CHARACTERS = 256
const MAX_ERROR_CHARACTERS = 2000

/** Makes the record of a call: what it used, what that costs, and how it went. */
export async function finishedCall (deps: BookkeepingDeps, call: CallFacts): Promise<FinishedCall> {
  const { request, response, admission } = call
  const facts = response.reader?.facts() ?? null
  const error = errorOf(call, facts)
  const requestModel = label(request.members?.string('model') ?? null)
  const buildPayload = payloadBuilder(deps.payloadMaxBytes, call)
  const { usage, source } = await usageOf(deps, call, facts, requestModel, buildPayload)
  const nowMs = deps.now()

  const record: CallRecord = {
    id: uuidV7(nowMs),
    createdAtMs: nowMs,
    promptType: admission.promptType,
    taskDescription: redacted(call.headers.description),
    provider: deps.provider,
    endpoint: label(call.endpoint.name) ?? '',
    requestModel,
    responseModel: label(facts?.model ?? null),
    serviceTier: label(facts?.serviceTier ?? null),
    user: redacted(label(call.headers.user) ?? userOf(request.members) ?? call.caller.user),
    keyId: call.caller.keyId,
    metadata: redacted(call.headers.metadata ?? metadataOf(request.members)),
    stream: request.members?.value('stream') === true,
    statusCode: response.statusCode,
    success: error === null,
    errorType: error?.type ?? null,
    errorMessage: error === null ? null : redactKeys(error.message).slice(0, MAX_ERROR_CHARACTERS),
    inputTokens: usage?.inputTokens ?? null,
    cachedInputTokens: usage?.cachedInputTokens ?? null,
    outputTokens: usage?.outputTokens ?? null,
    reasoningTokens: usage?.reasoningTokens ?? null,
    usageSource: source,
    ...costOf(deps, call, facts, requestModel, usage, nowMs),
    durationMs: call.durationMs,
    timeToFirstByteMs: call.timeToFirstByteMs,
    upstreamRequestId: label(response.upstreamRequestId),
    requestBytes: request.sizeBytes,
    responseBytes: response.sizeBytes,
    logged: admission.logged,
    storeFullData: admission.storeFullData,
    newConfig: admission.newConfig
  }
  return { record, buildPayload }
}

function costOf (deps: BookkeepingDeps, call: CallFacts, facts: ResponseFacts | null, requestModel: string | null,
  usage: TokenUsage | null, nowMs: number): { costPicoUsd: bigint | null, costReason: CostReason | null } {
  if (call.endpoint.metering === 'none') return { costPicoUsd: null, costReason: 'not_metered' }
  if (call.endpoint.metering === 'free') return { costPicoUsd: 0n, costReason: null }
  if (usage === null) return { costPicoUsd: null, costReason: 'no_usage' }
  return deps.pricing.price({
    responseModel: facts?.model ?? null,
    requestModel,
    serviceTier: facts?.serviceTier ?? null,
    usage,
    atMs: nowMs - call.durationMs
  })
}

/** The upstream's own count; an estimate where a good answer, or the part of one that came, has none. */
async function usageOf (deps: BookkeepingDeps, call: CallFacts, facts: ResponseFacts | null, requestModel: string | null,
  buildPayload: FinishedCall['buildPayload']): Promise<{ usage: TokenUsage | null, source: UsageSource }> {
  if (call.endpoint.metering !== 'tokens' || facts === null) return { usage: null, source: 'none' }
  const usage = parseUsage(facts.usage)
  if (usage !== null) return { usage, source: 'upstream' }
  const unfinished = facts.status === 'queued' || facts.status === 'in_progress'
  if (call.response.statusCode >= 300 || unfinished || call.response.reader?.isModelOutput !== true) return { usage: null, source: 'none' }
  const { prompt, response } = buildPayload()
  const estimate = await estimateUsage(deps.tokenizer, {
    endpoint: call.endpoint.name,
    model: facts.model ?? requestModel,
    requestText: prompt,
    responseText: response
  })
  return { usage: estimate, source: 'estimated' }
}

function errorOf (call: CallFacts, facts: ResponseFacts | null): { type: string, message: string } | null {
  const upstream = upstreamError(facts?.error)
  const { statusCode } = call.response
  if (call.failure !== null) return call.failure
  if (upstream !== null) return upstream
  return statusCode >= 400 ? { type: 'http_error', message: `The upstream API answered ${statusCode} without an error object.` } : null
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
    return 'The upstream API answered with an error that is nested too deep to be kept.'
  }
}

function text (object: object, key: string): string | null {
  const value: unknown = Reflect.get(object, key)
  return typeof value === 'string' && value !== '' ? value : null
}

function userOf (members: JsonMembers | null): string | null {
  return label(members?.string('safety_identifier') ?? members?.string('user') ?? null)
}

function metadataOf (members: JsonMembers | null): string | null {
  const value = members?.value('metadata')
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? members?.get('metadata')?.text ?? null : null
}

/** Names come from outside: no longer than any real one, and no key that got into the wrong place. */
function label (value: string | null): string | null {
  return value === null || value === '' ? null : redactKeys(value).slice(0, MAX_LABEL_CHARACTERS)
}

function redacted (value: string | null): string | null {
  return value === null ? null : redactKeys(value)
}

/** Builds the payload at most once, and lets go of the bodies then. */
function payloadBuilder (maxBytes: number, call: CallFacts): FinishedCall['buildPayload'] {
  let payload: ReturnType<FinishedCall['buildPayload']> | null = null
  return () => {
    payload ??= {
      prompt: promptText(maxBytes, call.request),
      response: call.response.reader?.text() ?? null
    }
    return payload
  }
}

function promptText (maxBytes: number, request: RequestFacts): string | null {
  if (request.body !== null && request.body.length > 0) return storedText(request.body, maxBytes)
  return request.sizeBytes === 0 ? null : storedBinary(request.contentType, request.sizeBytes)
}
