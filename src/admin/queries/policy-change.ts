import type { Database, Drizzle } from '../../db/database.js'
import { announcePolicyChange } from '../../db/policy-store.js'
import { type AuditEntry, insertAudit } from './audit-log.js'

/** Writes an audit row of the change under the operator's name. */
export type Audit = (entry: AuditEntry) => Promise<void>

/**
 * Runs a change of policy (configs, settings, keys, budgets, prices) in one transaction with its audit rows and its
 * announcement to other instances. Resolves once this instance applies it: the next call sees it. If `change` throws,
 * nothing was changed.
 */
export type ChangePolicy = <T>(change: (transaction: Drizzle, audit: Audit) => Promise<T>) => Promise<T>

export function createChangePolicy (
  database: Database, username: string, now: () => number, onPolicyChange: () => Promise<void>
): ChangePolicy {
  return async change => {
    const result = await database.operator.transaction(async (transaction: Drizzle) => {
      const result = await change(transaction, async entry => await insertAudit(transaction, username, now(), entry))
      await announcePolicyChange(transaction)
      return result
    })
    await onPolicyChange()
    return result
  }
}
