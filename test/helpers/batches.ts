import { uuidV7 } from '../../src/recording/uuid-v7.js'
import type { BatchEntry, CallRecord, RecordBatch, StoredPayload } from '../../src/recording/call-record.js'

/** A successful chat completion of November 2026, with what the test wants otherwise. */
export const callRecord = (wanted: Partial<CallRecord> = {}): CallRecord => {
  const createdAtMs = wanted.createdAtMs ?? Date.UTC(2026, 10, 20, 12, 30)
  return {
    id: uuidV7(createdAtMs),
    createdAtMs,
    promptType: 'summarize',
    taskDescription: 'Summarizes a page',
    provider: 'openai',
    endpoint: 'chat/completions',
    requestModel: 'gpt-4o-mini',
    responseModel: 'gpt-4o-mini-2024-07-18',
    serviceTier: 'default',
    user: 'ann',
    keyId: null,
    metadata: '{"page":1}',
    stream: false,
    statusCode: 200,
    success: true,
    isCall: true,
    blocked: false,
    errorType: null,
    errorMessage: null,
    inputTokens: 100,
    cachedInputTokens: 20,
    outputTokens: 10,
    reasoningTokens: 0,
    usageDetails: null,
    usageSource: 'upstream',
    costPicoUsd: 19_500_000n,
    costReason: null,
    durationMs: 800,
    timeToFirstByteMs: 700,
    upstreamRequestId: 'req_1',
    requestBytes: 400,
    responseBytes: 900,
    logged: true,
    storeFullData: false,
    newConfig: { trackFullData: false, isActive: true },
    ...wanted
  }
}

export const entry = (wanted: Partial<CallRecord> = {}, payload: StoredPayload | null = null): BatchEntry =>
  ({ record: callRecord(wanted), payload })

export const batchOf = (...entries: BatchEntry[]): RecordBatch => ({ id: uuidV7(Date.UTC(2026, 10, 20)), entries })
