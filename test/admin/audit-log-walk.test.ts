import { eq } from 'drizzle-orm'
import t from 'tap'
import type { Database } from '../../src/db/database.js'
import { createPartitions } from '../../src/db/partitions.js'
import { budgetPeriods, usageLogs } from '../../src/db/schema/index.js'
import { onEachDatabase } from './each-database.js'
import { usageLogRow } from './rows.js'
import { startAdmin, type Admin, type Page } from './start-admin.js'

const safe = new Set(['get', 'head', 'options'])

interface Document {
  paths: Record<string, Record<string, { operationId: string }>>
}

/** `operationId` and route of everything in the OpenAPI document that changes something. */
async function changingOperations ({ call }: Admin): Promise<Map<string, { method: string, path: string }>> {
  const { paths } = (await call('GET', '/admin/api/openapi.json')).body as Document
  return new Map(Object.entries(paths).flatMap(([path, methods]) => Object.entries(methods)
    .filter(([method]) => !safe.has(method))
    .map(([method, { operationId }]) => [operationId, { method: method.toUpperCase(), path }] as const)))
}

interface Step {
  operationId: string
  /** What has to be so beforehand, and no route makes so. */
  prepare?: (database: Database, ids: ReadonlyMap<string, string>) => Promise<void>
  /** What fills the path's parameters. */
  names?: Record<string, string>
  /** Whose answer had the `id` that fills the path's. */
  idFrom?: string
  body?: object
}

// In an order in which each finds what it changes. A route that is added to the API has to be added here.
const steps: Step[] = [
  { operationId: 'changeSettings', body: { default_is_active: false } },
  { operationId: 'createPromptConfig', body: { prompt_type: 'a' } },
  { operationId: 'changePromptConfig', names: { prompt_type: 'a' }, body: { track_full_data: true } },
  { operationId: 'changePromptConfigs', body: { prompt_types: ['a'], set: { is_active: true } } },
  {
    operationId: 'createBudget', body: { name: 'b', prompt_type: 'a', period: 'total', limit_usd: 1, action: 'block' }
  },
  { operationId: 'unblockPromptConfig', names: { prompt_type: 'a' }, prepare: spendAll },
  { operationId: 'changeBudget', idFrom: 'createBudget', body: { limit_usd: 3 } },
  { operationId: 'deleteBudget', idFrom: 'createBudget' },
  {
    operationId: 'putPrice',
    names: { model: 'm' },
    body: { input: 1, output: 2, effective_from: '2026-11-01T00:00:00Z' }
  },
  { operationId: 'reprice', body: {}, prepare: logUnpricedCall },
  { operationId: 'deletePrice', names: { model: 'm' } },
  { operationId: 'createKey', body: { name: 'k' } },
  { operationId: 'changeKey', idFrom: 'createKey', body: { user: 'u' } },
  { operationId: 'revokeKey', idFrom: 'createKey' },
  { operationId: 'deletePromptConfig', names: { prompt_type: 'a' } }
]

async function spendAll (database: Database, ids: ReadonlyMap<string, string>): Promise<void> {
  await database.operator.update(budgetPeriods)
    .set({ spent_usd: '2', exceeded_at: new Date(0).toISOString() })
    .where(eq(budgetPeriods.budget_id, ids.get('createBudget') ?? ''))
}

async function logUnpricedCall (database: Database): Promise<void> {
  await createPartitions(database.operator, [Date.UTC(2026, 10)])
  await database.operator.insert(usageLogs).values(usageLogRow({
    created_at: '2026-11-22T00:00:00Z', request_model: 'm', response_model: 'm', cost: null, cost_reason: 'unknown_model'
  }))
}

onEachDatabase(t, 'every route that changes something is in the audit log once it has', async (t, database) => {
  const admin = await startAdmin(t, database)
  const operations = await changingOperations(admin)
  t.strictSame(
    [...operations.keys()].sort(), steps.map(step => step.operationId).sort(), 'each such route is tried here'
  )

  const ids = new Map<string, string>()
  const total = async () => ((await admin.call('GET', '/admin/api/audit-log')).body as Page).total
  for (const { operationId, names = {}, idFrom = '', body, prepare } of steps) {
    const route = operations.get(operationId)
    if (route === undefined) continue
    await prepare?.(database, ids)
    const before = await total()
    const url = route.path.replace(/\{(\w+)\}/g, (_, name: string) => names[name] ?? ids.get(idFrom) ?? '')
    const answer = await admin.call(route.method, url, body)
    t.ok(answer.status >= 200 && answer.status < 300, `${operationId} succeeds: ${answer.status}`)
    if (typeof answer.body === 'object' && answer.body !== null &&
      'id' in answer.body) ids.set(operationId, String(answer.body.id))
    t.ok(await total() > before, `${operationId} leaves an audit row`)
  }
})
