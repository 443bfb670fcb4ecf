import type { TestGateway } from '../helpers/gateway.js'

/** A budget with the share of its limit that is spent at the moment of the books. */
type Started = Readonly<Record<string, unknown>> & { readonly spent: number }

const BUDGETS: readonly Started[] = [
  { name: 'Everything, monthly', period: 'month', thresholds: [50, 80, 100], spent: 0.62 },
  { name: 'Support drafts', prompt_type: 'answer_support_ticket', period: 'week', action: 'block', spent: 0.91 },
  { name: 'Front page', prompt_type: 'summarise_article', period: 'month', action: 'block', strict: true, spent: 1.18 },
  { name: 'Tags, daily', prompt_type: 'select_best_tags', period: 'day', spent: 0.07 }
]
/** For a period in which nothing is spent yet. */
const SOME_USD = 5

/**
 * What an operator has set up: budgets in each state, keys, a price, and switches that were changed. A budget's limit
 * follows what its period has spent, so that its state is the same at any moment at which anything is.
 */
export async function startBudgets ({ admin }: TestGateway): Promise<void> {
  const made = async (path: string, body: unknown, method = 'POST'): Promise<unknown> => {
    const answer = await admin(method, path, body)
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`)
    return answer.body
  }
  for (const { spent: share, ...budget } of BUDGETS) {
    const { id, spent_usd: spentUsd } = await made('/budgets', {
      ...budget, limit_usd: 1_000_000
    }) as { id: string, spent_usd: number }
    await made(
      `/budgets/${id}`, { limit_usd: spentUsd === 0 ? SOME_USD : Number((spentUsd / share).toFixed(6)) }, 'PATCH'
    )
  }
  await made('/keys', {
    name: 'importer in production',
    user: 'importer',
    allowed_prompt_types: ['generate_image_metadata', 'select_best_tags']
  })
  await made('/keys', { name: 'newsroom plugin', expires_at: '2099-01-01T00:00:00Z' })
  await made('/prices/our-other-model', { input: 0.4, output: 1.6 }, 'PUT')
  await made('/prompt-configs/moderate_comment', { is_active: false }, 'PATCH')
  await made('/settings', { default_track_full_data: true }, 'PATCH')
}
