/**
 * How long the database remembers which batches were committed. Whether it has an older batch of a journal already
 * cannot be checked.
 */
export const RECORDED_BATCHES_KEPT_MS = 30 * 86_400_000
