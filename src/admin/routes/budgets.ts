import { createHash } from 'node:crypto'
import { Type } from 'typebox'
import { checkAlertTargets } from '../alert-channels.js'
import { budgetNotFound, invalidField } from '../errors.js'
import { pageParameters, readPageQuery, toPage } from '../keyset-page.js'
import {
  type BudgetSettings, countBudgets, deleteBudget, findBudget, holdCharges, insertBudget, listBudgets, lockBudget, updateBudget
} from '../queries/budgets.js'
import { newestFirstPlace } from '../queries/newest-first.js'
import { type Budget, BudgetPageSchema, BudgetPatchSchema, BudgetSchema, NewBudgetSchema } from '../schemas/budget.js'
import { errors, NoContent, PromptTypeName, Shared } from '../schemas/common.js'
import { usdText } from '../usd-text.js'
import type { AdminApp, RouteDependencies } from './admin-app.js'
import { Id, isUuid } from './ids.js'

const DEFAULTS = {
  prompt_type: null, thresholds: [50, 80, 100], action: 'alert', strict: false, webhook_url: null, email: null
} as const

const tags = ['Budgets']
const params = Type.Object({ id: Id('budget', '5b0f6f0e-2d0c-4d62-8a53-0f3c1b3a9c11') })
const listQuery = Type.Object({
  prompt_type: Type.Optional(PromptTypeName()), ...pageParameters
}, { additionalProperties: false })

export function budgetRoutes (app: AdminApp, dependencies: RouteDependencies): void {
  app.addSchema(BudgetSchema)
  listRoute(app, dependencies)
  createRoute(app, dependencies)
  readRoute(app, dependencies)
  changeRoute(app, dependencies)
  deleteRoute(app, dependencies)
}

function listRoute (app: AdminApp, { database, now, alertChannels }: RouteDependencies): void {
  app.get('/budgets', {
    schema: {
      operationId: 'listBudgets',
      tags,
      summary: 'List budgets',
      description: 'Newest first, each with what was spent of it in its current period. With `prompt_type` those of that type only, without the ones ' +
        'of all traffic. `sends_email` is false where SMTP_URL is not set: then no budget can have an `email`.',
      querystring: listQuery,
      response: { 200: BudgetPageSchema, ...errors }
    }
  }, async request => {
    const { limit, after, filter } = readPageQuery(newestFirstPlace, request.query)
    const page = await listBudgets(database.operator, filter, limit, after, now())
    return { ...toPage(page, await countBudgets(database.operator, filter)), sends_email: alertChannels.email }
  })
}

function createRoute (app: AdminApp, { changePolicy, now, alertChannels }: RouteDependencies): void {
  app.post('/budgets', {
    schema: {
      operationId: 'createBudget',
      tags,
      summary: 'Create a budget',
      description: 'What was already spent in its current period counts, and thresholds that are already reached fire at once. The prompt type need not exist yet.',
      body: NewBudgetSchema,
      response: { 201: Shared('Budget', BudgetSchema), ...errors }
    }
  }, async (request, reply) => {
    checkAlertTargets(alertChannels, request.body)
    const settings = {
      ...DEFAULTS,
      ...request.body,
      limit_usd: exactLimit(request.body.limit_usd),
      thresholds: ascending(request.body.thresholds ?? DEFAULTS.thresholds)
    }
    checkStrict(settings)
    const created = await changePolicy(async (transaction, audit) => {
      const nowMs = now()
      const id = await insertBudget(transaction, settings, nowMs)
      const created = found(await findBudget(transaction, id, nowMs), id)
      await audit({ action: 'budget.create', target: id, before: null, after: audited(created) })
      return created
    })
    void reply.code(201).header('location', `/admin/api/budgets/${created.id}`)
    return created
  })
}

function readRoute (app: AdminApp, { database, now }: RouteDependencies): void {
  app.get('/budgets/:id', {
    schema: {
      operationId: 'getBudget',
      tags,
      summary: 'Read a budget',
      description: 'With what was spent of it in its current period.',
      params,
      response: { 200: Shared('Budget', BudgetSchema), ...errors }
    }
  }, async request => {
    const { id } = request.params
    return found(isUuid(id) ? await findBudget(database.operator, id, now()) : null, id)
  })
}

function changeRoute (app: AdminApp, { changePolicy, now, alertChannels }: RouteDependencies): void {
  app.patch('/budgets/:id', {
    schema: {
      operationId: 'changeBudget',
      tags,
      summary: 'Change a budget',
      description: 'Applies to the next call. A new `prompt_type` or `period` counts the spend again. A new limit opens what it blocked, or blocks what it no longer ' +
        'covers, and ends what an operator had lifted. Thresholds that are newly reached fire; those that have fired in this period do not fire again.',
      params,
      body: BudgetPatchSchema,
      response: { 200: Shared('Budget', BudgetSchema), ...errors }
    }
  }, async request => {
    const { id } = request.params
    checkAlertTargets(alertChannels, request.body)
    const { limit_usd: limit, thresholds, ...others } = request.body
    const patch: Partial<BudgetSettings> = {
      ...others,
      ...limit === undefined ? {} : { limit_usd: exactLimit(limit) },
      ...thresholds === undefined ? {} : { thresholds: ascending(thresholds) }
    }
    if (!isUuid(id)) throw budgetNotFound(id)
    return await changePolicy(async (transaction, audit) => {
      const nowMs = now()
      const before = found(await lockBudget(transaction, id, nowMs), id)
      checkStrict({ ...before, ...patch })
      await updateBudget(transaction, before, patch, nowMs)
      const after = found(await findBudget(transaction, id, nowMs), id)
      await audit({ action: 'budget.update', target: id, before: audited(before), after: audited(after) })
      return after
    })
  })
}

function deleteRoute (app: AdminApp, { changePolicy, now }: RouteDependencies): void {
  app.delete('/budgets/:id', {
    schema: {
      operationId: 'deleteBudget',
      tags,
      summary: 'Delete a budget',
      description: 'It stops no more calls. Its alerts stay, and pending ones are still delivered.',
      params,
      response: { 204: NoContent, ...errors }
    }
  }, async (request, reply) => {
    const { id } = request.params
    if (!isUuid(id)) throw budgetNotFound(id)
    await changePolicy(async (transaction, audit) => {
      await holdCharges(transaction)
      const before = found(await lockBudget(transaction, id, now()), id)
      await deleteBudget(transaction, id)
      await audit({ action: 'budget.delete', target: id, before: audited(before), after: null })
    })
    void reply.code(204)
  })
}

function found (budget: Budget | null, id: string): Budget {
  if (budget === null) throw budgetNotFound(id)
  return budget
}

function exactLimit (limit: number): string {
  const text = usdText(limit)
  if (text === null) {
    throw invalidField(
      "The field 'limit_usd' must have at most 12 decimals and 15 digits.", 'limit_usd'
    )
  }
  return text
}

const ascending = (thresholds: readonly number[]): number[] => thresholds.toSorted((a, b) => a - b)

function checkStrict ({ strict, action }: Pick<Budget, 'strict' | 'action'>): void {
  if (strict && action !== 'block') {
    throw invalidField(
      "The field 'strict' must be false unless 'action' is block: a budget that only alerts rejects no call.", 'strict'
    )
  }
}

/** What an operator decides of a budget. A webhook's path is a secret: its fingerprint tells one from another. */
function audited (budget: Budget): object {
  const {
    spent_usd: _spent,
    period_start: _start,
    period_end: _end,
    state: _state,
    updated_at: _at,
    webhook_url: url,
    ...settings
  } = budget
  return {
    ...settings,
    webhook_url: url === null
      ? null
      : `${new URL(url).origin}/… (SHA-256 ${createHash('sha256').update(url).digest('hex').slice(0, 8)}…)`
  }
}
