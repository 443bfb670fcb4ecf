import type { Sql } from 'postgres'
import type { Contender } from '../contenders/contender.js'
import { startPromptmeter } from '../contenders/promptmeter.js'
import { createDatabase, withClient } from '../database.js'
import { type Goal, formatSpread, goalsTable, table } from '../markdown.js'
import { type Measurement, measure } from '../measurement.js'
import { type Bench, type Part, inRounds } from '../part.js'
import { spreadOf } from '../statistics.js'

const CONNECTIONS = 32
const MANY_TYPES = 10_000
const ROWS_PER_STATEMENT = 500_000
const GOAL_WITHIN = 1.1

interface Case {
  readonly promptTypes: number
  readonly log: 'empty' | 'long'
}

const CASES: readonly Case[] = [
  { promptTypes: 1, log: 'empty' },
  { promptTypes: MANY_TYPES, log: 'empty' },
  { promptTypes: 1, log: 'long' },
  { promptTypes: MANY_TYPES, log: 'long' }
]

/** The same calls with one prompt type and with many, on an empty usage log and on a long one. */
export const scale: Part = {
  name: 'scale',
  run: async bench => {
    const gateways = new Map<Case['log'], Contender>()
    try {
      for (const log of ['empty', 'long'] as const) gateways.set(log, await startGateway(bench, log))
      const targets = new Map(CASES.flatMap(one => {
        const gateway = gateways.get(one.log)
        return gateway === undefined ? [] : [[one, { ...gateway, name: describe(one, bench) }] as const]
      }))
      const rounds = await inRounds(bench, 'prompt types and rows', targets, (target, { promptTypes }) =>
        measure(bench.load, target, {
          exchange: 'plain-4k', connections: CONNECTIONS, seconds: bench.options.seconds, promptTypes
        }))
      return { text: report(rounds, bench), data: [...rounds] }
    } finally {
      for (const gateway of gateways.values()) await gateway.stop()
    }
  }
}

const describe = ({ promptTypes, log }: Case, { options }: Bench): string =>
  `${promptTypes === 1 ? 'one prompt type' : `${promptTypes.toLocaleString('en-US')} prompt types`}, ` +
  (log === 'empty' ? 'a log that began empty' : `${options.rows.toLocaleString('en-US')} rows in the log`)

async function startGateway (bench: Bench, log: Case['log']): Promise<Contender> {
  const databaseUrl = await createDatabase(bench.surroundings.postgres)
  const gateway = await startPromptmeter(bench.surroundings, {
    name: `promptmeter, ${log} log`,
    databaseUrl,
    watchLoop: false,
    env: { MAX_PROMPT_TYPES: `${MANY_TYPES + 1}` } // One more: the type of the cases that have only one.
  })
  try {
    await createTypes(databaseUrl)
    if (log === 'long') await fillLog(bench, databaseUrl)
  } catch (error) {
    await gateway.stop()
    throw error
  }
  return gateway
}

/** All types are there beforehand, as they are in a gateway that has run for a while. */
async function createTypes (databaseUrl: string): Promise<void> {
  await withClient(databaseUrl, sql => sql`
    insert into prompt_configs (prompt_type) select 'bench-' || n from generate_series(0, ${MANY_TYPES - 1}::int) as n`)
}

/** Rows as calls leave them, from two connections at a time. */
async function fillLog ({ options, progress }: Bench, databaseUrl: string): Promise<void> {
  let next = 0
  const work = async (): Promise<void> => await withClient(databaseUrl, async sql => {
    await sql`set session_replication_role = replica` // The foreign keys are right, so they are not checked.
    while (next < options.rows) {
      const first = next
      next = Math.min(next + ROWS_PER_STATEMENT, options.rows)
      progress(`usage log: ${first.toLocaleString('en-US')} of ${options.rows.toLocaleString('en-US')} rows`)
      await insertRows(sql, first, next - 1, options.rows)
    }
  })
  await Promise.all([work(), work()])
  progress('usage log: vacuum')
  await withClient(databaseUrl, async sql => {
    await sql`vacuum (analyze) usage_logs`
    await sql`checkpoint`
  })
}

/** Rows number `first` to `last`: spread over the types, and evenly over this month so far. */
async function insertRows (sql: Sql, first: number, last: number, rows: number): Promise<void> {
  await sql`
    insert into usage_logs (id, created_at, prompt_type, prompt_config_id, provider, endpoint, request_model, response_model, user_name,
      stream, status_code, success, input_tokens, cached_input_tokens, output_tokens, reasoning_tokens, usage_source, cost, duration_ms,
      time_to_first_byte_ms, upstream_request_id, request_bytes, response_bytes)
    select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid,
      at, prompt_type, prompt_configs.id, 'openai', 'chat/completions', 'gpt-4o-mini', 'gpt-4o-mini-2024-07-18', 'user-' || n % 100,
      false, 200, true, 1000, 0, 200, 0, 'upstream', 0.00027, 800, 700, 'req_' || md5(n::text), 4096, 4096
    from (
      select n, date_trunc('month', now()) + (now() - date_trunc('month', now())) * (n::float8 / ${rows}::float8) as at
      from generate_series(${first}::int, ${last}::int) as n
    ) as rows
    join prompt_configs on prompt_type = 'bench-' || n % ${MANY_TYPES}::int`
}

function report (rounds: ReadonlyMap<Case, readonly Measurement[]>, bench: Bench): string {
  const [first] = CASES
  const yardstick = first === undefined ? [] : rounds.get(first) ?? []
  const ratiosOf = (measured: readonly Measurement[]): number[] =>
    measured.map(({ cpuUsPerCall }, i) => cpuUsPerCall / (yardstick[i]?.cpuUsPerCall ?? NaN))
  const rows = [...rounds].map(([one, measured]) => [
    describe(one, bench),
    formatSpread(measured.map(({ cpuUsPerCall }) => cpuUsPerCall)),
    formatSpread(ratiosOf(measured)),
    formatSpread(measured.map(({ callsPerSecond }) => callsPerSecond)),
    formatSpread(measured.map(({ databaseCpuUsPerCall }) => databaseCpuUsPerCall ?? NaN))
  ])
  const goals = [...rounds].filter(([one]) => one !== first).map(([one, measured]): Goal => {
    const ratios = ratiosOf(measured)
    return {
      figure: `CPU per call: ${describe(one, bench)}`,
      goal: 'within 10 % of the first line',
      measured: `${formatSpread(ratios)} ×`,
      met: spreadOf(ratios).median <= GOAL_WITHIN
    }
  })
  return [
    `Calls of 4 kB at ${CONNECTIONS} connections through promptmeter on PostgreSQL; each call's type is chosen at random.`,
    table(
      ['', 'CPU per call, µs', '× the first line', 'calls/s', "PostgreSQL's own CPU per call, µs"], rows
    ), goalsTable(goals)
  ].join('\n\n')
}
