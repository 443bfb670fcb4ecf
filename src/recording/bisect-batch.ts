import type { BatchEntry, RecordBatch } from './call-record.js'

/** Asks whether the database would take a batch: resolves with null, or with why not. */
export type AskRefusal = (batch: RecordBatch) => Promise<{ readonly reason: unknown } | null>

/**
 * Finds the records for whose sake a batch is refused, by halving it, each with its reason. Where each half would do,
 * only not both, there is no telling which record is at fault, and it is all of them.
 *
 * @throws Error where the batch would be taken now; what `ask` throws
 */
export async function bisectBatch (batch: RecordBatch, reason: unknown, ask: AskRefusal): Promise<Map<BatchEntry, unknown>> {
  if (batch.entries.length === 1) return new Map(batch.entries.map(entry => [entry, reason]))
  const middle = Math.ceil(batch.entries.length / 2)
  const refused = new Map<BatchEntry, unknown>()
  for (const entries of [batch.entries.slice(0, middle), batch.entries.slice(middle)]) {
    const half = { id: batch.id, entries }
    const refusal = await ask(half)
    if (refusal === null) continue
    for (const [entry, why] of await bisectBatch(half, refusal.reason, ask)) refused.set(entry, why)
  }
  if (refused.size > 0) return refused
  const refusal = await ask(batch)
  if (refusal === null) throw new Error('the database rejected records that it accepts now', { cause: reason })
  return new Map(batch.entries.map(entry => [entry, refusal.reason]))
}

/**
 * Those of the refused records that are still refused now.
 *
 * @throws Error where all would be taken now; what `ask` throws
 */
export async function refusedAgain (
  id: string, refused: ReadonlyMap<BatchEntry, unknown>, ask: AskRefusal
): Promise<Map<BatchEntry, unknown>> {
  const batch = { id, entries: [...refused.keys()] }
  const refusal = await ask(batch)
  if (refusal === null) throw new Error('the database rejected records that it accepts now')
  return await bisectBatch(batch, refusal.reason, ask)
}
