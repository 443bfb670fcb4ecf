import { Type, type Static, type TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { invalidCursor } from './errors.js'
import { Count, Nullable } from './schemas/common.js'

/**
 * Keyset pagination: a page ends at a *place*, the sort key of its last row, and the next page begins after it. A place
 * is a tuple; clients carry it as an opaque cursor, base64url of its JSON.
 */
export interface KeysetPage<Item, Place> {
  readonly items: Item[]
  /** Where the next page begins; null if there is none. */
  readonly next: Place | null
}

const DEFAULT_LIMIT = 50
/** A total counts no further: more rows would make the first page of a large log slow. */
export const COUNT_CEILING = 100_000

/** The query parameters of every list. */
export const pageParameters = {
  limit: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 500, default: DEFAULT_LIMIT, description: 'The most items to answer with' })
  ),
  cursor: Type.Optional(
    Type.String({ description: 'The `next_cursor` of the page before; send the same filters and `sort` with it' })
  )
}

/** What a list answers: `items`, how many there are in `total`, and where the next page begins. */
export function Page<T extends TSchema> (
  item: T, totalDescription = 'How many items match the filters, over all pages'
) {
  return Type.Object({ items: Type.Array(item), total: Count(totalDescription), next_cursor: NextCursor() }, {
    description: 'One page of the list'
  })
}

/** A body's `next_cursor`. */
export const NextCursor = () =>
  Nullable(Type.String({ description: 'Send it as `cursor` for the next page; null on the last' }))

/**
 * Reads a list's query: the page that it asks for, after a place or from the start, and the rest, which are filters.
 * @throws GatewayError 400 `invalid_cursor` if the cursor is no place of this list
 */
export function readPageQuery<Place extends TSchema, Query extends { limit?: number, cursor?: string }> (
  place: Place, { limit = DEFAULT_LIMIT, cursor, ...filter }: Query
): { limit: number, after: Static<Place> | null, filter: Omit<Query, 'limit' | 'cursor'> } {
  return { limit, after: cursor === undefined ? null : placeOfCursor(place, cursor), filter }
}

/** Cuts a page from its rows, read with one more than `limit`: that one says whether there is a next page. */
export function pageOf<Row, Place> (
  rows: readonly Row[], limit: number, placeOf: (row: Row) => Place
): KeysetPage<Row, Place> {
  const items = rows.slice(0, limit)
  const last = rows.length > limit ? items.at(-1) : undefined
  return { items, next: last === undefined ? null : placeOf(last) }
}

/** The page as a list answers it. */
export const toPage = <Item>({ items, next }: KeysetPage<Item, unknown>, total: number) =>
  ({ items, total, next_cursor: cursorOf(next) })

/** The place as a body's `next_cursor`. */
export const cursorOf = (place: unknown): string | null =>
  place === null ? null : Buffer.from(JSON.stringify(place)).toString('base64url')

function placeOfCursor<Place extends TSchema> (schema: Place, cursor: string): Static<Place> {
  const place = parseJson(Buffer.from(cursor, 'base64url').toString())
  if (!Value.Check(schema, place)) throw invalidCursor()
  return place
}

function parseJson (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw invalidCursor()
  }
}
