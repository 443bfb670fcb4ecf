import {
  type InfiniteData, type QueryClient, keepPreviousData, useInfiniteQuery, useMutation, useQuery, useQueryClient
} from '@tanstack/react-query'
import { type Schema, api, bodyOf } from './api/client.js'
import type { paths } from './api/schema.js'
import { failed } from './notify.js'

export type PromptConfig = Schema['PromptConfig']
export type PromptConfigSummary = Schema['PromptConfigSummary']
export type PromptConfigQuery = NonNullable<paths['/admin/api/prompt-configs']['get']['parameters']['query']>
export type Switches = Partial<Pick<PromptConfig, 'track_full_data' | 'is_active' | 'description'>>

interface ConfigPage { items: PromptConfigSummary[], total: number, next_cursor: string | null }
type Pages = InfiniteData<ConfigPage, string | null>

// The first page is there at once; who goes on wants many.
const FIRST_ROWS = 100
const MORE_ROWS = 500
const LIST = 'prompt-configs'
const ONE = 'prompt-config'

/** A page of the list, by the cursor that it is behind; null: the first. */
export const pageOf = (cursor: string | null): { limit: number, cursor?: string } =>
  cursor === null ? { limit: FIRST_ROWS } : { limit: MORE_ROWS, cursor }

/** The list, page after page, kept while filters change. */
export function usePromptConfigs (query: PromptConfigQuery) {
  return useInfiniteQuery({
    queryKey: [LIST, query],
    placeholderData: keepPreviousData,
    initialPageParam: null as string | null,
    getNextPageParam: (last: ConfigPage) => last.next_cursor,
    queryFn: async ({ pageParam }) => await bodyOf<ConfigPage>(api.GET('/admin/api/prompt-configs', {
      params: { query: { ...query, ...pageOf(pageParam) } }
    }))
  })
}

/** One in full, looked at again every quarter of a minute. */
export function usePromptConfig (promptType: string) {
  return useQuery({
    queryKey: [ONE, promptType],
    refetchInterval: 15_000,
    queryFn: async (): Promise<PromptConfig> => await bodyOf(
      api.GET('/admin/api/prompt-configs/{prompt_type}', { params: { path: { prompt_type: promptType } } })
    )
  })
}

/** What is shown of a config, in the list and by itself. */
function show (client: QueryClient, promptType: string, set: Switches): void {
  client.setQueryData<PromptConfig>([ONE, promptType], config =>
    config === undefined ? undefined : { ...config, ...set })
  client.setQueriesData<Pages>({ queryKey: [LIST] }, pages => pages === undefined
    ? undefined
    : {
        ...pages,
        pages: pages.pages.map(page => ({
          ...page, items: page.items.map(item => item.prompt_type === promptType ? { ...item, ...set } : item)
        }))
      })
}

/** What of a config is shown now: the values that `set` is about to replace. */
function shown (client: QueryClient, promptType: string, set: Switches): Switches {
  const listed = client.getQueriesData<Pages>({ queryKey: [LIST] })
    .flatMap(([, pages]) => pages?.pages ?? []).flatMap(page => page.items).find(item =>
      item.prompt_type === promptType)
  const config = client.getQueryData<PromptConfig>([ONE, promptType]) ?? listed
  return config === undefined
    ? {}
    : Object.fromEntries(Object.keys(set).map(name => [name, config[name as keyof Switches]]))
}

/** Changes a config's switches: shown at once, and put back, in words, where the gateway does not take it. */
export function useSwitch () {
  const client = useQueryClient()
  return useMutation({
    mutationFn: async ({ promptType, set }: { promptType: string, set: Switches }) =>
      await bodyOf(
        api.PATCH('/admin/api/prompt-configs/{prompt_type}', {
          params: { path: { prompt_type: promptType } }, body: set
        })
      ),
    onMutate: async ({ promptType, set }) => {
      // An answer that is on its way would bring the old value back.
      await Promise.all([
        client.cancelQueries({ queryKey: [LIST] }), client.cancelQueries({ queryKey: [ONE, promptType] })
      ])
      const before = shown(client, promptType, set)
      show(client, promptType, set)
      return { before }
    },
    onError: (error, { promptType }, context) => {
      show(client, promptType, context?.before ?? {})
      failed(`${promptType} was not changed`, error)
    },
    onSettled: async (_data, _error, { promptType }) => {
      await client.invalidateQueries({ queryKey: [ONE, promptType] })
    }
  })
}
