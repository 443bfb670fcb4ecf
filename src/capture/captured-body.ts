import type { Steps } from '../lib/slices.js'

/** A body, or its beginning, as it is retained to be stored and counted. */
export interface CapturedBody {
  /** Text decoded; of a stream, the object that its events add up to. */
  readonly content: Buffer | string
  /** How long the whole is: more than `content` where only the beginning was kept. */
  readonly sizeBytes: number
}

/** A response body, as far as it may be stored. */
export interface CapturedResponse {
  /** The body as it is stored, or null if there was none. May be asked for long after the call. */
  text: () => string | null
  /** What of the body can be read; null where that is nothing. May be asked for until `text` is not wanted any more. */
  kept: () => Steps<CapturedBody | null>
  /** So long that `text` would take too much time at once. */
  readonly isLong: boolean
}

/** A longer body is processed in slices. */
export const LONG_BODY_BYTES = 256 * 1024

export function isLong (body: CapturedBody | null): boolean {
  return body !== null && body.content.length > LONG_BODY_BYTES
}
