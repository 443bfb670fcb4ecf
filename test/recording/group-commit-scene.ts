import { setImmediate as nextTurn } from 'node:timers/promises'
import type { CallRecord, FinishedCall, RecordBatch, StoredPayload } from '../../src/recording/call-record.js'
import { GroupCommit, type GroupCommitOptions } from '../../src/recording/group-commit.js'
import { callRecord } from '../helpers/batches.js'

export const call = (id: string, changes: Partial<CallRecord> = {}, buildPayload = (): StoredPayload => ({
  prompt: `prompt of ${id}`, response: null
})): FinishedCall =>
  ({ record: callRecord({ promptType: 'a', ...changes, id }), buildPayload })

/** Its end is the test's to decide. */
export interface Save {
  readonly batch: RecordBatch
  readonly deadlineMs: number
  readonly end: () => void
}

interface Logged { readonly fields: object, readonly message: string }

/** Each save waits in `saves` for its end, or ends at once where the test listens with `onSave`. */
export function start ({ onSave, ...changes }: Partial<GroupCommitOptions> & {
  readonly onSave?: (batch: RecordBatch) => void
} = {}): {
    group: GroupCommit, saves: Save[], next: () => Promise<Save>, recordAll: (calls: readonly FinishedCall[]) => Promise<void>, logged: Logged[]
  } {
  const saves: Save[] = []
  const logged: Logged[] = []
  const log = (fields: object, message: string): void => { logged.push({ fields, message }) }
  const group = new GroupCommit({
    save: async (batch, deadlineMs) => {
      if (onSave === undefined) await new Promise<void>(resolve => { saves.push({ batch, deadlineMs, end: resolve }) })
      else onSave(batch)
    },
    recordWaitMs: 500,
    now: () => 1_700_000_000_000,
    log: { debug: log, info: log, warn: log, error: log },
    ...changes
  })
  const next = async (): Promise<Save> => {
    for (;;) {
      const save = saves.shift()
      if (save !== undefined) return save
      await nextTurn()
    }
  }
  const recordAll = async (calls: readonly FinishedCall[]): Promise<void> => {
    for (let i = 0; i < calls.length; i++) group.expect()
    await Promise.all(calls.map(call => group.record(call)))
  }
  return { group, saves, next, recordAll, logged }
}

export const ids = (batch: RecordBatch | undefined): string | undefined =>
  batch?.entries.map(({ record }) => record.id).join()

export const someTurns = async (): Promise<void> => { for (let i = 0; i < 5; i++) await nextTurn() }
