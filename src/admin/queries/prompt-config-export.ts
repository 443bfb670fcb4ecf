import { eq, gt } from 'drizzle-orm'
import type { Drizzle } from '../../db/database.js'
import { promptConfigs, promptStats } from '../../db/schema/index.js'
import type { PromptConfigSummary } from '../schemas/prompt-config.js'
import { findBlocks } from './budget-blocks.js'
import { all, exactUsd } from './expressions.js'
import { averageCost, promptConfigColumns } from './prompt-config-columns.js'
import { promptConfigConditions, toPromptConfig, type PromptConfigFilter } from './prompt-configs.js'

const PAGE_ROWS = 1000

const { last_prompt: _prompt, last_response: _response, ...summaryColumns } = promptConfigColumns
const exactColumns = {
  last_cost: exactUsd(promptStats.last_cost),
  total_cost: exactUsd(promptStats.total_cost),
  avg_cost_per_call: exactUsd(averageCost)
}

/** A config with its money as exact decimal text beside the numbers. */
export interface ExportedConfig {
  readonly config: PromptConfigSummary
  readonly exact: { readonly [amount in keyof typeof exactColumns]: string | null }
}

/** Every config that the filter matches at that moment, in order of their names, a page per query. */
export async function * pagesOfPromptConfigs (
  database: Drizzle, filter: PromptConfigFilter, nowMs: number
): AsyncGenerator<ExportedConfig[]> {
  for (let last: string | undefined; ;) {
    const rows: Array<{
      config: Parameters<typeof toPromptConfig>[0] & Omit<PromptConfigSummary, 'last_metadata' | 'blocked'>
      exact: ExportedConfig['exact']
    }> = await database
      .select({ config: summaryColumns, exact: exactColumns })
      .from(promptConfigs)
      .leftJoin(promptStats, eq(promptStats.prompt_type, promptConfigs.prompt_type))
      .where(
        all(
          ...promptConfigConditions(filter, nowMs), last === undefined ? undefined : gt(promptConfigs.prompt_type, last)
        )
      )
      .orderBy(promptConfigs.prompt_type)
      .limit(PAGE_ROWS)
    const blocks = await findBlocks(database, rows.map(row => row.config.prompt_type), nowMs)
    yield rows.map(({ config, exact }) => ({ config: toPromptConfig(config, blocks), exact }))
    if (rows.length < PAGE_ROWS) return
    last = rows.at(-1)?.config.prompt_type
  }
}
