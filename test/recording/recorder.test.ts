import { cpSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Database } from '../../src/db/database.js'
import { DatabaseUnavailable } from '../../src/db/database-errors.js'
import type { FinishedCall } from '../../src/recording/call-record.js'
import { Recorder } from '../../src/recording/recorder.js'
import { promptTotals, usageLogs } from '../helpers/books.js'
import { callRecord } from '../helpers/batches.js'
import { forEachDatabase, silentLog, temporaryFolder } from '../helpers/database.js'
import { until } from '../helpers/until.js'

interface Counts { committed: number, journaled: number, replayed: number, refused: number, lost: number, damaged: number, rejected: number }

/** A recorder of its own, as each process has one, over a database that the test can cut off. */
async function openRecorder (
  t: Test, database: Database, dataDir: string, recordWaitMs = 60_000
): Promise<{ recorder: Recorder, cut: { off: boolean }, counts: Counts }> {
  const cut = { off: false }
  const counts: Counts = { committed: 0, journaled: 0, replayed: 0, refused: 0, lost: 0, damaged: 0, rejected: 0 }
  const add = (name: keyof Counts) => (records: number): void => { counts[name] += records }
  const check = (): void => { if (cut.off) throw new DatabaseUnavailable('cut off') }
  const recorder = await Recorder.open({
    database: {
      get recording () { check(); return database.recording },
      ping: async () => { check(); await database.ping() },
      reconnect: () => database.reconnect()
    },
    dataDir,
    recordWaitMs,
    observer: {
      committed: add('committed'),
      journaled: add('journaled'),
      replayed: add('replayed'),
      refused: add('refused'),
      lost: add('lost'),
      damaged: add('damaged'),
      rejected: add('rejected')
    },
    now: () => Date.now(),
    log: silentLog
  })
  t.teardown(async () => await recorder.close())
  return { recorder, cut, counts }
}

const call = (number: number): FinishedCall => ({
  record: callRecord({ promptType: `type-${number % 3}`, costPicoUsd: BigInt(number) * 1_000_003n }),
  buildPayload: () => ({ prompt: `prompt ${number}`, response: null })
})

async function recordAll (recorder: Recorder, calls: readonly FinishedCall[]): Promise<void> {
  for (let i = 0; i < calls.length; i++) recorder.expect()
  await Promise.all(calls.map(one => recorder.record(one)))
}

async function replayed (recorder: Recorder): Promise<void> {
  await until(() => recorder.pending === 0 && !recorder.isUnavailable)
}

/**
 * A replay is counted when the journal's file is dropped, a moment after nothing is pending: a close need not wait so
 * long.
 */
async function counted (counts: Counts, records: number): Promise<void> {
  await until(() => counts.replayed >= records)
}

/** Each call once in the log, and in the totals. */
async function checkBooks (t: Test, database: Database, calls: readonly FinishedCall[]): Promise<void> {
  t.same((await usageLogs({ database })).map(row => row['id']).sort(), calls.map(({ record }) => record.id).sort())
  const totals = await promptTotals({ database })
  t.equal([...totals.values()].reduce((sum, { calls }) => sum + calls, 0n), BigInt(calls.length))
  t.equal(
    [...totals.values()].reduce((sum, { cost }) => sum + cost, 0n),
    calls.reduce((sum, { record }) => sum + (record.costPicoUsd ?? 0n), 0n)
  )
}

const calls = (from: number, to: number): FinishedCall[] => Array.from({ length: to - from }, (_, i) => call(from + i))

forEachDatabase(t, 'what a recorder put into its journal, the next one on the folder brings into the books, once', async (
  t, database
) => {
  const dataDir = temporaryFolder(t)
  const journal = join(dataDir, 'journal')
  const before = await openRecorder(t, database, dataDir)
  const lasting = calls(0, 50)
  await recordAll(before.recorder, lasting)
  t.same([before.recorder.journalState, before.recorder.pending, before.counts.committed], ['ok', 0, 50])
  await before.recorder.close()

  const first = await openRecorder(t, database, dataDir, 50)
  first.cut.off = true
  for (let from = 100; from < 400; from += 100) {
    const some = calls(from, from + 100)
    await recordAll(first.recorder, some)
    lasting.push(...some)
  }
  t.same([first.recorder.journalState, first.recorder.pending, first.recorder.isUnavailable], ['in_use', 300, true])
  await first.recorder.close()
  await checkBooks(t, database, lasting.slice(0, 50))

  const files = readdirSync(journal)
  t.ok(files.length > 0)
  const copy = temporaryFolder(t)
  cpSync(journal, join(copy, 'journal'), { recursive: true })

  const second = await openRecorder(t, database, dataDir)
  const late = calls(1000, 1010)
  await recordAll(second.recorder, late)
  lasting.push(...late)
  await replayed(second.recorder)
  await counted(second.counts, first.counts.journaled)
  await second.recorder.close()
  await checkBooks(t, database, lasting)
  t.same(readdirSync(journal), [])
  t.equal(second.counts.replayed, first.counts.journaled)

  const third = await openRecorder(t, database, copy)
  await replayed(third.recorder)
  await counted(third.counts, first.counts.journaled)
  await third.recorder.close()
  await checkBooks(t, database, lasting)
  t.equal(third.counts.replayed, first.counts.journaled, 'the same files again: into no-ops')
  t.same([first, second, third].map(({ counts }) => [counts.lost, counts.rejected]), [[0, 0], [0, 0], [0, 0]])
})

forEachDatabase(t, 'a database that comes back is caught up with, while new calls go into it', async (t, database) => {
  const { recorder, cut, counts } = await openRecorder(t, database, temporaryFolder(t), 50)
  const all: FinishedCall[] = []
  for (let round = 0; round < 3; round++) {
    cut.off = true
    for (let from = 0; from < 60; from += 20) {
      const some = calls(from, from + 20)
      all.push(...some)
      await recordAll(recorder, some)
    }
    t.equal(recorder.isUnavailable, true)
    cut.off = false
    while (recorder.isUnavailable) {
      const [one] = calls(round, round + 1)
      if (one === undefined) break
      all.push(one)
      await recordAll(recorder, [one])
      await sleep(5)
    }
  }
  await replayed(recorder)
  t.equal(recorder.journalState, 'ok')
  await checkBooks(t, database, all)
  await counted(counts, counts.journaled) // Told once the journal has let go of it.
  t.equal(counts.replayed, counts.journaled)
  t.equal(counts.committed + counts.replayed, all.length)
})

forEachDatabase(t, 'what the database refuses is kept aside with its error, and nothing else is', async (
  t, database
) => {
  const dataDir = temporaryFolder(t)
  const { recorder, counts } = await openRecorder(t, database, dataDir)
  const good = calls(0, 31)
  const bad: FinishedCall = { ...call(0), record: { ...callRecord(), id: 'no id' } }
  await recordAll(recorder, [...good.slice(0, 11), bad, ...good.slice(11)])
  await checkBooks(t, database, good)
  const aside = readFileSync(join(dataDir, 'rejected.jsonl'), 'utf8').trimEnd().split('\n')
  t.match(aside.map(line => JSON.parse(line) as unknown), [{ error: /uuid/, record: { id: 'no id' } }])
  t.same([aside.length, counts], [
    1, { committed: 31, journaled: 0, replayed: 0, refused: 0, lost: 0, damaged: 0, rejected: 1 }
  ])
})
