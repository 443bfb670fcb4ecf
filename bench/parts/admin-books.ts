import type { Sql } from 'postgres'
import { withClient } from '../database.js'
import type { Bench } from '../part.js'

/** How many prompt types the operator's books have. */
export const MANY_TYPES = 10_000
const USERS = 100
const ROWS_PER_STATEMENT = 500_000
const MODELS = ['gpt-4o-mini', 'gpt-4o', 'gpt-4.1', 'gpt-4.1-mini', 'o4-mini']

/**
 * Fills a gateway's database as a year of calls would leave it: the log, statistics and rollups, all of the same calls.
 */
export async function fillBooks (bench: Bench, databaseUrl: string): Promise<void> {
  const { options: { rows }, progress } = bench
  await withClient(databaseUrl, async sql => {
    await sql`insert into prompt_configs (prompt_type, description) select 'bench-' || n, 'Prompt number ' || n from generate_series(0, ${MANY_TYPES - 1}::int) as n`
    await createPartitions(sql)
  })
  let next = 0
  const work = async (): Promise<void> => await withClient(databaseUrl, async sql => {
    await sql`set session_replication_role = replica` // The foreign keys are right, so they are not checked.
    while (next < rows) {
      const first = next
      next = Math.min(next + ROWS_PER_STATEMENT, rows)
      progress(`usage log: ${first.toLocaleString('en-US')} of ${rows.toLocaleString('en-US')} rows`)
      await insertCalls(sql, first, next - 1, rows)
    }
  })
  await Promise.all([work(), work()])
  progress('statistics and rollups')
  await withClient(databaseUrl, async sql => {
    await sumUp(sql)
    progress('vacuum')
    await sql`vacuum (analyze)`
    await sql`checkpoint`
  })
}

/** A partition for each of the last thirteen months, where it is missing. */
async function createPartitions (sql: Sql): Promise<void> {
  await sql`do $$
    declare month timestamptz; name text;
    begin
      for ago in 1..13 loop
        month := date_trunc('month', now(), 'UTC') at time zone 'UTC' - ago * interval '1 month';
        name := 'usage_logs_' || to_char(month at time zone 'UTC', 'YYYY_MM');
        continue when to_regclass(name) is not null;
        execute format('create table %I (like usage_logs including all)', name);
        execute format('alter table usage_logs attach partition %I for values from (%L) to (%L)', name,
          (month at time zone 'UTC')::text || 'Z', (month at time zone 'UTC' + interval '1 month')::text || 'Z');
      end loop;
    end $$`
}

/**
 * Calls number `first` to `last`: evenly over the year until now, at random over types, models and users; some fail,
 * some have no price.
 */
async function insertCalls (sql: Sql, first: number, last: number, rows: number): Promise<void> {
  await sql`
    insert into usage_logs (id, created_at, prompt_type, prompt_config_id, provider, endpoint, request_model, response_model, user_name,
      stream, status_code, success, error_type, input_tokens, cached_input_tokens, output_tokens, reasoning_tokens, usage_source, cost, cost_reason, duration_ms,
      time_to_first_byte_ms, upstream_request_id, request_bytes, response_bytes)
    select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid,
      at, prompt_type, prompt_configs.id, 'openai', 'chat/completions', model, model, 'user-' || random % ${USERS}::int,
      false, case when failed then 429 else 200 end, not failed, case when failed then 'rate_limit_exceeded' end,
      1000, 100, 200, 0, 'upstream', case when not unpriced then 0.000262500000 end, case when unpriced then 'unknown_model' end, 800,
      700, 'req_' || md5(n::text), 4096, 4096
    from (
      select n, now() - interval '365 days' * (1 - n::float8 / ${rows}::float8) as at, hashint4(n) & 2147483647 as random, n % 100 = 7 as failed, n % 1000 = 1 as unpriced
      from generate_series(${first}::int, ${last}::int) as n
    ) as rows
    cross join lateral (select (${MODELS}::text[])[1 + random / 1000 % ${MODELS.length}::int] as model) as models
    join prompt_configs on prompt_type = 'bench-' || random / 7 % ${MANY_TYPES}::int`
}

async function sumUp (sql: Sql): Promise<void> {
  await sql`
    insert into prompt_stats (prompt_type, total_calls, failed_calls, unpriced_calls, total_input_tokens, total_output_tokens, total_cost,
      last_called_at, last_model, last_input_tokens, last_output_tokens, last_cost, last_duration_ms, last_status_code, last_prompt, last_response)
    select prompt_type, count(*), count(*) filter (where not success), count(*) filter (where cost is null), sum(input_tokens), sum(output_tokens), coalesce(sum(cost), 0),
      max(created_at), max(response_model), 1000, 200, 0.0002625, 800, 200, repeat('prompt ', 500), repeat('response ', 400)
    from usage_logs group by prompt_type`
  await sql`
    insert into usage_rollups (hour, prompt_type, model, user_name, calls, failed_calls, blocked_calls, unpriced_calls, input_tokens, cached_input_tokens,
      output_tokens, reasoning_tokens, cost, duration_ms)
    select date_trunc('hour', created_at, 'UTC'), prompt_type, response_model, user_name, count(*), count(*) filter (where not success), 0,
      count(*) filter (where cost is null), sum(input_tokens), sum(cached_input_tokens), sum(output_tokens), 0, coalesce(sum(cost), 0), sum(duration_ms)
    from usage_logs group by 1, 2, 3, 4 order by 1` // As they come to be: a day's lie beside each other.
  // These rollups did not come by way of the recorder, which says which days are to be summed up again.
  await sql`update gateway_settings set summarised_to = null`
}
