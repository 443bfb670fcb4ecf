import { Type, type Static } from 'typebox'
import { decodeCursor, encodeCursor } from './cursor.js'
import { parseSort, promptConfigSorts, type PromptConfigSort } from './queries/prompt-config-columns.js'
import type { PromptConfigFilter, PromptConfigPlace } from './queries/prompt-configs.js'
import { Nullable, pageQuery, PromptTypeName } from './schemas/common.js'
import { promptConfigFilter } from './schemas/prompt-config-filter.js'

/** Which prompt configs, in which order, and which page of them. */
export const promptConfigListQuery = Type.Object({
  ...promptConfigFilter,
  sort: Type.Optional(Type.Unsafe<PromptConfigSort>({
    type: 'string',
    enum: promptConfigSorts,
    default: '-total_cost',
    description: 'A field, with `-` for greatest first. Configs that have no value come last, ties are in order of prompt_type'
  })),
  ...pageQuery
}, { additionalProperties: false })

/** The query with its defaults, and its cursor as a place in the list. */
export function readListQuery ({
  sort = '-total_cost', limit = 50, cursor, ...filter
}: Static<typeof promptConfigListQuery>): {
    sort: PromptConfigSort, limit: number, after: PromptConfigPlace | null, filter: PromptConfigFilter
  } {
  const [, key, promptType] = decodeCursor(placeSchema(sort), cursor) ?? []
  return { sort, limit, after: key === undefined || promptType === undefined ? null : { key, promptType }, filter }
}

/** Where the next page begins, as its `cursor`. */
export const placeCursor = (sort: PromptConfigSort, next: PromptConfigPlace | null): string | null =>
  next === null ? null : encodeCursor([sort, next.key, next.promptType])

/** Only what Postgres will read as the sort's own type gets into the query. */
const keyPatterns = { text: '^[^\\u0000]*$', boolean: '^(true|false)$', numeric: '^-?\\d{1,60}(\\.\\d{1,60})?$' }

const placeSchema = (sort: PromptConfigSort) => Type.Tuple([
  Type.Literal(sort),
  Nullable(Type.String({ pattern: keyPatterns[parseSort(sort).type] })),
  PromptTypeName()
])
