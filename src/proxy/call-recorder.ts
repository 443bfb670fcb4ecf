import type { Log } from '../log.js'
import type { BudgetGate } from '../policy/budget-gate.js'
import type { KeyUses } from '../policy/key-uses.js'
import type { CallRecord, FinishedCall } from '../recording/call-record.js'
import type { Recorder } from '../recording/recorder.js'

export interface CallRecorderDeps {
  readonly recorder: Pick<Recorder, 'expect' | 'record'>
  readonly budgets: Pick<BudgetGate, 'recorded'>
  readonly keyUses: Pick<KeyUses, 'note'>
  /** Counts a finished call in the metrics. */
  readonly observe: (record: CallRecord) => void
  readonly log: Log
}

/**
 * What becomes of every finished call: it is counted, its cost is spent, its key was used, its record is made durable.
 */
export class CallRecorder {
  readonly #deps: CallRecorderDeps

  constructor (deps: CallRecorderDeps) {
    this.#deps = deps
  }

  /** A call was admitted: exactly one `record` follows. */
  expect (): void { this.#deps.recorder.expect() }

  /** Resolves when the call's record is durable, or cannot be made so. Never rejects. */
  record (call: FinishedCall): Promise<void> {
    const { recorder, budgets, keyUses, observe, log } = this.#deps
    const { record } = call
    try {
      // From now on, not from its commit: a later call is admitted by what this one cost.
      budgets.recorded(record)
      keyUses.note(record.keyId, record.createdAtMs)
      observe(record)
    } catch (error) {
      log.error({ err: error, id: record.id }, 'a call is recorded, but counted in memory only in part')
    }
    return recorder.record(call)
  }
}
