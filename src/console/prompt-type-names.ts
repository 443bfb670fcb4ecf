import { type QueryClient, queryOptions } from '@tanstack/react-query'
import { ApiError, api, bodyOf } from './api/client.js'
import type { ListPage } from './lists.js'
import type { PromptConfigQuery, PromptConfigSummary } from './prompt-configs.js'

const SHOWN = 30

/** Prompt types that a search has found. */
export interface FoundTypes {
  readonly text: string
  /** The most called of them first; the one with that very name before them. */
  readonly names: readonly string[]
  readonly total: number
  /** One has that very name. */
  readonly isThere: boolean
}

const list = async (query: PromptConfigQuery): Promise<ListPage<PromptConfigSummary>> =>
  await bodyOf(api.GET('/admin/api/prompt-configs', { params: { query } }))

/** The prompt types whose name or description has the text. */
export const promptTypesLike = (text: string) => queryOptions({
  queryKey: ['prompt-type-names', text],
  queryFn: async (): Promise<FoundTypes> => {
    const { items, total } = await list({
      ...(text === '' ? {} : { search: text }), sort: '-total_calls', limit: SHOWN
    })
    const names = items.map(item => item.prompt_type)
    const isThere = names.includes(text) ||
      (text !== '' && total > names.length && (await list({ prompt_type: text, limit: 1 })).total > 0)
    return { text, names: isThere ? [text, ...names.filter(name => name !== text)] : names, total, isThere }
  }
})

/**
 * A name that was only typed, not picked, may be a slip.
 * @throws ApiError for the form's field `param`, where no call had that prompt type
 */
export async function checkTyped (client: QueryClient, name: string, param: string): Promise<void> {
  if ((await client.query(promptTypesLike(name))).isThere) return
  throw new ApiError(
    400, null, `No call had the prompt type “${name}” yet. Pick one from the list, or choose “Use …” there.`, param
  )
}
