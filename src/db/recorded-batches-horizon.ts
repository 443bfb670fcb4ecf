/**
 * How long the database remembers which batches were committed. A batch in a journal that is older cannot be told from
 * one that is in the books already.
 */
export const RECORDED_BATCHES_KEPT_MS = 30 * 86_400_000
