import type { Database, Drizzle } from '../../db/client.js'
import { announcePolicyChange } from '../../db/policy-store.js'

/**
 * Runs a change of policy (configs, settings, keys) and its announcement to the other instances in one transaction, and
 * resolves when this instance goes by it: the next call sees it. If `change` throws, nothing was changed.
 */
export type ChangePolicy = <T>(change: (transaction: Drizzle) => Promise<T>) => Promise<T>

export function createChangePolicy (database: Database, onPolicyChange: () => Promise<void>): ChangePolicy {
  return async change => {
    const result = await database.operator.transaction(async (transaction: Drizzle) => {
      const result = await change(transaction)
      await announcePolicyChange(transaction)
      return result
    })
    await onPolicyChange()
    return result
  }
}
