import { Type, type Static, type TSchema } from 'typebox'

/** The schema, or null. */
export function Nullable<T extends TSchema & { type: string }> (schema: T) {
  return Type.Unsafe<Static<T> | null>({ ...schema, type: [schema.type, 'null'] })
}

/** A schema that the plugin has added under its `$id`. */
export function Shared<T extends TSchema> (id: string, _schema: T) {
  return Type.Unsafe<Static<T>>({ $ref: `${id}#` })
}

export const Count = (description: string) => Type.Integer({ minimum: 0, description })
export const Usd = (description: string) => Type.Number({ description })
export const Instant = (description: string) => Type.String({ format: 'date-time', description })
export const NullableJsonObject = (description: string) =>
  Type.Unsafe<Record<string, unknown> | null>({ type: ['object', 'null'], additionalProperties: true, description })

/**
 * The part of RFC 3339 that requests may use: years 1900 to 2999, no leap seconds, offsets below sixteen hours.
 * JavaScript knows no leap seconds, and Postgres no greater offsets.
 */
export const INSTANT_PATTERN = '^(19|2\\d)\\d\\d-.*:[0-5]\\d(\\.\\d+)?([Zz]|[+-](0\\d|1[0-5]):[0-5]\\d)$'

/** A moment in a request. */
export const InstantText = (description: string) =>
  Type.String({ format: 'date-time', pattern: INSTANT_PATTERN, description })

/** A prompt type, with the rules of the header X-Prompt-Type. */
export const PromptTypeName = () => Type.String({
  pattern: '^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$',
  description: '1 to 128 of A-Z a-z 0-9 . _ : - beginning with a letter or digit'
})

export const ErrorSchema = Type.Object({
  error: Type.Object({
    message: Type.String(),
    type: Type.String(),
    param: Nullable(Type.String({ description: 'The field or parameter that the error is about' })),
    code: Nullable(Type.String({ description: 'Stays the same; messages may change' }))
  })
}, {
  $id: 'Error',
  description: 'What happened, and what to do',
  examples: [{
    error: {
      message: "Unknown field 'is_actve'. Known are: description, track_full_data, is_active.",
      type: 'invalid_request_error',
      param: 'is_actve',
      code: 'unknown_field'
    }
  }]
})

const error = Shared('Error', ErrorSchema)
/** The error answers of every route. */
export const errors = { '4xx': error, '5xx': error }
export const NoContent = Type.Null({ description: 'Done; no body' })
