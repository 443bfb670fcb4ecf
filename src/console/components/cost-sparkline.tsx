import { useQueries } from '@tanstack/react-query'
import { api, bodyOf } from '../api/client.js'
import { money } from '../format.js'
import { useNarrow } from '../narrow.js'
import { type PromptConfigQuery, pageOf } from '../prompt-configs.js'
import { Sparkline } from './chart.js'

const DAYS = 14

/** What prompt types cost on each of the last days. */
export type DailyCosts = ReadonlyMap<string, readonly number[]>

/**
 * Of all prompt types of a list, in one request for each of its pages.
 * @param query null: the list's rows are not those of its filters yet
 * @param cursors of the pages that are there
 */
export function useDailyCosts (query: PromptConfigQuery | null, cursors: ReadonlyArray<string | null>): DailyCosts {
  // A phone has no room for them.
  const isShown = !useNarrow()
  return useQueries({
    queries: query === null || !isShown
      ? []
      : cursors.map(cursor => ({
        queryKey: ['daily-costs', query, cursor],
        staleTime: 60_000,
        queryFn: async () => await bodyOf(api.GET('/admin/api/costs/daily', { params: { query: { ...query, ...pageOf(cursor), days: DAYS } } }))
      })),
    combine: byPromptType
  })
}

const byPromptType = (results: ReadonlyArray<{ data: { items: ReadonlyArray<{ prompt_type: string, costs: number[] }> } | undefined }>): DailyCosts =>
  new Map(results.flatMap(({ data }) => data?.items.map(item => [item.prompt_type, item.costs] as const) ?? []))

/** What a prompt type cost on each of the last days, as a line. */
export function CostSparkline ({ promptType, costs = [] }: { promptType: string, costs: readonly number[] | undefined }) {
  // As high without a line: rows keep their height when it comes.
  return <div className='spark'><Sparkline values={costs} label={`Cost of ${promptType} over ${DAYS} days: ${money(costs.reduce((sum, cost) => sum + cost, 0))}`} /></div>
}
