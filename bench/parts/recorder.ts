import { benchScript, startChild } from '../child-process.js'
import { startPromptmeter } from '../contenders/promptmeter.js'
import { createDatabase, withClient } from '../database.js'
import { formatSpread, goalsTable, table } from '../markdown.js'
import type { Bench, Part } from '../part.js'
import type { RecorderReport } from '../recorder-alone.js'
import { spreadOf } from '../statistics.js'

/** Records of a round, per second that a round is to last. */
const RECORDS_PER_SECOND = 25_000
const GOAL_PER_SECOND = 20_000

/** Group commit, batch writer and journal in one process, without calls around them. */
export const recorder: Part = {
  name: 'recorder',
  run: async bench => {
    const databaseUrl = await databaseWithSchema(bench)
    const reports: RecorderReport[] = []
    for (let round = 0; round <= bench.options.rounds; round++) {
      bench.progress(`recorder alone: ${round === 0 ? 'warm-up' : `round ${round} of ${bench.options.rounds}`}`)
      const report = await writeRecords(databaseUrl, Math.round(RECORDS_PER_SECOND * bench.options.seconds))
      if (round > 0) reports.push(report)
    }
    const perSecond = reports.map(({ recordsPerSecond }) => recordsPerSecond)
    const rows = [[
      'one process, PostgreSQL', formatSpread(perSecond), formatSpread(
        reports.map(({ cpuUsPerRecord }) => cpuUsPerRecord)
      ),
      formatSpread(reports.map(({ journaled }) => journaled))
    ]]
    const text = [
      table(['', 'records/s', 'CPU per record, µs', 'of a round by way of the journal'], rows),
      goalsTable([{
        figure: 'recorder alone',
        goal: '≥ 20,000 records/s',
        measured: `${formatSpread(perSecond)} records/s`,
        met: spreadOf(
          perSecond
        ).median >= GOAL_PER_SECOND
      }])
    ].join('\n\n')
    return { text, data: reports }
  }
}

/** A gateway makes the schema, and goes. */
async function databaseWithSchema ({ surroundings }: Bench): Promise<string> {
  const databaseUrl = await createDatabase(surroundings.postgres)
  const gateway = await startPromptmeter(surroundings, { name: 'schema', databaseUrl, watchLoop: false })
  await gateway.stop()
  return databaseUrl
}

async function writeRecords (databaseUrl: string, records: number): Promise<RecorderReport> {
  const count = async (): Promise<number> => {
    const [row] = await withClient(databaseUrl, sql =>
      sql<{ calls: number }[]>`select coalesce(sum(total_calls), 0)::int as calls from prompt_stats`)
    return row?.calls ?? 0
  }
  const before = await count()
  const child = startChild(process.execPath, [benchScript('recorder-alone'), databaseUrl, `${records}`])
  try {
    const report = await child.nextMessage() as RecorderReport
    const written = await count() - before
    if (written !== records) throw new Error(`The recorder was given ${records} records, and ${written} are in the books.`)
    return report
  } finally {
    await child.stop()
  }
}
