import { Type, type Static } from 'typebox'
import { pageParameters, readPageQuery } from './keyset-page.js'
import { parseSort, promptConfigSorts, type PromptConfigSort } from './queries/prompt-config-columns.js'
import { Nullable, PromptTypeName } from './schemas/common.js'
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
  ...pageParameters
}, { additionalProperties: false })

/** The query with its defaults, and its cursor as a place in the list. */
export const readListQuery = ({ sort = '-total_cost', ...query }: Static<typeof promptConfigListQuery>) =>
  ({ sort, ...readPageQuery(placeSchema(sort), query) })

/** Only what Postgres will read as the sort's own type gets into the query. */
const keyPatterns = { text: '^[^\\u0000]*$', boolean: '^(true|false)$', numeric: '^-?\\d{1,60}(\\.\\d{1,60})?$' }

const placeSchema = (sort: PromptConfigSort) => Type.Tuple([
  Type.Literal(sort),
  Nullable(Type.String({ pattern: keyPatterns[parseSort(sort).type] })),
  PromptTypeName()
])
