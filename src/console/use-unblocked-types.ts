import { useQuery } from '@tanstack/react-query'
import { type Schema, api, bodyOf } from './api/client.js'
import type { ListPage } from './lists.js'
import type { PromptConfigSummary } from './prompt-configs.js'

/**
 * How many prompt types a spent budget would block, but for an operator who unblocked them by hand. Types that another
 * budget blocks do not count. `promptType`: of this one alone. Undefined for none, and while it is not known.
 */
export function useUnblockedTypes (budget: Schema['Budget'], promptType: string | null): number | undefined {
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
