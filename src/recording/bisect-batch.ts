import type { BatchEntry, RecordBatch } from './call-record.js'

/** Asks whether the database would accept a batch: resolves with null, or with the reason why not. */
export type AskRejection = (batch: RecordBatch) => Promise<{ readonly reason: unknown } | null>

/**
 * Finds the records because of which a batch is rejected, by halving it, each with its reason. Where each half alone
 * is accepted, but not both, any record may be at fault, so all are returned.
 *
 * @throws Error where the batch would be accepted now; what `ask` throws
 */
export async function bisectBatch (
  batch: RecordBatch, reason: unknown, ask: AskRejection
): Promise<Map<BatchEntry, unknown>> {
  if (batch.entries.length === 1) return new Map(batch.entries.map(entry => [entry, reason]))
  const middle = Math.ceil(batch.entries.length / 2)
  const rejected = new Map<BatchEntry, unknown>()
  for (const entries of [batch.entries.slice(0, middle), batch.entries.slice(middle)]) {
    const half = { id: batch.id, entries }
    const rejection = await ask(half)
    if (rejection === null) continue
    for (const [entry, why] of await bisectBatch(half, rejection.reason, ask)) rejected.set(entry, why)
  }
  if (rejected.size > 0) return rejected
  const rejection = await ask(batch)
  if (rejection === null) throw new Error('the database rejected records that it accepts now', { cause: reason })
  return new Map(batch.entries.map(entry => [entry, rejection.reason]))
}

/**
 * Those of the rejected records that are still rejected now.
 *
 * @throws Error where all would be accepted now; what `ask` throws
 */
export async function rejectedAgain (
  id: string, rejected: ReadonlyMap<BatchEntry, unknown>, ask: AskRejection
): Promise<Map<BatchEntry, unknown>> {
  const batch = { id, entries: [...rejected.keys()] }
  const rejection = await ask(batch)
  if (rejection === null) throw new Error('the database rejected records that it accepts now')
  return await bisectBatch(batch, rejection.reason, ask)
}
