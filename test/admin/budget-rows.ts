import type { Database } from '../../src/db/database.js'
import { budgetPeriods, budgets } from '../../src/db/schema/index.js'

type BudgetRow = typeof budgets.$inferInsert

/** `budget 7` has the id `00000000-0000-4000-8000-000000000007`. */
export const budgetId = (number: number): string => `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`

/** A blocking budget of 10 USD a day for all traffic, unless the fields say otherwise. */
export function budgetRow (number: number, fields: Partial<BudgetRow> = {}): BudgetRow {
  return {
    id: budgetId(number),
    name: `budget ${number}`,
    period: 'day',
    limit_usd: '10',
    thresholds: [50, 80, 100],
    action: 'block',
    ...fields
  }
}

/** Writes budgets as they stand in the database, and what was spent of each in the period that starts then. */
export async function insertBudgets (
  database: Database, rows: BudgetRow[], spent: ReadonlyArray<{
    budget: number, start: string, usd: string, since?: string
  }>
): Promise<void> {
  await database.operator.insert(budgets).values(rows)
  if (spent.length === 0) return
  await database.operator.insert(budgetPeriods).values(spent.map(({ budget, start, usd, since }) => ({
    budget_id: budgetId(budget), period_start: start, spent_usd: usd, exceeded_at: since ?? null
  })))
}
