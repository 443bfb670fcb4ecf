import { and, asc, countDistinct, eq, getTableColumns, gt, inArray, sql } from 'drizzle-orm'
import type { Drizzle } from '../../db/database.js'
import { modelPrices } from '../../db/schema/index.js'
import { type KeysetPage, pageOf } from '../keyset-page.js'
import type { ModelPrice, PriceEntry } from '../schemas/prices.js'
import { all, instantNotNull, usdNumber } from './expressions.js'

/** A price as it is stored: exact decimals as text, USD per million tokens. */
export interface PriceRow {
  readonly input: string
  readonly cached_input: string | null
  readonly output: string
  readonly audio_input: string | null
  readonly audio_output: string | null
}

/** The last model of a page. */
export type ModelPricePlace = readonly [model: string]

const { model, effective_from: effectiveFrom } = getTableColumns(modelPrices)
const entryColumns = {
  effective_from: instantNotNull(effectiveFrom),
  input: usdNumber(modelPrices.input).mapWith(Number),
  cached_input: usdNumber(modelPrices.cached_input),
  output: usdNumber(modelPrices.output).mapWith(Number),
  audio_input: usdNumber(modelPrices.audio_input),
  audio_output: usdNumber(modelPrices.audio_output)
}

/** At most `limit` models after `after`, in order of their names. */
export async function listPrices (
  database: Drizzle, nowMs: number, limit: number, after: ModelPricePlace | null
): Promise<KeysetPage<ModelPrice, ModelPricePlace>> {
  const rows = await database.selectDistinct({ model }).from(modelPrices)
    .where(all(after === null ? undefined : gt(model, after[0]))).orderBy(asc(model)).limit(limit + 1)
  const { items, next } = pageOf(rows, limit, ({ model }): ModelPricePlace => [model])
  const page = items.map(({ model }) => model)
  const entries = page.length === 0
    ? []
    : await database.select({ model, ...entryColumns }).from(modelPrices).where(inArray(model, page))
      .orderBy(asc(effectiveFrom))
  const byModel = new Map<string, PriceEntry[]>(page.map(model => [model, []]))
  for (const { model, ...entry } of entries) byModel.get(model)?.push(entry)
  return { items: [...byModel].flatMap(([model, entries]) => modelPrice(model, entries, nowMs) ?? []), next }
}

export async function countPricedModels (database: Drizzle): Promise<number> {
  const [row] = await database.select({ models: countDistinct(model) }).from(modelPrices)
  return row?.models ?? 0
}

/** Null if the model has no price. */
export const findPrice = async (database: Drizzle, model: string, nowMs: number): Promise<ModelPrice | null> =>
  modelPrice(model, await priceEntries(database, model), nowMs)

/** All of a model's prices, the earliest first. */
export const priceEntries = async (database: Drizzle, of: string): Promise<PriceEntry[]> =>
  await database.select(entryColumns).from(modelPrices).where(eq(model, of)).orderBy(asc(effectiveFrom))

function modelPrice (model: string, entries: readonly PriceEntry[], nowMs: number): ModelPrice | null {
  const shown = entries.findLast(entry => Date.parse(entry.effective_from) <= nowMs) ?? entries[0]
  return shown === undefined ? null : { model, ...shown, others: entries.filter(entry => entry !== shown) }
}

/** Writes the model's price from that time on, in place of the one of the same time. */
export async function putPrice (transaction: Drizzle, of: string, from: string, price: PriceRow): Promise<void> {
  await transaction.insert(modelPrices)
    .values({ model: of, effective_from: from, ...price })
    .onConflictDoUpdate({ target: [model, effectiveFrom], set: { ...price, updated_at: sql`now()` } })
}

/** Deletes a model's prices, or the one of that time. Answers with what they were, the earliest first. */
export async function deletePrices (transaction: Drizzle, of: string, from: string | null): Promise<PriceEntry[]> {
  const rows = await transaction.delete(modelPrices)
    .where(and(eq(model, of), from === null ? undefined : eq(effectiveFrom, from)))
    .returning(entryColumns)
  return rows.sort((a, b) => a.effective_from < b.effective_from ? -1 : 1)
}
