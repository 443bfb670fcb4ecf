import { type AnyColumn, eq, sql } from 'drizzle-orm'
import type { BudgetPeriod } from '../lib/budget-period.js'
import type { OperatorPrice } from '../lib/operator-price.js'
import type { Drizzle } from './database.js'
import {
  budgetLifts, budgetPeriods, budgets, gatewayKeys, gatewaySettings, modelPrices, promptConfigs
} from './schema/index.js'

/** The NOTIFY channel of policy changes. Its payload is the new version. */
export const POLICY_CHANNEL = 'promptmeter_policy'

/** The whole policy of the data plane, as of one moment. */
export interface PolicyData {
  /** Rises with every change of policy. */
  readonly version: number
  /** What a new prompt type starts with. */
  readonly defaults: PolicyToggles
  readonly configs: readonly (PolicyToggles & { readonly promptType: string })[]
  readonly keys: readonly PolicyKey[]
  /** Those that block. */
  readonly budgets: readonly PolicyBudget[]
  /** By model, the earliest first. */
  readonly prices: readonly OperatorPrice[]
}

export interface PolicyToggles {
  readonly trackFullData: boolean
  readonly isActive: boolean
}

/** A gateway key: never the key, only its hash. */
export interface PolicyKey {
  readonly id: string
  readonly name: string
  readonly user: string | null
  /** Lower-case hex. */
  readonly keySha256: string
  /** Null: every prompt type. */
  readonly allowedPromptTypes: readonly string[] | null
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number | null
  readonly revoked: boolean
}

/** A budget with `action: block`. Amounts are exact USD as decimal text. */
export interface PolicyBudget {
  readonly id: string
  readonly name: string
  /** Null: all traffic. */
  readonly promptType: string | null
  readonly period: BudgetPeriod
  readonly limitUsd: string
  readonly strict: boolean
  readonly spent: readonly BudgetSpend[]
  /** Prompt types that it does not block in the period that starts then. */
  readonly lifts: ReadonlyArray<{ readonly promptType: string, readonly periodStartMs: number }>
}

/** The spend of one period. The reading with the higher revision wins; of the same revision, the greater one. */
export interface BudgetSpend {
  readonly periodStartMs: number
  readonly spentUsd: string
  readonly revision: number
}

/** The spend of one budget in one period. */
export interface SpentBudget extends BudgetSpend {
  readonly budgetId: string
}

/** Reads the whole policy in one snapshot, so that its version belongs to what is read. */
export async function loadPolicy (database: Drizzle): Promise<PolicyData> {
  return await database.transaction(async snapshot => {
    const [settings] = await snapshot.select({
      version: gatewaySettings.policy_version,
      trackFullData: gatewaySettings.default_track_full_data,
      isActive: gatewaySettings.default_is_active
    }).from(gatewaySettings)
    if (settings === undefined) throw noSettings()
    const configs = await snapshot.select({
      promptType: promptConfigs.prompt_type,
      trackFullData: promptConfigs.track_full_data,
      isActive: promptConfigs.is_active
    }).from(promptConfigs)
    const keys = await snapshot.select({
      id: gatewayKeys.id,
      name: gatewayKeys.name,
      user: gatewayKeys.user_name,
      keySha256: gatewayKeys.key_sha256,
      allowedPromptTypes: gatewayKeys.allowed_prompt_types,
      expiresAtMs: sql<number | null>`(extract(epoch from ${gatewayKeys.expires_at}) * 1000)::float8`,
      revoked: sql<boolean>`${gatewayKeys.revoked_at} is not null`
    }).from(gatewayKeys)
    const { version, ...defaults } = settings
    return {
      version,
      defaults,
      configs,
      keys,
      budgets: await blockingBudgets(snapshot),
      prices: await readOperatorPrices(snapshot)
    }
  }, { isolationLevel: 'repeatable read', accessMode: 'read only' })
}

async function blockingBudgets (snapshot: Drizzle): Promise<PolicyBudget[]> {
  const rows = await snapshot.select({
    id: budgets.id,
    name: budgets.name,
    promptType: budgets.prompt_type,
    period: sql<BudgetPeriod>`${budgets.period}`,
    limitUsd: budgets.limit_usd,
    strict: budgets.strict
  }).from(budgets).where(eq(budgets.action, 'block'))
  if (rows.length === 0) return []
  const spent = byBudget<SpentBudget>(
    await snapshot.execute<{ [column in keyof SpentBudget]: SpentBudget[column] }>(latestSpent)
  )
  const lifts = byBudget(await snapshot.select({
    budgetId: budgetLifts.budget_id,
    promptType: budgetLifts.prompt_type,
    periodStartMs: epochMs(
      budgetLifts.period_start
    )
  }).from(budgetLifts))
  return rows.map(budget => ({ ...budget, spent: spent.get(budget.id) ?? [], lifts: lifts.get(budget.id) ?? [] }))
}

const epochMs = (column: AnyColumn) => sql<number>`(extract(epoch from ${column}) * 1000)::float8`

/** Of each blocking budget the latest period and the one before, which the clock of an instance may still be in. */
const latestSpent = sql`
  select ${budgets.id} as "budgetId", latest."periodStartMs", latest."spentUsd", latest.revision from ${budgets}
  cross join lateral (
    select ${epochMs(budgetPeriods.period_start)} as "periodStartMs", ${budgetPeriods.spent_usd}::text as "spentUsd", ${budgetPeriods.revision} as revision
    from ${budgetPeriods} where ${budgetPeriods.budget_id} = ${budgets.id} order by ${budgetPeriods.period_start} desc limit 2
  ) as latest where ${budgets.action} = 'block'`

/** Rows without the id, by the id. */
function byBudget<Fields> (
  rows: Iterable<Fields & { readonly budgetId: string }>
): Map<string, Array<Omit<Fields, 'budgetId'>>> {
  const groups = new Map<string, Array<Omit<Fields, 'budgetId'>>>()
  for (const { budgetId, ...row } of rows) {
    const group = groups.get(budgetId)
    if (group === undefined) groups.set(budgetId, [row])
    else group.push(row)
  }
  return groups
}

/** The prices of operators' own, as they are now. */
export async function readOperatorPrices (database: Drizzle): Promise<OperatorPrice[]> {
  return await database.select({
    model: modelPrices.model,
    effectiveFromMs: epochMs(modelPrices.effective_from),
    input: modelPrices.input,
    cachedInput: modelPrices.cached_input,
    output: modelPrices.output,
    audioInput: modelPrices.audio_input,
    audioOutput: modelPrices.audio_output
  }).from(modelPrices).orderBy(modelPrices.model, modelPrices.effective_from)
}

/** What is polled twice a second. */
export interface PolicyPulse {
  readonly version: number
  /** Of the blocking budgets, which calls on all instances add to without a change of policy. */
  readonly spent: readonly SpentBudget[]
}

/** Reads the version, and a row or two for each blocking budget, in one query by key. */
export async function readPolicyPulse (database: Drizzle): Promise<PolicyPulse> {
  const [pulse] = await database.select({
    version: gatewaySettings.policy_version,
    spent: sql<string | null>`(select json_agg(spent)::text from (${latestSpent}) as spent)`
  }).from(gatewaySettings)
  if (pulse === undefined) throw noSettings()
  return { version: pulse.version, spent: pulse.spent === null ? [] : JSON.parse(pulse.spent) as SpentBudget[] }
}

/**
 * Raises the version and notifies every instance, once the transaction commits. Comes last in a transaction that
 * changes policy: a transaction that holds the settings row waits for no other row, so that changes and batches do not
 * deadlock.
 */
export async function announcePolicyChange (transaction: Drizzle): Promise<void> {
  await transaction.update(gatewaySettings)
    .set({ policy_version: sql`${gatewaySettings.policy_version} + 1` })
    .returning({ notified: sql`pg_notify(${POLICY_CHANNEL}, ${gatewaySettings.policy_version}::text)` })
}

const noSettings = (): Error => new Error('gateway_settings has no row: the migrations put one there.')
