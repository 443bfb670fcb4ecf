import type { Log } from '../log.js'
import { within } from '../lib/timeouts.js'

export interface KeyUsesOptions {
  /** Writes when keys were last used: id → milliseconds since the epoch. */
  readonly write: (uses: ReadonlyMap<string, number>) => Promise<void>
  readonly log: Log
  readonly everyMs?: number
  /** After so long without an answer a write counts as failed, so that the next is not held up for ever. */
  readonly writeMs?: number
}

const EVERY_MS = 10_000
const WRITE_MS = 10_000
/** What a shutdown waits for a database that does not answer: when a key was last used is not worth more. */
const CLOSE_WAIT_MS = 1000

/**
 * Remembers when gateway keys were last used, and writes new times every ten seconds. Calls neither wait for it nor
 * cause a statement each. After a failure the times are written at the next try.
 */
export class KeyUses {
  readonly #options: KeyUsesOptions
  readonly #timer: NodeJS.Timeout
  #uses = new Map<string, number>()
  #writing: Promise<void> | null = null
  #failing = false

  constructor (options: KeyUsesOptions) {
    this.#options = options
    this.#timer = setInterval(() => { void this.flush() }, options.everyMs ?? EVERY_MS).unref()
  }

  /** A call with that key was let in; `null`: it had none. */
  note (keyId: string | null, atMs: number): void {
    if (keyId !== null && atMs > (this.#uses.get(keyId) ?? 0)) this.#uses.set(keyId, atMs)
  }

  /** Resolves when what was noted before is written, or could not be. */
  async flush (): Promise<void> {
    if (this.#writing !== null) await this.#writing
    if (this.#uses.size > 0) this.#writing ??= this.#write().finally(() => { this.#writing = null })
    await this.#writing
  }

  /** Writes what is left, if the database takes it soon. */
  async close (): Promise<void> {
    clearInterval(this.#timer)
    await within(this.flush(), CLOSE_WAIT_MS)
  }

  async #write (): Promise<void> {
    const uses = this.#uses
    this.#uses = new Map()
    try {
      const { write, writeMs = WRITE_MS } = this.#options
      const isWritten = await within(write(uses).then(() => true), writeMs, false)
      if (!isWritten) throw new Error(`the database has not answered for ${writeMs} ms`)
      this.#failing = false
    } catch (error) {
      for (const [keyId, atMs] of uses) this.note(keyId, atMs)
      if (!this.#failing) {
        this.#options.log.warn(
          { err: error }, 'the last use of gateway keys cannot be written; trying again'
        )
      }
      this.#failing = true
    }
  }
}
