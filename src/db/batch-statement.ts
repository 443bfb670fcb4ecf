import { sql } from 'drizzle-orm'
import type { SQL } from 'drizzle-orm'
import { PgDialect } from 'drizzle-orm/pg-core'
import type { AnyPgColumn } from 'drizzle-orm/pg-core'
import { POLICY_CHANNEL } from './policy-store.js'
import { gatewaySettings, promptConfigs, promptStats, recordedBatches, usageLogs, usageRollups } from './schema/index.js'

export type Column = AnyPgColumn

/** Which columns a batch brings values for, each as one array, in this order. Names and types are the schema's own. */
export interface BatchColumns {
  /** One value per prompt type of the batch: the config that is created if there is none, … */
  readonly config: readonly Column[]
  /** … what is added to its counters, … */
  readonly counters: readonly Column[]
  /** … and its latest call. */
  readonly lastCall: readonly Column[]
  /** One value per rollup row: its key, … */
  readonly rollupKey: readonly Column[]
  /** … and what is added to it. */
  readonly rollup: readonly Column[]
  /** One value per log row. A last array, after these, tells each row's place among the prompt types, from 1. */
  readonly log: readonly Column[]
}

/**
 * The one statement that writes a batch. Its parameters: the batch's id, the arrays in the order of `BatchColumns`, and
 * the places of the log rows' prompt types.
 *
 * ```
 *   gate ─▶ types ─▶ known, created ─▶ config_ids ─┬─▶ stats ─▶ rollups ─▶ policy
 *                                                  └─▶ logs
 * ```
 *
 * - `gate` yields a row the first time that a batch's id is written. Everything else hangs on it, so a replay does nothing.
 * - A step never sees what another step of the same statement wrote, only what it returns. So each takes its input from
 *   the one before, and that also fixes the order in which rows are locked: configs, statistics, rollups, settings, each
 *   sorted by its key. An operator's change goes the same way (config, statistics, settings): nobody deadlocks.
 * - `known` locks the configs against deletion, as the foreign keys will anyway, but before anything else is locked.
 * - `created` meets configs that another instance committed after this statement began: the no-op update waits for
 *   them and returns their ids. Configs that were there before are not written at all.
 * - Only where a config was created is the policy's version raised, and every instance told.
 */
export function batchStatement (columns: BatchColumns): string {
  const typeColumns = [...columns.config, ...columns.counters, ...columns.lastCall]
  const statColumns = [promptStats.prompt_type, ...columns.counters, ...columns.lastCall]
  const rollupColumns = [...columns.rollupKey, ...columns.rollup]
  const statement = sql`
    with gate as (
      insert into ${recordedBatches} (${names([recordedBatches.id])}) values (${parameter}::uuid)
      on conflict do nothing returning 1
    ), types as (
      select types.* from gate, ${unnested('types', typeColumns, sql`with ordinality`, [sql`place`])}
    ), known as (
      select types.place, ${promptConfigs.id} from types join ${promptConfigs} using (prompt_type)
      order by types.place for key share of ${promptConfigs}
    ), created as (
      insert into ${promptConfigs} (${names(columns.config)})
      select ${names(columns.config)} from types where place not in (select place from known) order by place
      on conflict (prompt_type) do update set description = ${promptConfigs.description}
      returning ${names([promptConfigs.id, promptConfigs.prompt_type])}, xmax = 0 as is_new
    ), config_ids as (
      select array_agg(id order by place) as ids from (
        select place, id from known
        union all select types.place, created.id from types join created using (prompt_type)
      ) as configs
    ), stats as (
      insert into ${promptStats} (${names(statColumns)})
      select ${names(statColumns)} from types where (select ids from config_ids) is not null order by place
      on conflict (prompt_type) do update set ${list([...columns.counters.map(add), ...columns.lastCall.map(replaceIfLater)])}
      returning 1
    ), rollups as (
      insert into ${usageRollups} (${names([...rollupColumns])}, blocked_calls)
      select ${names(rollupColumns)}, 0 from ${unnested('rollup', rollupColumns, sql`with ordinality`, [sql`place`])}
      where (select count(*) from stats) > 0 order by place
      on conflict (${names(columns.rollupKey)}) do update set ${list(columns.rollup.map(add))}
      returning 1
    ), policy as (
      update ${gatewaySettings} set policy_version = ${gatewaySettings.policy_version} + 1
      where exists (select from created where is_new) and (select count(*) from rollups) > 0
      returning pg_notify('${sql.raw(POLICY_CHANNEL)}', policy_version::text)
    ), logs as (
      insert into ${usageLogs} (${names(columns.log)}, prompt_config_id)
      select ${names(columns.log)}, (select ids from config_ids)[type_place]
      from gate, ${unnested('log', columns.log, sql``, [sql`type_place`], sql`, ${parameter}::int[]`)}
    )
    select count(*) from policy`
  return new PgDialect().sqlToQuery(statement).sql
}

const parameter = sql.placeholder('in order')

const list = (items: readonly SQL[]): SQL => sql.join([...items], sql`, `)
const name = (column: Column): SQL => sql`${sql.identifier(column.name)}`
const names = (columns: readonly Column[]): SQL => list(columns.map(name))

const unnested = (alias: string, columns: readonly Column[], options: SQL, moreNames: readonly SQL[], moreArrays = sql``): SQL => {
  const arrays = list(columns.map(column => sql`${parameter}::${sql.raw(column.getSQLType())}[]`))
  return sql`unnest(${arrays}${moreArrays}) ${options} as ${sql.identifier(alias)} (${names(columns)}, ${list(moreNames)})`
}

const add = (column: Column): SQL => sql`${name(column)} = ${column} + excluded.${name(column)}`

const replaceIfLater = (column: Column): SQL => sql`${name(column)} = case
  when ${promptStats.last_call_id} is null or (excluded.last_called_at, excluded.last_call_id) >= (${promptStats.last_called_at}, ${promptStats.last_call_id})
  then excluded.${name(column)} else ${column} end`
