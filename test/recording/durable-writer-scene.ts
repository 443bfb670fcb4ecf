import { performance } from 'node:perf_hooks'
import type { Test } from 'tap'
import type { BatchEntry, RecordBatch } from '../../src/recording/call-record.js'
import { DurableWriter, type DurableWriterOptions } from '../../src/recording/durable-writer.js'
import { uuidV7 } from '../../src/recording/uuid-v7.js'
import { entry } from '../helpers/batches.js'

export class Refusal extends Error {}

/** Of the statement, whatever its records. */
export class StatementRefusal extends Error {
  readonly code = '0A000'
}

export const nowMs = Date.UTC(2026, 10, 23)

/** A batch of as many records as ids, which are those of the records. */
export const batch = (...ids: string[]): RecordBatch => ({ id: uuidV7(nowMs), entries: ids.map(id => entry({ id })) })

export const idsOf = ({ entries }: Pick<RecordBatch, 'entries'>): string =>
  entries.map(({ record }) => record.id).join()

/** On the clock of deadlines. */
export const within = (ms: number): number => performance.now() + ms

/** What happens before something is done; it may throw. */
type Step<Subject> = (subject: Subject) => Promise<void> | void

/** A database and a journal that the test plays, and what the writer did with them. */
export class Scene {
  /** What the database does with a write and with a try, before it takes it; a promise that never settles hangs. */
  onWrite: Step<RecordBatch> = () => {}
  onTryOut: Step<RecordBatch> = () => {}
  onPing: Step<void> = () => {}
  onAppend: Step<RecordBatch> = () => {}
  onOldest: Step<void> = () => {}
  onSetAside: Step<BatchEntry> = () => {}
  readonly journal: RecordBatch[] = []
  /** Batch id → its records, as the database has it: a second write of the same id changes nothing. */
  readonly committed = new Map<string, string>()
  readonly writes: string[] = []
  readonly tries: string[] = []
  readonly aside: string[] = []
  readonly events: string[] = []
  readonly logged: { level: string, fields: Record<string, unknown>, message: string }[] = []
  reconnects = 0
  readonly writer: DurableWriter

  constructor (t: Test, changes: Partial<DurableWriterOptions> = {}) {
    const log = (level: string) =>
      (fields: object, message: string): void => { this.logged.push({ level, fields: { ...fields }, message }) }
    const event = (name: string) => (records: number): void => { this.events.push(`${name} ${records}`) }
    this.writer = new DurableWriter({
      database: {
        write: async batch => {
          this.writes.push(idsOf(batch))
          await this.onWrite(batch)
          if (!this.committed.has(batch.id)) this.committed.set(batch.id, idsOf(batch))
        },
        tryOut: async batch => {
          this.tries.push(idsOf(batch))
          await this.onTryOut(batch)
        },
        rejectionOf: error =>
          error instanceof Refusal ? 'record' : error instanceof StatementRefusal ? 'statement' : null,
        ping: async () => { await this.onPing() },
        reconnect: () => { this.reconnects++ },
        remembersForMs: 1000
      },
      journal: this.#journal(),
      appendDeadLetter: async (entry, error) => {
        await this.onSetAside(entry)
        this.aside.push(`${entry.record.id}: ${String(error)}`)
      },
      observer: {
        committed: event('committed'),
        journaled: event('journaled'),
        replayed: event('replayed'),
        refused: event('refused'),
        lost: event('lost'),
        damaged: event('damaged'),
        rejected: event('rejected')
      },
      now: () => nowMs,
      log: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
      ...changes
    })
    t.teardown(async () => await this.writer.close())
  }

  #journal (): DurableWriterOptions['journal'] {
    const { journal } = this
    return {
      append: async batch => {
        await this.onAppend(batch)
        journal.push(batch)
      },
      oldest: async () => {
        await this.onOldest()
        // As a file would, it gives what it reads: equal, never the same.
        return structuredClone(journal[0] ?? null)
      },
      dropOldest: async () => {
        await Promise.resolve()
        journal.shift()
      },
      setOldestBack: () => { journal.push(...journal.splice(0, 1)) },
      get isEmpty () { return journal.length === 0 }
    }
  }

  /** What every record of these came to: in the database once, or aside. */
  get books (): string[] { return [...this.committed.values()].join().split(',').filter(id => id !== '') }

  messages (level: string): string[] {
    return this.logged.filter(line => line.level === level).map(({ message }) => message)
  }
}

export const hang = (): Promise<void> => new Promise(() => {})

/** Timers that are set for so long go off after a few milliseconds instead. */
export function shorten (t: Test, ...longMs: number[]): void {
  const real = globalThis.setTimeout
  t.intercept(globalThis, 'setTimeout', {
    value: (callback: () => void, ms: number) => real(callback, longMs.includes(ms) ? 10 : ms)
  })
}
