import { and, eq, isNull, sql } from 'drizzle-orm'
import type { Drizzle } from '../../db/database.js'
import { gatewayKeys } from '../../db/schema/index.js'
import type { GatewayKey, GatewayKeyPatch, NewGatewayKey } from '../schemas/gateway-key.js'
import type { KeysetPage } from '../keyset-page.js'
import { all, instant, instantNotNull, microseconds } from './expressions.js'
import { isAfter, newestFirst, newestFirstPage, type NewestFirstPlace } from './newest-first.js'

const columns = {
  id: gatewayKeys.id,
  name: gatewayKeys.name,
  user: gatewayKeys.user_name,
  allowed_prompt_types: gatewayKeys.allowed_prompt_types,
  expires_at: instant(gatewayKeys.expires_at),
  created_at: instantNotNull(gatewayKeys.created_at),
  last_used_at: instant(gatewayKeys.last_used_at)
}

const notRevoked = isNull(gatewayKeys.revoked_at)

/** At most `limit` keys after `after`, newest first, without the revoked ones. */
export async function listGatewayKeys (
  database: Drizzle, limit: number, after: NewestFirstPlace | null
): Promise<KeysetPage<GatewayKey, NewestFirstPlace>> {
  const rows = await database
    .select({ ...columns, created_at_us: microseconds(gatewayKeys.created_at) })
    .from(gatewayKeys)
    .where(all(notRevoked, isAfter(gatewayKeys, after)))
    .orderBy(...newestFirst(gatewayKeys))
    .limit(limit + 1)
  return newestFirstPage(rows, limit)
}

export const countGatewayKeys = async (database: Drizzle): Promise<number> =>
  await database.$count(gatewayKeys, notRevoked)

export async function insertGatewayKey (
  transaction: Drizzle, id: string, keySha256: string, { user, ...key }: NewGatewayKey
): Promise<GatewayKey> {
  const [row] = await transaction.insert(gatewayKeys)
    .values({ ...key, id, key_sha256: keySha256, user_name: user ?? null })
    .returning(columns)
  if (row === undefined) throw new Error('An insert returned no row')
  return row
}

/** A key, which no other transaction changes before this one ends. Null if there is none, or it was revoked. */
export async function lockGatewayKey (transaction: Drizzle, id: string): Promise<GatewayKey | null> {
  const [row] = await transaction.select(columns).from(gatewayKeys).where(and(eq(gatewayKeys.id, id), notRevoked))
    .for('update')
  return row ?? null
}

/** Changes a key. Null if there is none, or it was revoked. */
export async function updateGatewayKey (
  transaction: Drizzle, id: string, { user, ...patch }: GatewayKeyPatch
): Promise<GatewayKey | null> {
  const [row] = await transaction.update(gatewayKeys)
    .set({ ...patch, ...user === undefined ? {} : { user_name: user } })
    .where(and(eq(gatewayKeys.id, id), notRevoked))
    .returning(columns)
  return row ?? null
}

/** Revokes a key for good. False if there is none, or it was revoked before. */
export async function revokeGatewayKey (transaction: Drizzle, id: string): Promise<boolean> {
  const rows = await transaction.update(gatewayKeys)
    .set({ revoked_at: sql`now()` })
    .where(and(eq(gatewayKeys.id, id), notRevoked))
    .returning({ id: gatewayKeys.id })
  return rows.length > 0
}
