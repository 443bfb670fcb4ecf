import { performance } from 'node:perf_hooks'
import type { Log } from '../log.js'

const LOGGED_EVERY_MS = 60_000

/** Logs lost records, at most once a minute. */
export class LossLog {
  readonly #log: Log
  #loggedAtMs = -Infinity
  #unlogged = 0

  constructor (log: Log) {
    this.#log = log
  }

  add (records: number, error: unknown): void {
    this.#unlogged += records
    const nowMs = performance.now()
    if (nowMs - this.#loggedAtMs < LOGGED_EVERY_MS) return
    this.#log.error(
      { err: error, records: this.#unlogged },
      'records are lost: neither the database nor the journal accepts them; calls continue. Free or repair the disk under DATA_DIR'
    )
    this.#loggedAtMs = nowMs
    this.#unlogged = 0
  }
}
