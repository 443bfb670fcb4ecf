import type { Database } from '../../src/db/database.js'

/** Sums over calls; money in 10⁻¹² USD. */
export interface Totals {
  calls: bigint
  failed: bigint
  unpriced: bigint
  input: bigint
  cached: bigint
  output: bigint
  reasoning: bigint
  cost: bigint
}

/** A row of the usage log, each column as the text that Postgres makes of it; no float touches a number. */
export type LogRow = Readonly<Record<string, string | null>>

/** The usage log in the order in which the calls finished. */
export async function usageLogs ({ database }: { readonly database: Database }): Promise<LogRow[]> {
  const rows = await database.operator.$client.unsafe<Array<{ row: LogRow }>>(`
    select (select jsonb_object_agg(key, value) from jsonb_each_text(to_jsonb(logs))) as row from usage_logs logs order by id`)
  return rows.map(({ row }) => row)
}

/** Prompt type → its statistics. What the statistics do not sum is left at nothing. */
export async function promptTotals ({ database }: { readonly database: Database }): Promise<Map<string, Totals>> {
  return await totals(database, `select prompt_type as key, total_calls as calls, failed_calls as failed, unpriced_calls as unpriced,
    total_input_tokens as input, 0 as cached, total_output_tokens as output, 0 as reasoning, total_cost as cost from prompt_stats`)
}

/** `type|model|user` → the sum of its rollups over all hours. */
export async function rollupTotals ({ database }: { readonly database: Database }): Promise<Map<string, Totals>> {
  return await totals(database, `select concat_ws('|', prompt_type, model, user_name) as key, sum(calls) as calls, sum(failed_calls) as failed,
    sum(unpriced_calls) as unpriced, sum(input_tokens) as input, sum(cached_input_tokens) as cached, sum(output_tokens) as output,
    sum(reasoning_tokens) as reasoning, sum(cost) as cost from usage_rollups group by 1`)
}

async function totals (database: Database, query: string): Promise<Map<string, Totals>> {
  const rows = await database.operator.$client.unsafe<Array<Record<keyof Totals | 'key', string>>>(`
    select key, calls::text, failed::text, unpriced::text, input::text, cached::text, output::text, reasoning::text,
      (cost * 1000000000000)::numeric(60, 0)::text as cost from (${query}) as sums order by key`)
  return new Map(rows.map(({ key, ...sums }) => [key, {
    calls: BigInt(sums.calls),
    failed: BigInt(sums.failed),
    unpriced: BigInt(sums.unpriced),
    input: BigInt(sums.input),
    cached: BigInt(sums.cached),
    output: BigInt(sums.output),
    reasoning: BigInt(sums.reasoning),
    cost: BigInt(sums.cost)
  }]))
}

/** Adds to the sums under a key. */
export function addTo (sums: Map<string, Totals>, key: string, call: Partial<Totals>): void {
  const sum = sums.get(key) ??
    { calls: 0n, failed: 0n, unpriced: 0n, input: 0n, cached: 0n, output: 0n, reasoning: 0n, cost: 0n }
  for (const name of Object.keys(sum) as Array<keyof Totals>) sum[name] += call[name] ?? 0n
  sums.set(key, sum)
}
