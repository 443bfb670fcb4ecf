import { sql } from 'drizzle-orm'
import type { Drizzle } from './database.js'
import { gatewayKeys } from './schema/index.js'

/**
 * Writes when keys were last used, by their ids, in milliseconds since the epoch: the later of two instances' times
 * stays. One statement, which locks the keys in an order that all instances share.
 */
export async function writeKeyUses (database: Drizzle, uses: ReadonlyMap<string, number>): Promise<void> {
  const rows = JSON.stringify([...uses].map(([id, atMs]) => ({ id, at: new Date(atMs).toISOString() })))
  await database.execute(sql`
    with used as materialized (
      select key.id, new.at from ${gatewayKeys} as key
      join jsonb_to_recordset(${rows}::text::jsonb) as new (id uuid, at timestamptz) on new.id = key.id
      where key.last_used_at is null or key.last_used_at < new.at
      order by key.id for no key update of key
    )
    update ${gatewayKeys} as key set last_used_at = greatest(key.last_used_at, used.at) from used where key.id = used.id`)
}
