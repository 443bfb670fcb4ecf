import { type InfiniteData, keepPreviousData, useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query'
import { type Schema, api, bodyOf } from './api/client.js'
import type { paths } from './api/schema.js'
import { failed } from './notify.js'

export type PromptConfig = Schema['PromptConfig']
export type PromptConfigSummary = Schema['PromptConfigSummary']
export type PromptConfigQuery = NonNullable<paths['/admin/api/prompt-configs']['get']['parameters']['query']>
export type Switches = Partial<Pick<PromptConfig, 'track_full_data' | 'is_active' | 'description'>>

interface ConfigPage { items: PromptConfigSummary[], total: number, next_cursor: string | null }
type Pages = InfiniteData<ConfigPage, string | null>

const PAGE_ROWS = 200
const LIST = 'prompt-configs'

/** The list, page after page, kept while filters change. */
export function usePromptConfigs (query: PromptConfigQuery) {
  return useInfiniteQuery({
    queryKey: [LIST, query],
    placeholderData: keepPreviousData,
    initialPageParam: null as string | null,
    getNextPageParam: (last: ConfigPage) => last.next_cursor,
    queryFn: async ({ pageParam }) => await bodyOf<ConfigPage>(api.GET('/admin/api/prompt-configs', {
      params: { query: { ...query, limit: PAGE_ROWS, ...(pageParam === null ? {} : { cursor: pageParam }) } }
    }))
  })
}

/** Changes a config's switches: shown at once, and put back, in words, where the gateway does not take it. */
export function useSwitch () {
  const client = useQueryClient()
  return useMutation({
    mutationFn: async ({ promptType, set }: { promptType: string, set: Switches }) =>
      await bodyOf(api.PATCH('/admin/api/prompt-configs/{prompt_type}', { params: { path: { prompt_type: promptType } }, body: set })),
    onMutate: async ({ promptType, set }) => {
      await client.cancelQueries({ queryKey: [LIST] })
      const before = client.getQueriesData<Pages>({ queryKey: [LIST] })
      client.setQueriesData<Pages>({ queryKey: [LIST] }, pages => pages === undefined
        ? undefined
        : { ...pages, pages: pages.pages.map(page => ({ ...page, items: page.items.map(item => item.prompt_type === promptType ? { ...item, ...set } : item) })) })
      return { before }
    },
    onError: (error, { promptType }, context) => {
      for (const [key, data] of context?.before ?? []) client.setQueryData(key, data)
      failed(`${promptType} was not changed`, error)
    },
    onSettled: async (_data, _error, { promptType }) => {
      await client.invalidateQueries({ queryKey: ['prompt-config', promptType] })
    }
  })
}
