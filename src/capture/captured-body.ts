/** A body, or its beginning, as it is kept to be stored and counted. */
export interface KeptBody {
  /** Text decoded; of a stream, the object that its events add up to. */
  readonly content: Buffer | string
  /** How long the whole is: more than `content` where only the beginning was kept. */
  readonly sizeBytes: number
}

/** A longer body is looked at in slices. */
export const LONG_BODY_BYTES = 256 * 1024

export function isLong (body: KeptBody | null): boolean {
  return body !== null && body.content.length > LONG_BODY_BYTES
}
