import { sql } from 'drizzle-orm'
import type { Drizzle } from '../../db/database.js'
import { promptConfigs } from '../../db/schema/index.js'
import type { PromptConfigSet } from '../schemas/prompt-config-bulk.js'
import { all } from './expressions.js'
import { promptConfigConditions, type PromptConfigFilter } from './prompt-configs.js'

/** The configs of a bulk change: those with these names, or all that the filters of the list match now. */
export type PromptConfigChoice =
  | { readonly promptTypes: readonly string[] }
  | { readonly filter: PromptConfigFilter, readonly nowMs: number }

/** A config that was chosen, with its switches as they were. */
export type ChosenConfig = { readonly prompt_type: string } & Required<PromptConfigSet>

/**
 * Sets the switches of every chosen config in one statement, and returns their old values by name. The rows are locked
 * in that order, too, so that two bulk changes do not deadlock. Calls may refer to them meanwhile.
 */
export async function updatePromptConfigs (
  transaction: Drizzle, choice: PromptConfigChoice, set: PromptConfigSet
): Promise<ChosenConfig[]> {
  const rows = await transaction.execute<ChosenConfig>(sql`
    with chosen as materialized (
      select prompt_type, track_full_data, is_active from ${promptConfigs}
      where ${chosenBy(choice)} order by prompt_type for no key update
    ), changed as (
      update ${promptConfigs} set
        track_full_data = coalesce(${set.track_full_data ?? null}::boolean, chosen.track_full_data),
        is_active = coalesce(${set.is_active ?? null}::boolean, chosen.is_active),
        updated_at = now()
      from chosen where ${promptConfigs.prompt_type} = chosen.prompt_type
    )
    select prompt_type, track_full_data, is_active from chosen order by prompt_type`)
  return [...rows]
}

/** The names, which hold nothing that an array's text would need quotes for, as one parameter. */
const chosenBy = (choice: PromptConfigChoice) => 'filter' in choice
  ? all(...promptConfigConditions(choice.filter, choice.nowMs))
  : sql`${promptConfigs.prompt_type} = any(${`{${choice.promptTypes.join(',')}}`}::text[])`
