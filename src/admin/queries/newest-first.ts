import { desc, sql, type AnyColumn, type SQL } from 'drizzle-orm'
import { Type } from 'typebox'
import { type KeysetPage, pageOf } from '../keyset-page.js'
import { fromMicroseconds } from './expressions.js'

/** Of a page's last row, the newest being first: its `created_at`, in microseconds since the epoch, and its id. */
export type NewestFirstPlace = readonly [createdAtUs: number, id: string]

export const newestFirstPlace = Type.Tuple([
  Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }), Type.String({ format: 'uuid' })
])

interface DatedTable {
  readonly created_at: AnyColumn
  readonly id: AnyColumn
}

/** The order: equal times by id, so that it is total. */
export const newestFirst = (table: DatedTable): SQL[] => [desc(table.created_at), desc(table.id)]

/** The row comes after the place; from the start, where that is null. */
export const isAfter = (table: DatedTable, place: NewestFirstPlace | null): SQL | undefined =>
  place === null ? undefined : sql`(${table.created_at}, ${table.id}) < ${rowValue(place)}`

/** The row comes before the place or is there; up to the end, where that is null. */
export const isUpTo = (table: DatedTable, place: NewestFirstPlace | null): SQL | undefined =>
  place === null ? undefined : sql`(${table.created_at}, ${table.id}) >= ${rowValue(place)}`

const rowValue = ([createdAtUs, id]: NewestFirstPlace): SQL => sql`(${fromMicroseconds(createdAtUs)}, ${id}::uuid)`

/** Cuts a page from its rows, read with one more than `limit`, each with its `microseconds`. */
export function newestFirstPage<Row extends { readonly created_at_us: number, readonly id: string }> (
  rows: readonly Row[], limit: number
): KeysetPage<Omit<Row, 'created_at_us'>, NewestFirstPlace> {
  const { items, next } = pageOf(rows, limit, (row): NewestFirstPlace => [row.created_at_us, row.id])
  return { items: items.map(({ created_at_us: _us, ...row }) => row), next }
}
