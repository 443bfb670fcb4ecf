import { eq, gte, lt, type SQL } from 'drizzle-orm'
import type { Drizzle } from '../../db/database.js'
import { auditLog } from '../../db/schema/index.js'
import { uuidV7 } from '../../recording/uuid-v7.js'
import { redactKeys } from '../../redaction/redact.js'
import { shownObject } from '../../lib/stored-object.js'
import type { KeysetPage } from '../keyset-page.js'
import type { AuditLog } from '../schemas/audit-log.js'
import { all, instantNotNull, inUtc, microseconds } from './expressions.js'
import { isAfter, newestFirst, newestFirstPage, type NewestFirstPlace } from './newest-first.js'

/** One change that an operator made. */
export interface AuditEntry {
  /** What was done, as `thing.verb`: `budget.update`. */
  readonly action: string
  /** To what: a prompt type, an id, a model. */
  readonly target: string
  /** What it was, as the API shows it; null where it was made. Never a secret. */
  readonly before: object | null
  /** What it became; null where it was deleted. */
  readonly after: object | null
}

/**
 * Writes the entry in the transaction of the change, so that both exist or neither. A change that changes nothing is
 * not written.
 */
export async function insertAudit (
  transaction: Drizzle, username: string, nowMs: number, { action, target, before, after }: AuditEntry
): Promise<void> {
  const [was, is] = [before, after].map(state => state === null ? null : redactKeys(JSON.stringify(state)))
  if (was === is) return
  const createdAt = new Date(nowMs).toISOString()
  await transaction.insert(auditLog).values({
    id: uuidV7(nowMs), created_at: createdAt, username, action, target: redactKeys(target), before: was, after: is
  })
}

export interface AuditLogFilter {
  readonly action?: string
  readonly target?: string
  readonly username?: string
  /** Inclusive. */
  readonly from?: string
  /** Exclusive. */
  readonly to?: string
}

const columns = {
  id: auditLog.id,
  created_at: instantNotNull(auditLog.created_at),
  username: auditLog.username,
  action: auditLog.action,
  target: auditLog.target,
  before: auditLog.before,
  after: auditLog.after,
  created_at_us: microseconds(auditLog.created_at)
}

/** At most `limit` changes after `after`, newest first. */
export async function listAuditLog (
  database: Drizzle, filter: AuditLogFilter, limit: number, after: NewestFirstPlace | null
): Promise<KeysetPage<AuditLog, NewestFirstPlace>> {
  const rows = await database.select(columns).from(auditLog)
    .where(all(...conditions(filter), isAfter(auditLog, after)))
    .orderBy(...newestFirst(auditLog))
    .limit(limit + 1)
  const { items, next } = newestFirstPage(rows, limit)
  return {
    items: items.map(({ before, after, ...row }) =>
      ({ ...row, before: shownObject(before), after: shownObject(after) })),
    next
  }
}

/** How many changes the filter matches; `ceiling` means that many or more, for counting goes no further. */
export async function countAuditLog (database: Drizzle, filter: AuditLogFilter, ceiling: number): Promise<number> {
  const counted = database.select({ id: auditLog.id }).from(auditLog).where(all(...conditions(filter))).limit(ceiling)
    .as('counted')
  return await database.$count(counted)
}

function conditions ({ action, target, username, from, to }: AuditLogFilter): (SQL | undefined)[] {
  return [
    action === undefined ? undefined : eq(auditLog.action, action),
    target === undefined ? undefined : eq(auditLog.target, target),
    username === undefined ? undefined : eq(auditLog.username, username),
    from === undefined ? undefined : gte(auditLog.created_at, inUtc(from)),
    to === undefined ? undefined : lt(auditLog.created_at, inUtc(to))
  ]
}
