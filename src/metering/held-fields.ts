const COLON = 0x3a

/**
 * Lines of an event (`event`, `id`, `retry`, and comments behind them) that wait for their data line: they go where
 * it goes.
 */
export class HeldFields {
  #lines: Buffer[] = []
  sizeBytes = 0

  get isEmpty (): boolean { return this.#lines.length === 0 }

  push (line: Buffer): void {
    this.#lines.push(Buffer.from(line))
    this.sizeBytes += line.length
  }

  /** More of the line that came last: the LF behind its CR. */
  addToLast (bytes: Buffer): void {
    const last = this.#lines.pop()
    if (last !== undefined) this.#lines.push(Buffer.concat([last, bytes]))
  }

  /** They go on. */
  takeAll (): readonly Buffer[] {
    if (this.isEmpty) return NO_LINES
    const lines = this.#lines
    this.#lines = []
    this.sizeBytes = 0
    return lines
  }

  /** They are dropped with their data line; comments go on. */
  takeComments (): readonly Buffer[] {
    return this.isEmpty ? NO_LINES : this.takeAll().filter(isComment)
  }
}

const NO_LINES: readonly Buffer[] = []

export function isComment (line: Buffer): boolean { return line[0] === COLON }
