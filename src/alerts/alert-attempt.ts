import type { Claim } from './alert-outbox.js'

/** The result of an attempt to deliver an alert. */
export interface Outcome {
  /** Of a webhook's answer, or an SMTP server's; null where there was none. */
  readonly statusCode: number | null
  /** Why it was not delivered, in words and without a secret; null: it was. */
  readonly error: string | null
  /** There is no point in trying again. */
  readonly isFinal?: boolean
  /** The receiver asked not to be tried again sooner. */
  readonly retryAfterMs?: number
}

/** Attempts one delivery. Never rejects because of the receiver; ends when the signal is aborted. */
export type Deliver = (claim: Claim, signal: AbortSignal) => Promise<Outcome>

/** Ends an attempt: the signal's reason says in words why. Clear it when the attempt is over. */
export interface Deadline {
  readonly signal: AbortSignal
  readonly reason: () => string
  readonly clear: () => void
}

/**
 * Aborts after the time, or when the gateway closes. Not by `AbortSignal.any`, whose signals may be garbage-collected
 * while they are awaited.
 */
export function deadline (timeoutMs: number, closing: AbortSignal): Deadline {
  const cut = new AbortController()
  const timer = setTimeout(() => cut.abort(`no answer within ${timeoutMs / 1000} s`), timeoutMs)
  const onClosing = (): void => cut.abort('aborted: the gateway stopped')
  closing.addEventListener('abort', onClosing, { once: true })
  return {
    signal: cut.signal,
    reason: () => String(cut.signal.reason),
    clear: () => {
      clearTimeout(timer)
      closing.removeEventListener('abort', onClosing)
    }
  }
}

const SECOND_MS = 1000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS

/** For how long after the first attempt it is tried again. */
const PATIENCE_MS = 24 * HOUR_MS
/** The waits after the first attempts that failed; every further one is the last. */
const WAITS_MS = [5 * SECOND_MS, 30 * SECOND_MS, 2 * MINUTE_MS, 10 * MINUTE_MS, 30 * MINUTE_MS, HOUR_MS] as const

/**
 * When a delivery whose attempt has just failed is due again, milliseconds since the epoch; null: never. Waits grow to
 * an hour and differ by a fifth either way, so that deliveries that failed together do not come back together.
 * @param random from 0 to 1
 */
export function nextAttemptAtMs (
  { attempt, firstAttemptAtMs }: Pick<Claim, 'attempt' | 'firstAttemptAtMs'>,
  { isFinal = false, retryAfterMs = 0 }: Outcome,
  startedAtMs: number,
  nowMs: number,
  random: number
): number | null {
  if (isFinal) return null
  const waitMs = (WAITS_MS[attempt - 1] ?? HOUR_MS) * (0.8 + 0.4 * random)
  const atMs = nowMs + Math.max(waitMs, retryAfterMs)
  return atMs > (firstAttemptAtMs ?? startedAtMs) + PATIENCE_MS ? null : atMs
}
