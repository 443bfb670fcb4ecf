import type { Column } from '../db/batch-statement.js'
import type { StoredPayload } from './call-record.js'

/** A member of a row type of `write_batch_v2`: its type, and its value as text of the row's literal. */
export interface Field<Row> {
  readonly name: string
  /** The column's own, but for a payload, which is a place among the batch's texts. */
  readonly type: string
  readonly write: (row: Row, texts: Texts) => string
}

/** A member whose text may be anything. */
export const text = <Row> (column: Column, value: (row: Row) => string | null): Field<Row> => ({
  name: column.name,
  type: column.getSQLType(),
  write: row => {
    const text = value(row)
    return text === null ? '' : quoted(text)
  }
})

/** A member that needs no quotes: a number, a boolean, a moment in ISO form. */
export const plain = <Row> (column: Column, value: (row: Row) => string | number | boolean | null): Field<Row> => ({
  name: column.name,
  type: column.getSQLType(),
  write: row => {
    const plain = value(row)
    return plain === null ? '' : String(plain)
  }
})

/** A prompt or a response: its place among the batch's texts. */
export const payload = <Row> (
  column: Column, part: keyof StoredPayload, value: (row: Row) => StoredPayload | null
): Field<Row> => ({
    name: column.name,
    type: 'integer',
    write: (row, texts) => {
      const payload = value(row)
      return payload?.[part] == null ? '' : String(texts.placeOf(payload) + (part === 'prompt' ? 0 : 1))
    }
  })

/**
 * The prompts and responses of a batch, which are long and full of quotes: they go as one text, with the batch's id
 * between any two, which no text can hold that was made before the id was. Nothing in them has to be escaped.
 */
export class Texts {
  readonly #texts: string[] = []
  readonly #places = new Map<StoredPayload, number>()

  /** The place of the payload's prompt, from 1 as Postgres counts; its response is at the next. */
  placeOf (payload: StoredPayload): number {
    let place = this.#places.get(payload)
    if (place === undefined) {
      place = this.#texts.push(payload.prompt ?? '', payload.response ?? '') - 1
      this.#places.set(payload, place)
    }
    return place
  }

  join (batchId: string): string {
    const all = this.#texts.join(batchId)
    return all.includes('\0') ? all.replaceAll('\0', '\uFFFD') : all
  }
}

/**
 * Rows as the literal of an array of composite values, `{"(1,\"two\",)","(…)"}`, whose empty members are null
 * (https://www.postgresql.org/docs/current/rowtypes.html#ROWTYPES-IO-SYNTAX). Postgres reads it faster than JSON, and
 * one parameter costs the driver less than one a column.
 */
export function rowArray<Row> (fields: readonly Field<Row>[], rows: readonly Row[], texts: Texts): string {
  let array = '{'
  for (const row of rows) {
    array += array.length === 1 ? '"(' : ',"('
    let first = true
    for (const field of fields) {
      array += first ? field.write(row, texts) : ',' + field.write(row, texts)
      first = false
    }
    array += ')"'
  }
  return array + '}'
}

const special = /["\\\0]/
const specials = /["\\\0]/g
/** Escaped for the composite value, and that for the array around it. */
const escapes: Record<string, string> = { '"': '\\"\\"', '\\': '\\\\\\\\', '\0': '\uFFFD' }

/**
 * Any string is safe in it: a NUL, which Postgres rejects in text, becomes U+FFFD, as a lone surrogate does on its way
 * through UTF-8.
 */
const quoted = (text: string): string =>
  `\\"${special.test(text) ? text.replace(specials, character => escapes[character] ?? '') : text}\\"`
