import { lookup as systemLookup, type LookupAddress } from 'node:dns'
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import type { LookupFunction } from 'node:net'
import { Webhook } from 'standardwebhooks'
import { isPublicAddress, literalAddress } from './public-address.js'
import { deadline, type Deliver, type Outcome } from './alert-attempt.js'
import { webhookBody } from './alert-message.js'

const TIMEOUT_MS = 10_000
/** What is read of an answer, so that a receiver with a little to say is not cut off. */
const ANSWER_BYTES = 65_536

export interface WebhookOptions {
  /** `whsec_…` */
  readonly secret: string
  /** Targets may be loopback, link-local and private addresses. */
  readonly allowPrivate: boolean
  /** Wall clock, milliseconds since the epoch. */
  readonly now: () => number
  /** Without it, the system's resolver. */
  readonly lookup?: LookupFunction
  readonly timeoutMs?: number
}

/**
 * Posts alerts as Standard Webhooks (https://www.standardwebhooks.com): any 2xx is a delivery, 410 means never again.
 * Redirects are not followed. The check for private addresses applies to the addresses that are connected to, not to
 * an earlier look-up.
 */
export function webhookDelivery ({
  secret, allowPrivate, now, lookup, timeoutMs = TIMEOUT_MS
}: WebhookOptions): Deliver {
  const signer = new Webhook(secret)
  const connectTo = allowPrivate ? lookup : publicOnly(lookup)
  return async (claim, closing) => {
    const url = new URL(claim.target)
    const literal = literalAddress(url.hostname)
    if (!allowPrivate && literal !== null &&
      !isPublicAddress(literal)) return notSent(new PrivateTarget(literal, literal))
    const body = webhookBody(claim)
    const timestamp = new Date(now())
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'user-agent': 'promptmeter',
      'webhook-id': claim.id,
      'webhook-timestamp': Math.floor(timestamp.getTime() / 1000),
      'webhook-signature': signer.sign(claim.id, timestamp, body)
    }
    const { signal, reason, clear } = deadline(timeoutMs, closing)
    try {
      const answer = await post(url, body, { headers, signal, ...connectTo === undefined ? {} : { lookup: connectTo } })
      await drop(answer)
      return outcomeOf(answer.statusCode ?? 0, answer.headers['retry-after'], timestamp)
    } catch (error) {
      if (signal.aborted) return { statusCode: null, error: reason() }
      return error instanceof PrivateTarget ? notSent(error) : { statusCode: null, error: describe(error) }
    } finally {
      clear()
    }
  }
}

/** Resolves with the head of the answer. */
async function post (url: URL, body: string, options: http.RequestOptions): Promise<IncomingMessage> {
  const { request } = url.protocol === 'https:' ? https : http
  return await new Promise((resolve, reject) => {
    request(url, { ...options, method: 'POST', agent: false }, resolve).on('error', reject).end(body)
  })
}

/** Reads the answer's body to its end, a bound or the deadline, whichever comes first. */
async function drop (answer: IncomingMessage): Promise<void> {
  let bytes = 0
  try {
    for await (const chunk of answer) {
      bytes += (chunk as Buffer).length
      if (bytes > ANSWER_BYTES) break
    }
  } catch {
    // The status has come, and it is all that counts: a body that breaks off changes nothing.
  }
}

function outcomeOf (statusCode: number, retryAfter: string | undefined, sentAt: Date): Outcome {
  if (statusCode >= 200 && statusCode < 300) return { statusCode, error: null }
  if (statusCode === 410) return { statusCode, error: 'answered 410: the receiver wants no more alerts', isFinal: true }
  if (statusCode >= 300 && statusCode < 400) {
    return {
      statusCode,
      error: `answered ${statusCode}: redirects are not followed; the budget's webhook_url must be the final one`
    }
  }
  const retryAfterMs = statusCode === 429 || statusCode === 503 ? delayMs(retryAfter, sentAt) : 0
  return { statusCode, error: `answered ${statusCode}`, retryAfterMs }
}

/** Retry-After in seconds or as a date (RFC 9110 §10.2.3); 0 where there is none that can be read. */
function delayMs (retryAfter: string | undefined, sentAt: Date): number {
  if (retryAfter === undefined) return 0
  const ms = /^\d+$/.test(retryAfter) ? Number(retryAfter) * 1000 : Date.parse(retryAfter) - sentAt.getTime()
  return Math.max(0, Number.isNaN(ms) ? 0 : ms)
}

/** A target that may not be connected to. */
class PrivateTarget extends Error {
  constructor (hostname: string, address: string) {
    super(`'${hostname}' leads to ${address}, which is not a public address`)
  }
}

/** Final: the DNS may be fixed within the day, but the name may as well be an attack, so it is tried only once. */
const notSent = ({ message }: PrivateTarget): Outcome =>
  ({ statusCode: null, error: `not sent: ${message}; set WEBHOOK_ALLOW_PRIVATE=true to allow it`, isFinal: true })

/** The look-up, less the addresses that are not public. The connection goes to one of those that it answers with. */
function publicOnly (lookup: LookupFunction = systemLookup): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null) {
        callback(error, [])
        return
      }
      const addresses = found as LookupAddress[]
      const [first, ...others] = addresses.filter(({ address }) => isPublicAddress(address))
      if (first === undefined) {
        callback(new PrivateTarget(
          hostname, addresses.map(({ address }) => address).join(', ')
        ), [])
      } else if (options.all === true) callback(null, [first, ...others])
      else callback(null, first.address, first.family)
    })
  }
}

/** Node's words for it, which name host, address or certificate, never the path. */
function describe (error: unknown): string {
  // Several addresses were tried, and none took the connection.
  const cause = error instanceof AggregateError ? error.errors[0] as unknown : error
  return cause instanceof Error && cause.message !== '' ? cause.message : String(cause)
}
