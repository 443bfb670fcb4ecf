import { asc, eq, gte, ilike, lt, or, sql, type SQL } from 'drizzle-orm'
import type { Drizzle } from '../../db/database.js'
import { gatewaySettings, promptConfigs, promptStats } from '../../db/schema/index.js'
import { shownObject } from '../../lib/stored-object.js'
import { type KeysetPage, pageOf } from '../keyset-page.js'
import type { NewPromptConfig, PromptConfig, PromptConfigPatch, PromptConfigSummary } from '../schemas/prompt-config.js'
import { findBlocks, isBlocked, type Block } from './budget-blocks.js'
import { all, containing, inUtc } from './expressions.js'
import { parseSort, promptConfigColumns, type PromptConfigSort } from './prompt-config-columns.js'

export interface PromptConfigFilter {
  readonly prompt_type?: string
  readonly search?: string
  readonly track_full_data?: boolean
  readonly is_active?: boolean
  /** At the moment that comes with the filter. */
  readonly blocked?: boolean
  /** Inclusive. */
  readonly created_after?: string
  /** Exclusive. */
  readonly created_before?: string
}

/** The sort, and of a page's last row the sort key as Postgres writes it (null: it had none) and the prompt type. */
export type PromptConfigPlace = readonly [sort: PromptConfigSort, key: string | null, promptType: string]

/**
 * At most `limit` configs in the sort's order after `after`. Rows without a sort key come last, ties by prompt type.
 * @param nowMs decides which budgets block, milliseconds since the epoch
 */
export async function listPromptConfigs (
  database: Drizzle, filter: PromptConfigFilter, sort: PromptConfigSort, limit: number, after: PromptConfigPlace | null,
  nowMs: number
): Promise<KeysetPage<PromptConfigSummary, PromptConfigPlace>> {
  const { last_prompt: _prompt, last_response: _response, ...columns } = promptConfigColumns
  const { expression, descending } = parseSort(sort)
  const rows = await database
    .select({ ...columns, sort_key: sql<string | null>`(${expression})::text` })
    .from(promptConfigs)
    .leftJoin(promptStats, eq(promptStats.prompt_type, promptConfigs.prompt_type))
    .where(all(...promptConfigConditions(filter, nowMs), after === null ? undefined : isAfter(after)))
    .orderBy(
      descending ? sql`${expression} desc nulls last` : sql`${expression} asc nulls last`,
      asc(promptConfigs.prompt_type)
    )
    .limit(limit + 1)
  const { items, next } = pageOf(rows, limit, (row): PromptConfigPlace => [sort, row.sort_key, row.prompt_type])
  const blocks = await findBlocks(database, items.map(row => row.prompt_type), nowMs)
  return { items: items.map(({ sort_key: _key, ...row }) => toPromptConfig(row, blocks)), next }
}

/** The number of configs that the filter matches. There are at most some ten thousand, so counting is cheap. */
export const countPromptConfigs = async (
  database: Drizzle, filter: PromptConfigFilter, nowMs: number
): Promise<number> =>
  await database.$count(promptConfigs, all(...promptConfigConditions(filter, nowMs)))

/** The conditions of the filter on `prompt_configs` at that moment, for lists, exports and bulk changes. */
export function promptConfigConditions (filter: PromptConfigFilter, nowMs: number): (SQL | undefined)[] {
  const {
    prompt_type: promptType,
    search,
    track_full_data: trackFullData,
    is_active: isActive,
    blocked,
    created_after: after,
    created_before: before
  } = filter
  return [
    promptType === undefined ? undefined : eq(promptConfigs.prompt_type, promptType),
    search === undefined
      ? undefined
      : or(ilike(promptConfigs.prompt_type, containing(search)), ilike(promptConfigs.description, containing(search))),
    trackFullData === undefined ? undefined : eq(promptConfigs.track_full_data, trackFullData),
    isActive === undefined ? undefined : eq(promptConfigs.is_active, isActive),
    blocked === undefined ? undefined : sql`${isBlocked(promptConfigs.prompt_type, nowMs)} = ${blocked}`,
    after === undefined ? undefined : gte(promptConfigs.created_at, inUtc(after)),
    before === undefined ? undefined : lt(promptConfigs.created_at, inUtc(before))
  ]
}

function isAfter ([sort, key, promptType]: PromptConfigPlace): SQL {
  const { expression, type, descending } = parseSort(sort)
  const laterTie = sql`${promptConfigs.prompt_type} > ${promptType}`
  if (key === null) return sql`(${expression} is null and ${laterTie})`
  const value = sql`${key}::text::${sql.raw(type)}`
  const beyond = descending ? sql`${expression} < ${value}` : sql`${expression} > ${value}`
  return sql`(${beyond} or (${expression} = ${value} and ${laterTie}) or ${expression} is null)`
}

/** A row as the API shows it: its JSON text as objects, and the block of its type, if there is one. */
export function toPromptConfig<T extends {
  prompt_type: string, last_metadata: string | null
}> (row: T, blocks: ReadonlyMap<string, Block>) {
  return {
    ...row,
    last_metadata: shownObject(row.last_metadata),
    blocked: blocks.get(row.prompt_type) ?? null
  }
}

/** A config as it is at that moment. Null if there is none. */
export async function findPromptConfig (
  database: Drizzle, promptType: string, nowMs: number
): Promise<PromptConfig | null> {
  const [row] = await database
    .select(promptConfigColumns)
    .from(promptConfigs)
    .leftJoin(promptStats, eq(promptStats.prompt_type, promptConfigs.prompt_type))
    .where(eq(promptConfigs.prompt_type, promptType))
  return row === undefined ? null : toPromptConfig(row, await findBlocks(database, [promptType], nowMs))
}

/** The fields of a config that operators set, as the audit log shows them. */
export type PromptConfigSwitches = Pick<PromptConfig, 'prompt_type' | 'description' | 'track_full_data' | 'is_active'>

/**
 * A config's switches, which no other transaction changes before this one ends. Calls may refer to the config
 * meanwhile: the lock is the one that an update takes. Null if there is none.
 */
export async function lockSwitches (transaction: Drizzle, promptType: string): Promise<PromptConfigSwitches | null> {
  const [row] = await transaction.select({
    prompt_type: promptConfigs.prompt_type,
    description: promptConfigs.description,
    track_full_data: promptConfigs.track_full_data,
    is_active: promptConfigs.is_active
  }).from(promptConfigs).where(eq(promptConfigs.prompt_type, promptType)).for('no key update')
  return row ?? null
}

/** Creates a config; omitted switches start as the settings say. False if it already exists. */
export async function insertPromptConfig (transaction: Drizzle, config: NewPromptConfig): Promise<boolean> {
  const rows = await transaction.insert(promptConfigs)
    .values(await withDefaults(transaction, config))
    .onConflictDoNothing()
    .returning({ id: promptConfigs.id })
  return rows.length > 0
}

/** Changes a config. False if there is none. */
export async function updatePromptConfig (
  transaction: Drizzle, promptType: string, patch: PromptConfigPatch
): Promise<boolean> {
  const rows = await transaction.update(promptConfigs)
    .set({ ...patch, updated_at: sql`now()` })
    .where(eq(promptConfigs.prompt_type, promptType))
    .returning({ id: promptConfigs.id })
  return rows.length > 0
}

/** Changes a config, or creates it with the changes: for the reserved type, which has one before its first call. */
export async function upsertPromptConfig (
  transaction: Drizzle, promptType: string, patch: PromptConfigPatch
): Promise<void> {
  await transaction.insert(promptConfigs)
    .values(await withDefaults(transaction, { prompt_type: promptType, ...patch }))
    .onConflictDoUpdate({ target: promptConfigs.prompt_type, set: { ...patch, updated_at: sql`now()` } })
}

async function withDefaults (transaction: Drizzle, config: NewPromptConfig) {
  const [defaults] = await transaction.select({
    track_full_data: gatewaySettings.default_track_full_data,
    is_active: gatewaySettings.default_is_active
  }).from(gatewaySettings)
  return { ...defaults, ...config }
}

/** Deletes a config with its statistics; its log rows lose the reference and stay. False if there is none. */
export async function deletePromptConfig (transaction: Drizzle, promptType: string): Promise<boolean> {
  // Each log row of the type is updated: a type with millions of them takes longer than an operator's query may.
  await transaction.execute(sql`set local statement_timeout = 0`)
  const rows = await transaction.delete(promptConfigs)
    .where(eq(promptConfigs.prompt_type, promptType))
    .returning({ id: promptConfigs.id })
  return rows.length > 0
}
