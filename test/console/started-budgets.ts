import type { TestGateway } from '../helpers/gateway.js'

/** What an operator has set up: budgets in each state, keys, a price, and switches that were changed. */
export async function startBudgets ({ admin }: TestGateway): Promise<void> {
  const made = async (path: string, body: unknown, method = 'POST'): Promise<void> => {
    const answer = await admin(method, path, body)
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`)
  }
  await made('/budgets', { name: 'Everything, monthly', period: 'month', limit_usd: 40, thresholds: [50, 80, 100] })
  await made('/budgets', { name: 'Support drafts', prompt_type: 'answer_support_ticket', period: 'week', limit_usd: 0.6, action: 'block' })
  await made('/budgets', { name: 'Front page', prompt_type: 'summarise_article', period: 'month', limit_usd: 6.5, action: 'block', strict: true })
  await made('/budgets', { name: 'Tags, daily', prompt_type: 'select_best_tags', period: 'day', limit_usd: 5 })
  await made('/keys', { name: 'importer in production', user: 'importer', allowed_prompt_types: ['generate_image_metadata', 'select_best_tags'] })
  await made('/keys', { name: 'newsroom plugin', expires_at: '2099-01-01T00:00:00Z' })
  await made('/prices/our-other-model', { input: 0.4, output: 1.6 }, 'PUT')
  await made('/prompt-configs/moderate_comment', { is_active: false }, 'PATCH')
  await made('/settings', { default_track_full_data: true }, 'PATCH')
}
