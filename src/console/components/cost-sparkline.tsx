import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query'
import { api, bodyOf } from '../api/client.js'
import { money } from '../format.js'
import { useIsPhone } from '../use-is-phone.js'
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
  const client = useQueryClient()
  // A phone has no room for them.
  const isShown = !useIsPhone()
  const { data } = useQuery({
    enabled: query !== null && isShown && cursors.length > 0,
    queryKey: ['daily-costs', query, cursors],
    placeholderData: keepPreviousData,
    // Pages that were asked for before are not asked for again.
    queryFn: async () => await Promise.all(cursors.map(async cursor => await client.query({
      queryKey: ['daily-costs', query, 'page', cursor],
      staleTime: 60_000,
      queryFn: async () => await bodyOf(
        api.GET('/admin/api/costs/daily', { params: { query: { ...query, ...pageOf(cursor), days: DAYS } } })
      )
    }))),
    select: byPromptType
  })
  return data ?? NONE
}

const NONE: DailyCosts = new Map()

const byPromptType = (
  pages: ReadonlyArray<{ items: ReadonlyArray<{ prompt_type: string, costs: number[] }> }>
): DailyCosts =>
  new Map(pages.flatMap(({ items }) => items.map(item => [item.prompt_type, item.costs] as const)))

/** What a prompt type cost on each of the last days, as a line. */
export function CostSparkline ({ promptType, costs = [] }: {
  promptType: string, costs: readonly number[] | undefined
}) {
  // As high without a line: rows keep their height when it comes.
  return <div className='spark'><Sparkline values={costs} label={`Cost of ${promptType} over ${DAYS} days: ${money(costs.reduce((sum, cost) => sum + cost, 0))}`} /></div>
}
