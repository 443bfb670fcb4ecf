/** Counts what happens to records. Called as it happens, so it must be quick, and must not throw. */
export interface RecorderObserver {
  /** A batch went into the database directly, in so long. */
  committed: (records: number, durationMs: number) => void
  /** A batch went into the journal. */
  journaled: (records: number) => void
  /** A batch went from the journal into the database. */
  replayed: (records: number) => void
  /** The database rejected a batch whole, which is its own fault: it waits in the journal. Once a batch. */
  refused: (records: number) => void
  /**
   * Neither the database nor the journal took a batch, or it cannot be read any more: its calls were answered, and
   * are in no book.
   */
  lost: (records: number) => void
  /** Bytes of a journal file that cannot be read; its records are reported as lost too. */
  damaged: (sizeBytes: number) => void
  /** Dead letters: the database rejected records for their data; they are in `rejected.jsonl`. */
  rejected: (records: number) => void
}
