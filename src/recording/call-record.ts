/**
 * One finished request as it is recorded. Immutable; the field names follow the usage log,
 * in camelCase, with units at the end of the name.
 */
export interface CallRecord {
  /** UUIDv7 (RFC 9562), made when the call finished: ids sort as the records do. */
  readonly id: string
  /** When the call finished, milliseconds since the epoch. The log, the rollups and budgets count a call here. */
  readonly createdAtMs: number

  readonly promptType: string
  /** `X-Prompt-Description`: the description of a config that this record creates, and of the log row. */
  readonly taskDescription: string | null
  readonly provider: string
  /** The route behind `/v1/`, without its query: `chat/completions`. */
  readonly endpoint: string
  readonly requestModel: string | null
  readonly responseModel: string | null
  /** The tier that served the call, as the response says. */
  readonly serviceTier: string | null
  readonly user: string | null
  readonly keyId: string | null
  /** JSON text of an object. */
  readonly metadata: string | null
  readonly stream: boolean

  /** What the caller was sent; 499 where the caller left before there was a status (as nginx says it). */
  readonly statusCode: number
  readonly success: boolean
  /** It may have cost money. A request that only reads, or is free, has a log row and counts in no statistics. */
  readonly isCall: boolean
  /** A budget stopped it before upstream saw it: it counts in `blocked_calls`, and in nothing else. */
  readonly blocked: boolean
  readonly errorType: string | null
  readonly errorMessage: string | null

  readonly inputTokens: number | null
  /** Part of `inputTokens`. */
  readonly cachedInputTokens: number | null
  readonly outputTokens: number | null
  /** Part of `outputTokens`. */
  readonly reasoningTokens: number | null
  /** JSON text: the counts of `TokenUsage` that have no member here and are not 0; null where there are none. */
  readonly usageDetails: string | null
  readonly usageSource: UsageSource
  /** In 10⁻¹² USD, which holds any token count times any price per million tokens exactly. Null: no price. */
  readonly costPicoUsd: bigint | null
  /** Why `costPicoUsd` is null; null where it is not. */
  readonly costReason: CostReason | null

  readonly durationMs: number
  readonly timeToFirstByteMs: number | null
  readonly upstreamRequestId: string | null
  readonly requestBytes: number
  readonly responseBytes: number

  /** The type's `is_active` when the call was admitted: a usage-log row is written. */
  readonly logged: boolean
  /** The type's `track_full_data`, or the header's override: the row carries prompt and response. */
  readonly storeFullData: boolean
  /** What a config created by this record starts with. */
  readonly newConfig: { readonly trackFullData: boolean, readonly isActive: boolean }
}

export type UsageSource = 'upstream' | 'estimated' | 'none'
export type CostReason = 'unknown_model' | 'no_usage' | 'not_metered'

/** The request and response body as they are stored: JSON text, media elided, capped, clean for Postgres `text`. */
export interface StoredPayload {
  readonly prompt: string | null
  readonly response: string | null
}

/**
 * A record before it is written. Its payload is built only if it is stored: for the newest call of a type in a batch,
 * and where full data is stored.
 */
export interface FinishedCall {
  readonly record: CallRecord
  readonly buildPayload: () => StoredPayload
}

/** The records of one commit, in the order in which their calls finished. */
export interface RecordBatch {
  /** UUIDv7. Its row in `recorded_batches` makes writing the same batch again a no-op. */
  readonly id: string
  readonly entries: readonly BatchEntry[]
}

export interface BatchEntry {
  readonly record: CallRecord
  /** Null where nothing would keep it. */
  readonly payload: StoredPayload | null
}
