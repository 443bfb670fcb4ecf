import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import postgres from 'postgres'
import { openPool } from '../src/db/pool.js'
import type { FinishedCall } from '../src/recording/call-record.js'
import { Recorder } from '../src/recording/recorder.js'
import { uuidV7 } from '../src/recording/uuid-v7.js'
import { callRecord } from '../test/helpers/batches.js'

// A process of its own: the gateway's recorder without a gateway, fed as fast as it takes. Its arguments are the URL of
// a database that has the schema, and how many records it is to write.

/** Records in line at any time, as many as a busy gateway has calls open. */
const CALLERS = 1024
const PROMPT_TYPES = 20
const PAYLOAD = { prompt: 'x'.repeat(4096), response: 'x'.repeat(4096) }

export interface RecorderReport {
  readonly recordsPerSecond: number
  readonly cpuUsPerRecord: number
  /** Records that the database did not take in time, and that went to the journal on disk. */
  readonly journaled: number
}

async function run (databaseUrl: string, records: number): Promise<RecorderReport> {
  const dataDir = await mkdtemp(join(tmpdir(), 'promptmeter-bench-recorder-'))
  const client = postgres(databaseUrl, { max: 4, fetch_types: false })
  let journaled = 0
  const recorder = await Recorder.open({
    database: { recording: openPool(client), ping: async () => {}, reconnect: () => {} },
    dataDir,
    recordWaitMs: 250,
    observer: {
      committed: () => {},
      journaled: count => { journaled += count },
      replayed: () => {},
      refused: () => {},
      lost: () => {},
      damaged: () => {},
      rejected: () => {}
    },
    now: Date.now,
    // This process's standard error is the benchmark's: what the recorder complains of belongs there.
    log: { debug: () => {}, info: () => {}, warn: console.error, error: console.error }
  })
  let left = records
  const caller = async (): Promise<void> => {
    while (left-- > 0) {
      recorder.expect()
      await recorder.record(nextCall(left))
    }
  }
  const [startedAt, cpuBefore] = [performance.now(), process.cpuUsage()]
  await Promise.all(Array.from({ length: CALLERS }, caller))
  // What went to the journal counts once it is in the database.
  while (recorder.pending > 0) await delay(1)
  const seconds = (performance.now() - startedAt) / 1000
  const { user, system } = process.cpuUsage(cpuBefore)
  await recorder.close()
  await client.end()
  await rm(dataDir, { recursive: true, force: true })
  return { recordsPerSecond: records / seconds, cpuUsPerRecord: (user + system) / records, journaled }
}

function nextCall (i: number): FinishedCall {
  const createdAtMs = Date.now()
  const record = callRecord({
    id: uuidV7(createdAtMs), createdAtMs, promptType: `recorder-${i % PROMPT_TYPES}`, user: `user-${i % 7}`
  })
  return { record, buildPayload: () => PAYLOAD }
}

const [databaseUrl = '', records = ''] = process.argv.slice(2)
process.send?.(await run(databaseUrl, Number(records)))
