import type { Static, TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { invalidCursor } from './errors.js'

/** A list's place as clients carry it: opaque to them, base64url of JSON to us. */
export function encodeCursor (place: unknown): string {
  return Buffer.from(JSON.stringify(place)).toString('base64url')
}

/**
 * The place that `encodeCursor` made a cursor of, or null if there is no cursor.
 * @throws GatewayError 400 `invalid_cursor` if it is no place of this list
 */
export function decodeCursor<T extends TSchema> (schema: T, cursor: string | undefined): Static<T> | null {
  if (cursor === undefined) return null
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
