import { useQuery } from '@tanstack/react-query'
import { type Schema, api, bodyOf } from './api/client.js'
import type { ListPage } from './lists.js'
import type { PromptConfigSummary } from './prompt-configs.js'

/**
 * For how many prompt types a spent budget stops no calls although it would, because an operator has lifted that by
 * hand: those that are not blocked all the same. `promptType`: of this one alone. Undefined where it stops none, or it
 * is not known yet.
 */
export function useLifted (budget: Schema['Budget'], promptType: string | null): number | undefined {
  const { data } = useQuery({
    enabled: budget.state === 'exceeded' && budget.action === 'block',
    // Whatever changes a budget asks this again.
    queryKey: ['budgets', 'lifted', budget.id, budget.updated_at, promptType],
    refetchInterval: 30_000,
    queryFn: async () => {
      const query = promptType === null
        ? { limit: 1 }
        : { search: promptType, sort: 'prompt_type' as const, limit: 500 }
      const { items, total } = await bodyOf<ListPage<PromptConfigSummary>>(
        api.GET('/admin/api/prompt-configs', { params: { query: { ...query, blocked: false } } })
      )
      return promptType === null ? total : items.filter(item => item.prompt_type === promptType).length
    }
  })
  return data
}
