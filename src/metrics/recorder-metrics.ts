import { Counter, Gauge, type Registry } from 'prom-client'
import type { RecorderObserver } from '../recording/recorder-observer.js'
import { Buckets } from './buckets.js'
import { NO_LABELS, ScrapedHistogram } from './scraped.js'

/** Records; a batch has at most 512. */
const BATCH_BOUNDS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
/** Seconds: from one round trip to a database nearby, to a commit that is given up. */
const COMMIT_BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10]

/** The state of the recorder, read at each scrape. */
export interface RecorderState {
  /** Records that are not in the database yet, including those in the journal. */
  readonly pending: () => number
  /** `oldestAgeMs`: how long ago the oldest record in it was put there; null when it is empty. */
  readonly journal: () => { readonly sizeBytes: number, readonly oldestAgeMs: number | null }
}

/** The metrics of recorded, journaled and lost records. @returns what counts them */
export function addRecorderMetrics (registry: Registry): RecorderObserver {
  const counter = (name: string, help: string): Counter =>
    new Counter({ name: `promptmeter_records_${name}_total`, help, registers: [registry] })
  // At one connection a batch is a call, so these too are counted by hand.
  const histogram = (name: string, help: string, bounds: readonly number[]): Buckets => {
    const buckets = new Buckets(bounds)
    registry.registerMetric(new ScrapedHistogram({ name, help }, () => [{ labels: NO_LABELS, buckets }]))
    return buckets
  }
  const committed = counter('committed', 'Records that went directly into the database.')
  const journaled = counter(
    'journaled', 'Records written to the journal on disk, because the database did not commit them in time.'
  )
  const replayed = counter('replayed', 'Records replayed from the journal into the database.')
  const refused = counter('refused',
    'Records of batches that the database rejected whole, for a fault of its own; they wait in the journal.')
  const lost = counter('lost',
    'Lost records: neither the database nor the journal accepted them, or a damaged journal lost them.')
  const rejected = counter(
    'rejected', 'Dead letters: records that the database rejected for their data; they are in rejected.jsonl.'
  )
  const damagedBytes = new Counter({
    name: 'promptmeter_journal_damaged_bytes_total',
    help: 'Bytes of the journal that cannot be read; the file is retained.',
    registers: [registry]
  })
  const batchRecords = histogram(
    'promptmeter_batch_records', 'Records in a batch that went directly into the database.', BATCH_BOUNDS
  )
  const commitSeconds = histogram(
    'promptmeter_commit_duration_seconds', 'How long such a batch took to commit.', COMMIT_BOUNDS
  )
  return {
    committed: (records, durationMs) => {
      committed.inc(records)
      batchRecords.add(records)
      commitSeconds.add(durationMs / 1000)
    },
    journaled: records => journaled.inc(records),
    replayed: records => replayed.inc(records),
    refused: records => refused.inc(records),
    lost: records => lost.inc(records),
    damaged: sizeBytes => damagedBytes.inc(sizeBytes),
    rejected: records => rejected.inc(records)
  }
}

/** The gauges of what waits. */
export function addRecorderGauges (registry: Registry, { pending, journal }: RecorderState): void {
  const gauge = (name: string, help: string, read: () => number): void => {
    registry.registerMetric(new Gauge({ name, help, registers: [], collect () { this.set(read()) } }))
  }
  gauge(
    'promptmeter_records_pending', 'Records that are not in the database yet, including those in the journal.', pending
  )
  gauge('promptmeter_journal_bytes', 'Size of the journal on disk.', () => journal().sizeBytes)
  gauge('promptmeter_journal_oldest_seconds', 'Age of the oldest record in the journal; 0 when it is empty.',
    () => (journal().oldestAgeMs ?? 0) / 1000)
}
