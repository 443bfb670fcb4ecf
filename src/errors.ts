import { redactKeys } from './redaction/redact.js'

/** The error body that OpenAI answers with: https://platform.openai.com/docs/guides/error-codes */
export interface ErrorBody {
  error: { message: string, type: string, param: string | null, code: string | null }
}

/** An error that the gateway answers itself: its status, and the `error` object that goes out. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError'
  readonly statusCode: number
  readonly code: string
  readonly type: string
  readonly param: string | null
  readonly headers: Readonly<Record<string, string>>

  constructor (
    statusCode: number, code: string, type: string, message: string, param: string | null = null, headers: Readonly<Record<string, string>> = {}
  ) {
    super(message)
    this.statusCode = statusCode
    this.code = code
    this.type = type
    this.param = param
    this.headers = headers
  }

  /** What goes out names no key, though a caller may have put one where a name belongs. */
  toBody (): ErrorBody {
    const param = this.param === null ? null : redactKeys(this.param)
    return { error: { message: redactKeys(this.message), type: this.type, param, code: this.code } }
  }
}

const request = 'invalid_request_error'

export const invalidPromptType = (got: string): GatewayError => new GatewayError(400, 'invalid_prompt_type', request,
  `'${got}' is not a valid prompt type. Use 1 to 128 of A-Z a-z 0-9 . _ : - and begin with a letter or digit.`, 'X-Prompt-Type')

export const promptTypeIsKey = (param = 'X-Prompt-Type'): GatewayError => new GatewayError(
  400, 'invalid_prompt_type', request,
  'The prompt type is or contains an API key. Send a name for this kind of prompt, and replace that key.', param)

export const invalidPromptHeader = (header: string, rule: string): GatewayError =>
  new GatewayError(400, 'invalid_prompt_header', request, `${header} ${rule}`, header)

export const promptTypeLimit = (limit: number): GatewayError => new GatewayError(400, 'prompt_type_limit', request,
  `This gateway has reached its limit of ${limit} prompt types (MAX_PROMPT_TYPES). Use an existing one, delete unused ones, or raise the limit.`, 'X-Prompt-Type')

export const invalidApiKey = (why: string): GatewayError => new GatewayError(401, 'invalid_api_key', request,
  `${why} Send a gateway key as 'Authorization: Bearer pm_…', 'api-key' or 'x-api-key'; ` +
  'an operator creates one with POST /admin/api/keys.')

/** Rejects a gateway key where the gateway has no upstream key to replace it. */
export const gatewayKeysNotAccepted = (): GatewayError => new GatewayError(401, 'invalid_api_key', request,
  'This gateway has no UPSTREAM_API_KEY, so gateway keys (pm_…) do not work here. Send the upstream\'s own key, ' +
  'or set UPSTREAM_API_KEY and restart the gateway.')

export const promptTypeNotAllowed = (promptType: string): GatewayError =>
  new GatewayError(403, 'prompt_type_not_allowed', request,
  `This gateway key is not allowed to use the prompt type '${promptType}'. Use another type, or ask an operator to allow this one.`, 'X-Prompt-Type')

export const requestTooLarge = (limitBytes: number): GatewayError => new GatewayError(413, 'request_too_large', request,
  `The request body is over the limit of ${limitBytes} bytes (MAX_BODY_BYTES). Send a smaller one, or raise the limit.`)

/** Rejects a request that takes too long. The rest of it is not read, so its connection ends. */
export const requestTimeout = (): GatewayError => new GatewayError(408, 'request_timeout', request,
  'The request did not arrive in time. Send it again without long pauses.', null, { connection: 'close' })

export const gatewayOverloaded = (): GatewayError => new GatewayError(503, 'gateway_overloaded', 'api_error',
  'The gateway has no memory left for another request body. Try again in a moment.', null, { 'retry-after': '1' })

export const promptTypeRequired = (): GatewayError => new GatewayError(400, 'prompt_type_required', request,
  "This gateway requires a prompt type (PROMPT_TYPE_REQUIRED), and this call names none. Send the header 'X-Prompt-Type: my_prompt', " +
  'or use the base URL /prompt-types/my_prompt/v1.', 'X-Prompt-Type')

export const pathLeavesBase = (): GatewayError => new GatewayError(400, 'invalid_path', request,
  "The '..' segments of the path lead out of the API. Send the path of an API route, such as /v1/chat/completions.")

export const pathHoldsKey = (): GatewayError => new GatewayError(400, 'invalid_path', request,
  'The path contains a gateway key, which must not go upstream. ' +
  "Fix the client: send the key as 'Authorization: Bearer pm_…', and replace that key.")

/** Rejects a WebSocket. RFC 9110 §15.5.22: `Upgrade` says by which protocol the request can be made instead. */
export const websocketNotSupported = (): GatewayError => new GatewayError(426, 'websocket_not_supported', request,
  'This gateway does not support WebSocket connections yet. Make the same call over HTTP, or connect to the upstream API directly.', null,
  { upgrade: 'HTTP/1.1', connection: 'Upgrade' })

export const originNotAllowed = (): GatewayError => new GatewayError(403, 'origin_not_allowed', request,
  "Pages of this origin are not allowed to call this gateway. Add the origin to the gateway's CORS_ORIGINS.")

/** The code of calls that a budget rejected, and the `error_type` of their records. */
export const BUDGET_EXCEEDED = 'budget_exceeded'

/**
 * Rejects a call because of a budget.
 * @param why which budget, and when it accepts calls again
 */
export const budgetExceeded = (why: string): GatewayError =>
  new GatewayError(429, BUDGET_EXCEEDED, 'insufficient_quota', why, null,
  // The official clients try a 429 again, unless they are told not to.
    { 'x-should-retry': 'false' })

export const upstreamUnreachable = (why: string): GatewayError =>
  new GatewayError(502, 'upstream_unreachable', 'api_error',
  `The upstream API could not be reached (${why}). Try again. If it still fails, check UPSTREAM_BASE_URL and the network.`)

export const upstreamTimeout = (timeoutMs: number): GatewayError =>
  new GatewayError(504, 'upstream_timeout', 'api_error',
  `The upstream API sent nothing for ${timeoutMs} ms (UPSTREAM_TIMEOUT_MS). Try again, or raise the limit.`)
