import { Type } from 'typebox'
import { UNTYPED } from '../../policy/policy.js'
import { promptConfigExists, promptConfigNotFound } from '../errors.js'
import { Page, toPage } from '../keyset-page.js'
import { promptConfigListQuery, readListQuery } from '../prompt-config-list.js'
import { liftBlocks } from '../queries/budget-blocks.js'
import {
  countPromptConfigs, deletePromptConfig, findPromptConfig, insertPromptConfig, listPromptConfigs, lockSwitches, updatePromptConfig, upsertPromptConfig
} from '../queries/prompt-configs.js'
import { errors, NoContent, Shared } from '../schemas/common.js'
import {
  NewPromptConfigSchema, PromptConfigPatchSchema, PromptConfigSchema, PromptConfigSummarySchema, type PromptConfig
} from '../schemas/prompt-config.js'
import type { AdminApp, RouteDependencies } from './admin-app.js'

const tags = ['Prompt configs']
const params = Type.Object({
  prompt_type: Type.String({ description: 'Percent-encoded where it has to be', examples: ['generate_image_metadata'] })
})

export function promptConfigRoutes (app: AdminApp, dependencies: RouteDependencies): void {
  app.addSchema(PromptConfigSchema)
  app.addSchema(PromptConfigSummarySchema)
  listRoute(app, dependencies)
  createRoute(app, dependencies)
  readRoute(app, dependencies)
  changeRoute(app, dependencies)
  unblockRoute(app, dependencies)
  deleteRoute(app, dependencies)
}

function listRoute (app: AdminApp, { database, now }: RouteDependencies): void {
  app.get('/prompt-configs', {
    schema: {
      operationId: 'listPromptConfigs',
      tags,
      summary: 'List prompt configs',
      description: 'Every prompt type with its switches and statistics, without `last_prompt` and `last_response`. ' +
        'Pages neither skip nor repeat an unchanged config. If its sort field changes in between, they may.',
      querystring: promptConfigListQuery,
      response: { 200: Page(Shared('PromptConfigSummary', PromptConfigSummarySchema)), ...errors }
    }
  }, async request => {
    const { sort, limit, after, filter } = readListQuery(request.query)
    const nowMs = now()
    const page = await listPromptConfigs(database.operator, filter, sort, limit, after, nowMs)
    return toPage(page, await countPromptConfigs(database.operator, filter, nowMs))
  })
}

function createRoute (app: AdminApp, { changePolicy, now }: RouteDependencies): void {
  app.post('/prompt-configs', {
    schema: {
      operationId: 'createPromptConfig',
      tags,
      summary: 'Create a prompt config',
      description: 'Before the first call, which would create it too. 409 `prompt_config_exists` if there is one.',
      body: NewPromptConfigSchema,
      response: { 201: Shared('PromptConfig', PromptConfigSchema), ...errors }
    }
  }, async (request, reply) => {
    const { prompt_type: promptType } = request.body
    const created = await changePolicy(async (transaction, audit) => {
      if (!await insertPromptConfig(transaction, request.body)) throw promptConfigExists(promptType)
      await audit({
        action: 'prompt_config.create',
        target: promptType,
        before: null,
        after: await lockSwitches(transaction, promptType)
      })
      return await findPromptConfig(transaction, promptType, now())
    })
    void reply.code(201).header('location', `/admin/api/prompt-configs/${encodeURIComponent(promptType)}`)
    return found(created, promptType)
  })
}

function readRoute (app: AdminApp, { database, now }: RouteDependencies): void {
  app.get('/prompt-configs/:prompt_type', {
    schema: {
      operationId: 'getPromptConfig',
      tags,
      summary: 'Read a prompt config',
      description: 'With the latest call in full. `untyped`, the type of calls without one, has a config from its first call on.',
      params,
      response: { 200: Shared('PromptConfig', PromptConfigSchema), ...errors }
    }
  }, async request => {
    const { prompt_type: promptType } = request.params
    return found(await findPromptConfig(database.operator, promptType, now()), promptType)
  })
}

function changeRoute (app: AdminApp, { changePolicy, now }: RouteDependencies): void {
  app.patch('/prompt-configs/:prompt_type', {
    schema: {
      operationId: 'changePromptConfig',
      tags,
      summary: 'Change a prompt config',
      description: 'Applies to the next call. `untyped`, the type of calls without one, can be changed before its first call: this creates its config.',
      params,
      body: PromptConfigPatchSchema,
      response: { 200: Shared('PromptConfig', PromptConfigSchema), ...errors }
    }
  }, async request => {
    const { prompt_type: promptType } = request.params
    return await changePolicy(async (transaction, audit) => {
      const before = await lockSwitches(transaction, promptType)
      // An operator may switch it before its first call has made its config.
      if (promptType === UNTYPED) await upsertPromptConfig(transaction, promptType, request.body)
      else if (!await updatePromptConfig(transaction, promptType, request.body)) throw promptConfigNotFound(promptType)
      const action = before === null ? 'prompt_config.create' : 'prompt_config.update'
      await audit({ action, target: promptType, before, after: await lockSwitches(transaction, promptType) })
      return found(await findPromptConfig(transaction, promptType, now()), promptType)
    })
  })
}

function unblockRoute (app: AdminApp, { changePolicy, now }: RouteDependencies): void {
  app.post('/prompt-configs/:prompt_type/unblock', {
    schema: {
      operationId: 'unblockPromptConfig',
      tags,
      summary: "Lift a budget's block",
      description: 'Lifts the block of every budget that stops calls of this type now, for this type only, until the budget\'s next period ' +
        'or a change of its limit. Where nothing is blocked, nothing changes.',
      params,
      response: { 200: Shared('PromptConfig', PromptConfigSchema), ...errors }
    }
  }, async request => {
    const { prompt_type: promptType } = request.params
    return await changePolicy(async (transaction, audit) => {
      const nowMs = now()
      found(await findPromptConfig(transaction, promptType, nowMs), promptType)
      const lifted = await liftBlocks(transaction, promptType, nowMs)
      if (lifted.length > 0) {
        await audit({
          action: 'prompt_config.unblock', target: promptType, before: { blocked_by: lifted }, after: { blocked_by: [] }
        })
      }
      return found(await findPromptConfig(transaction, promptType, nowMs), promptType)
    })
  })
}

function deleteRoute (app: AdminApp, { changePolicy }: RouteDependencies): void {
  app.delete('/prompt-configs/:prompt_type', {
    schema: {
      operationId: 'deletePromptConfig',
      tags,
      summary: 'Delete a prompt config',
      description: 'Its switches and statistics go; its usage-log rows and costs stay, with `prompt_config_id` null. ' +
        'The next call of the type, `untyped` too, creates it again as the settings say.',
      params,
      response: { 204: NoContent, ...errors }
    }
  }, async (request, reply) => {
    const { prompt_type: promptType } = request.params
    await changePolicy(async (transaction, audit) => {
      const before = await lockSwitches(transaction, promptType)
      if (before === null || !await deletePromptConfig(transaction, promptType)) throw promptConfigNotFound(promptType)
      await audit({ action: 'prompt_config.delete', target: promptType, before, after: null })
    })
    void reply.code(204)
  })
}

function found (config: PromptConfig | null, promptType: string): PromptConfig {
  if (config === null) throw promptConfigNotFound(promptType)
  return config
}
