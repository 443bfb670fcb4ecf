import type { BatchEntry, CallRecord } from './call-record.js'

/** What a batch adds to a prompt type's statistics, and which of its calls is the latest. */
export interface TypeTotals extends Totals {
  readonly promptType: string
  /** The type's first call in the batch: it creates the config if there is none. */
  readonly first: CallRecord
  /** The latest call; null where there is none: a budget blocked them, or only free requests came. */
  last: BatchEntry | null
  /** Where it stands in `BatchTotals.types`, from 1 as Postgres counts. */
  place: number
}

/** A row of the usage log. */
export interface LogRow extends BatchEntry {
  readonly type: TypeTotals
}

/** What a batch adds to one row of the rollups. */
export interface RollupTotals extends Totals {
  /** Milliseconds since the epoch. */
  readonly hourMs: number
  readonly promptType: string
  /** The response's model, else the request's, else ''. */
  readonly model: string
  readonly user: string
}

export interface Totals {
  calls: number
  failedCalls: number
  blockedCalls: number
  unpricedCalls: number
  inputTokens: number
  cachedInputTokens: number
  outputTokens: number
  reasoningTokens: number
  costPicoUsd: bigint
  durationMs: number
}

export interface BatchTotals {
  /** Sorted by prompt type. */
  readonly types: TypeTotals[]
  /** Sorted by their key. */
  readonly rollups: RollupTotals[]
  /** The requests of active types, in the order of the batch. */
  readonly logs: LogRow[]
}

const HOUR_MS = 3_600_000
/** An index entry may not pass 2,704 bytes, and a caller may put anything into `model` and `user`. */
const MAX_KEY_CHARACTERS = 256
/**
 * No call has as many tokens or lasts as long: 2³¹ − 1, whose sums over any number of calls stay far inside a bigint.
 */
const MAX_COUNT = 0x7fff_ffff
/** 10¹² USD. */
const MAX_COST_PICO_USD = 10n ** 24n
/** The year 2200. */
const MAX_TIME_MS = Date.UTC(2200, 0) - 1

/**
 * Sums a batch by prompt type and by rollup row, each in an order that all instances share, so that they do not
 * deadlock.
 */
export function totalBatch (entries: readonly BatchEntry[]): BatchTotals {
  const types = new Map<string, TypeTotals>()
  const rollups = new Map<string, RollupTotals>()
  const logs: LogRow[] = []
  for (const entry of entries) {
    const { record, payload } = entry
    const promptType = keyText(record.promptType)
    let type = types.get(promptType)
    if (type === undefined) {
      type = { promptType, first: record, last: null, place: 0, ...zero() }
      types.set(promptType, type)
    }
    if (record.isCall) {
      if (canBeLast(record) && (type.last === null || isLater(record, type.last.record))) type.last = entry
      addCall(type, record)
      addCall(rollupOf(rollups, promptType, record), record)
    }
    if (record.logged) logs.push({ record, payload, type })
  }
  const sortedTypes = sortByKey(types)
  sortedTypes.forEach((type, index) => { type.place = index + 1 })
  return { types: sortedTypes, rollups: sortByKey(rollups), logs }
}

/** Whether the call should have a cost but has none, because its model or its usage is unknown. */
export function isUnpriced (record: CallRecord): boolean {
  if (record.costPicoUsd !== null) return false
  // A call that failed before there was any usage costs nothing that anyone could know of.
  const usage = record.success || record.inputTokens !== null || record.outputTokens !== null
  return usage && (record.costReason === 'unknown_model' || record.costReason === 'no_usage')
}

/** A whole number that fits the column, whatever the upstream claimed. */
export const count = (value: number, max = MAX_COUNT): number => value > 0 ? Math.min(Math.round(value), max) : 0

export const countOrNull = (value: number | null): number | null => value === null ? null : count(value)

export function costOrNull (picoUsd: bigint | null): bigint | null {
  if (picoUsd === null || (picoUsd >= 0n && picoUsd <= MAX_COST_PICO_USD)) return picoUsd
  return picoUsd < 0n ? 0n : MAX_COST_PICO_USD
}

/** A moment that Postgres and the calendar can hold. */
export const moment = (timeMs: number): number => count(timeMs, MAX_TIME_MS)

/**
 * Text that is part of a key: short enough for an index, and cleaned before grouping. Two keys that only become equal
 * in the database would write one row twice, which it rejects.
 */
export const keyText = (text: string): string => {
  const key = text.length > MAX_KEY_CHARACTERS ? text.slice(0, MAX_KEY_CHARACTERS) : text
  return suspect.test(key) ? key.replace(unstorable, '\uFFFD') : key
}
/** Half of a surrogate pair too, which is most of what it finds: the test is cheap, telling them apart is not. */
const suspect = /[\0\ud800-\udfff]/
const unstorable = /[\0\p{Surrogate}]/gu

/** Whether it can be the latest call of its type: it went upstream, and may cost money. */
export const canBeLast = (record: CallRecord): boolean => record.isCall && !record.blocked

/** Which of two calls of a type is its latest. */
export const isLater = (a: CallRecord, b: CallRecord): boolean =>
  a.createdAtMs > b.createdAtMs || (a.createdAtMs === b.createdAtMs && a.id > b.id)

function rollupOf (rollups: Map<string, RollupTotals>, promptType: string, record: CallRecord): RollupTotals {
  const hourMs = Math.floor(moment(record.createdAtMs) / HOUR_MS) * HOUR_MS
  const model = keyText(record.responseModel ?? record.requestModel ?? '')
  const user = keyText(record.user ?? '')
  const key = `${hourMs}\0${promptType}\0${model}\0${user}`
  let rollup = rollups.get(key)
  if (rollup === undefined) {
    rollup = { hourMs, promptType, model, user, ...zero() }
    rollups.set(key, rollup)
  }
  return rollup
}

function addCall (totals: Totals, record: CallRecord): void {
  if (record.blocked) {
    totals.blockedCalls++
    return
  }
  totals.calls++
  if (!record.success) totals.failedCalls++
  if (isUnpriced(record)) totals.unpricedCalls++
  totals.inputTokens += count(record.inputTokens ?? 0)
  totals.cachedInputTokens += count(record.cachedInputTokens ?? 0)
  totals.outputTokens += count(record.outputTokens ?? 0)
  totals.reasoningTokens += count(record.reasoningTokens ?? 0)
  totals.costPicoUsd += costOrNull(record.costPicoUsd) ?? 0n
  totals.durationMs += count(record.durationMs)
}

const zero = (): Totals => ({
  calls: 0,
  failedCalls: 0,
  blockedCalls: 0,
  unpricedCalls: 0,
  inputTokens: 0,
  cachedInputTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
  costPicoUsd: 0n,
  durationMs: 0
})

const sortByKey = <Value> (map: ReadonlyMap<string, Value>): Value[] =>
  [...map].sort(([a], [b]) => a < b ? -1 : 1).map(([, value]) => value)
