import type { Drizzle } from '../../db/client.js'
import { auditLog } from '../../db/schema/index.js'
import { uuidV7 } from '../../recording/uuid-v7.js'

/** One change that an operator made. */
export interface AuditEntry {
  /** What was done, as `thing.verb`: `budget.update`. */
  readonly action: string
  /** To what: a prompt type, an id, a model. */
  readonly target: string
  /** What it was, as the API shows it; null where it was made. Never a secret. */
  readonly before: unknown
  /** What it became; null where it was deleted. */
  readonly after: unknown
}

/** Writes the entry in the transaction of the change: both are there, or neither. */
export async function insertAudit (transaction: Drizzle, username: string, { action, target, before, after }: AuditEntry): Promise<void> {
  await transaction.insert(auditLog).values({
    id: uuidV7(Date.now()),
    username,
    action,
    target,
    before: before === null ? null : JSON.stringify(before),
    after: after === null ? null : JSON.stringify(after)
  })
}
