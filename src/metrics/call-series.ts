import { costOrNull, count, isUnpriced } from '../recording/batch-totals.js'
import type { CallRecord } from '../recording/call-record.js'
import { Buckets } from './buckets.js'

/**
 * The counts of the calls of one prompt type, model and status. A call finds its series by three look-ups and adds to
 * it; everything else happens at the scrape.
 */
export interface CallSeries {
  readonly labels: { readonly prompt_type: string, readonly model: string, readonly status: string }
  readonly duration: Buckets
  /** The model's, which all its series share. */
  readonly firstByte: FirstByteSeries
  calls: number
  inputTokens: number
  cachedInputTokens: number
  outputTokens: number
  reasoningTokens: number
  costPicoUsd: bigint
}

/** Time to first byte of a model's calls. */
interface FirstByteSeries {
  readonly plain: FirstByteBuckets
  readonly streamed: FirstByteBuckets
}

export interface FirstByteBuckets {
  readonly labels: { readonly model: string, readonly stream: string }
  readonly buckets: Buckets
}

/** Of the response. */
type Status = number | typeof OTHER

/** The label for calls beyond the limit of series. It is no prompt type: those begin with a letter or digit. */
export const OTHER = '_other'
/** The model of calls that name none. */
const NO_MODEL = '_none'

/**
 * Callers choose prompt types and models, and every series costs memory here, time at each scrape and room in
 * Prometheus, so there are at most a thousand, of at most a hundred models. 800 go to the first that come, by their own
 * names. What comes later is counted without its prompt type (150 series more), then by status alone, then in one
 * series for all.
 */
const MAX_MODELS = 100
const MAX_OWN_SERIES = 800
const MAX_MODEL_SERIES = 950
const MAX_STATUS_SERIES = 999
/** As in the books' keys. */
const MAX_LABEL_CHARACTERS = 256

/**
 * Seconds. Few, since each is a line for each series: what tells an embedding, a chat, a long answer and a reasoning
 * model apart.
 */
const DURATION_BOUNDS = [0.25, 1, 2.5, 5, 10, 30, 120]
/** Seconds. Finer, since these are only for each model. */
const FIRST_BYTE_BOUNDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

/** Counts finished calls by prompt type, model and status. */
export class CallCounts {
  readonly #series: CallSeries[] = []
  readonly #byType = new Map<string, Map<string, Map<Status, CallSeries>>>()
  readonly #models = new Map<string, FirstByteSeries>()
  readonly #redact: (text: string) => string
  /** Calls that should have a cost and have none. */
  unpriced = 0
  /** Requests that are no calls. */
  free = 0

  /** @param redact takes keys out of a text: a caller may have put one where a name belongs */
  constructor (redact: (text: string) => string) {
    this.#redact = redact
  }

  /** Adds a call, with its numbers bounded as the books bound them, so that both have the same totals. */
  observe (record: CallRecord): void {
    if (!record.isCall) {
      this.free++
      return
    }
    const model = record.responseModel ?? record.requestModel ?? NO_MODEL
    const series = this.#find(record.promptType, model, record.statusCode) ??
      this.#admit(record.promptType, model, record.statusCode)
    series.calls++
    series.duration.add(count(record.durationMs) / 1000)
    if (record.timeToFirstByteMs !== null) {
      const { plain, streamed } = series.firstByte
      ;(record.stream ? streamed : plain).buckets.add(count(record.timeToFirstByteMs) / 1000)
    }
    if (record.inputTokens !== null) series.inputTokens += count(record.inputTokens)
    if (record.cachedInputTokens !== null) series.cachedInputTokens += count(record.cachedInputTokens)
    if (record.outputTokens !== null) series.outputTokens += count(record.outputTokens)
    if (record.reasoningTokens !== null) series.reasoningTokens += count(record.reasoningTokens)
    const costPicoUsd = costOrNull(record.costPicoUsd)
    if (costPicoUsd !== null) series.costPicoUsd += costPicoUsd
    else if (isUnpriced(record)) this.unpriced++
  }

  get series (): readonly CallSeries[] { return this.#series }

  get firstByte (): FirstByteBuckets[] {
    return [...this.#models.values()].flatMap(({ plain, streamed }) => [plain, streamed])
  }

  #find (promptType: string, model: string, status: Status): CallSeries | undefined {
    return this.#byType.get(promptType)?.get(model)?.get(status)
  }

  /**
   * The series of a call that has none under the names it came with: a new one while there is room, else one that it
   * shares.
   */
  #admit (rawType: string, rawModel: string, status: number): CallSeries {
    const promptType = this.#label(rawType)
    const label = this.#label(rawModel)
    const model = this.#models.has(label) || this.#models.size < MAX_MODELS ? label : OTHER
    return this.#findOrMake(promptType, model, status, MAX_OWN_SERIES) ??
      this.#findOrMake(OTHER, model, status, MAX_MODEL_SERIES) ??
      this.#findOrMake(OTHER, OTHER, status, MAX_STATUS_SERIES) ??
      this.#find(OTHER, OTHER, OTHER) ?? this.#make(OTHER, OTHER, OTHER)
  }

  #findOrMake (promptType: string, model: string, status: Status, maxSeries: number): CallSeries | undefined {
    return this.#find(promptType, model, status) ??
      (this.#series.length < maxSeries ? this.#make(promptType, model, status) : undefined)
  }

  #make (promptType: string, model: string, status: Status): CallSeries {
    const series: CallSeries = {
      labels: { prompt_type: promptType, model, status: String(status) },
      duration: new Buckets(DURATION_BOUNDS),
      firstByte: valueOf(this.#models, model, () => ({
        plain: firstByteBuckets(model, false), streamed: firstByteBuckets(model, true)
      })),
      calls: 0,
      inputTokens: 0,
      cachedInputTokens: 0,
      outputTokens: 0,
      reasoningTokens: 0,
      costPicoUsd: 0n
    }
    const byModel = valueOf(this.#byType, promptType, () => new Map<string, Map<Status, CallSeries>>())
    valueOf(byModel, model, () => new Map<Status, CallSeries>()).set(status, series)
    this.#series.push(series)
    return series
  }

  /**
   * A label's value: short, without keys, and cleaned before it is looked up, for two names that only became one in
   * UTF-8 would be one series twice, for which Prometheus rejects the whole scrape.
   */
  #label (text: string): string {
    return this.#redact(text).slice(0, MAX_LABEL_CHARACTERS).replace(/[\0\p{Surrogate}]/gu, '\uFFFD')
  }
}

const firstByteBuckets = (model: string, stream: boolean): FirstByteBuckets =>
  ({ labels: { model, stream: String(stream) }, buckets: new Buckets(FIRST_BYTE_BOUNDS) })

function valueOf<Key, Value> (map: Map<Key, Value>, key: Key, make: () => Value): Value {
  let value = map.get(key)
  if (value === undefined) {
    value = make()
    map.set(key, value)
  }
  return value
}
