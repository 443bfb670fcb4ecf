import { invalidField, promptConfigsNotFound } from '../errors.js'
import { type ChosenConfig, type PromptConfigChoice, updatePromptConfigs } from '../queries/prompt-config-bulk.js'
import type { PromptConfigFilter } from '../queries/prompt-configs.js'
import { errors, Shared } from '../schemas/common.js'
import {
  BulkChangeSchema, MAX_BULK_NAMES, PromptConfigBulkSchema, type PromptConfigSet
} from '../schemas/prompt-config-bulk.js'
import type { AdminApp, RouteDependencies } from './admin-app.js'

/** As many names as there may be, at their longest, with the JSON around them. */
const BODY_LIMIT_BYTES = MAX_BULK_NAMES * 140 + 10_000

export function promptConfigBulkRoutes (app: AdminApp, { changePolicy, now }: RouteDependencies): void {
  app.addSchema(BulkChangeSchema)
  app.post('/prompt-configs/bulk', {
    bodyLimit: BODY_LIMIT_BYTES,
    schema: {
      operationId: 'changePromptConfigs',
      tags: ['Prompt configs'],
      summary: 'Change many prompt configs',
      description: 'All or nothing: 404 `prompt_config_not_found` if one of the names has no config, and then none is changed. ' +
        'Applies to the next call. The audit log has one row of it, which lists what was changed.',
      body: PromptConfigBulkSchema,
      response: { 200: Shared('BulkChange', BulkChangeSchema), ...errors }
    }
  }, async request => {
    const { prompt_types: promptTypes, filter, set } = request.body
    const choice = chosen(promptTypes, filter, now())
    return await changePolicy(async (transaction, audit) => {
      const configs = await updatePromptConfigs(transaction, choice, set)
      if ('promptTypes' in choice) refuseUnknown(choice.promptTypes, configs)
      const changed = configs.filter(config =>
        Object.entries({ ...config, ...set }).some(([name, value]) => config[name as keyof ChosenConfig] !== value))
      await audit({
        action: 'prompt_config.bulk_update',
        target: `${changed.length} prompt configs`,
        before: { prompt_configs: bySwitches(changed) },
        after: { prompt_configs: bySwitches(changed.map(config => ({ ...config, ...set }))) }
      })
      return { updated: configs.length }
    })
  })
}

function chosen (
  promptTypes: string[] | undefined, filter: PromptConfigFilter | undefined, nowMs: number
): PromptConfigChoice {
  if (promptTypes !== undefined && filter === undefined) return { promptTypes }
  if (promptTypes === undefined && filter !== undefined) return { filter, nowMs }
  throw invalidField("Send either 'prompt_types' or 'filter'.", filter === undefined ? 'prompt_types' : 'filter')
}

function refuseUnknown (promptTypes: readonly string[], found: readonly ChosenConfig[]): void {
  const known = new Set(found.map(config => config.prompt_type))
  const unknown = [...new Set(promptTypes)].filter(name => !known.has(name))
  if (unknown.length > 0) throw promptConfigsNotFound(unknown)
}

/** Ten thousand configs have at most four combinations of switches: their names are listed by those. */
function bySwitches (configs: readonly ChosenConfig[]): Array<Required<PromptConfigSet> & { prompt_types: string[] }> {
  const groups = new Map<string, Required<PromptConfigSet> & { prompt_types: string[] }>()
  for (const { prompt_type: promptType, ...switches } of configs) {
    const key = JSON.stringify([switches.track_full_data, switches.is_active])
    const group = groups.get(key) ?? { ...switches, prompt_types: [] }
    group.prompt_types.push(promptType)
    groups.set(key, group)
  }
  return [...groups.values()]
}
