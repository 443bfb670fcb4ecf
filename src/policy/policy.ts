import { performance } from 'node:perf_hooks'
import type { PolicyData, PolicyKey, PolicyPulse, SpentBudget } from '../db/policy-store.js'
import { promptTypeLimit } from '../errors.js'
import type { Log } from '../log.js'

/** The prompt type of calls that name none. */
export const UNTYPED = 'untyped'

/** The policy of one call: decided when it arrives, unchanged to its end. */
export interface Admission {
  readonly promptType: string
  /** `is_active`: a usage-log row is written. */
  readonly logged: boolean
  /** `track_full_data`, or the header's override. */
  readonly storeFullData: boolean
  /** What the config starts with if this call's record creates it. */
  readonly newConfig: Toggles
}

interface Toggles {
  readonly trackFullData: boolean
  readonly isActive: boolean
}

export interface PolicyOptions {
  /** Reads the whole policy, as of one moment. */
  readonly load: () => Promise<PolicyData>
  /** Reads the number that every change of policy raises, and what was spent of budgets meanwhile. */
  readonly readPulse: () => Promise<PolicyPulse>
  /** What was kept of the last run; null where there is nothing. */
  readonly kept: PolicyData | null
  /** Keeps the policy for the next run, with what is spent by then. */
  readonly keep: (policy: PolicyData) => Promise<void>
  /** Called with every reading, also with the one kept of the last run: for the parts of policy that others go by. */
  readonly onRead?: (policy: PolicyData) => void
  /** Called with what was spent, at each poll that finds the policy unchanged. */
  readonly onSpent?: (spent: readonly SpentBudget[]) => void
  readonly maxPromptTypes: number
  readonly log: Log
}

/** A change whose notification was missed still applies within a second. */
const POLL_MS = 500
/** New prompt types may raise the version many times a second; of ten thousand types the policy is a megabyte. */
const KEEP_MS = 1000
/**
 * What was spent moves with every call: after a crash, a start without the database goes by a figure that is so old at
 * most.
 */
const KEEP_SPENT_MS = 30_000

/**
 * The snapshot of operators' switches and keys that calls are admitted by, so that no call waits for a query.
 * `refresh` runs at every notification; a poll of the version finds what a notification missed. While the database is
 * unavailable the last snapshot applies.
 */
export class Policy {
  readonly #options: PolicyOptions
  #version = -1
  #defaults: Toggles = { trackFullData: false, isActive: true }
  #configs = new Map<string, Toggles>()
  #keys = new Map<string, PolicyKey>()
  /** Types admitted for the first time here, whose config the next snapshot may not show yet. */
  #newTypes = new Set<string>()
  #timer: NodeJS.Timeout | null = null
  /** The latest reading. */
  #read: PolicyData | null = null
  /** It was read, or there may be more spent, since it was last kept. */
  #unkept = false
  #keepTimer: NodeJS.Timeout | null = null
  #keepAtMs = Infinity
  #loading: Promise<void> | null = null
  #stale = false
  #closed = false

  constructor (options: PolicyOptions) {
    this.#options = options
  }

  /**
   * Loads the first snapshot, or takes the one of the last run, and starts the poll. @throws what `load` throws where
   * there is none
   */
  async start (): Promise<void> {
    try {
      await this.refresh()
      await this.#keep() // From the first call on there is something to start by.
    } catch (error) {
      if (this.#options.kept === null) throw error
      this.#options.log.warn({ err: error }, 'the policy cannot be read; the policy of the last run applies to calls')
      this.#stale = true
      this.#use(this.#options.kept)
    }
    this.#pollLater()
  }

  async close (): Promise<void> {
    this.#closed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    if (this.#keepTimer !== null) clearTimeout(this.#keepTimer)
    this.#unkept ||= this.#hasBudgets
    await this.#keep()
  }

  /** The latest reading of the policy worked; false while calls are admitted by an old one. */
  get fresh (): boolean { return !this.#stale }

  /** Reads the policy again. What was committed before the call is in force once it resolves. */
  async refresh (): Promise<void> {
    // A reading in progress may have begun before the change: one more follows, shared by all that wait here.
    if (this.#loading !== null) await Promise.allSettled([this.#loading])
    this.#loading ??= this.#load().finally(() => { this.#loading = null })
    await this.#loading
  }

  /** A notification of a change arrived. Where it cannot be read, the poll finds it. */
  heard (): void {
    if (!this.#closed) this.refresh().catch((error: unknown) => this.#tellFailed(error, 'the policy cannot be read'))
  }

  /** @throws GatewayError 400 `prompt_type_limit` */
  admit (promptType: string, storeFullData: boolean | null): Admission {
    let toggles = this.#configs.get(promptType)
    if (toggles === undefined) {
      toggles = this.#defaults
      this.#admitNewType(promptType)
    }
    return {
      promptType,
      logged: toggles.isActive,
      storeFullData: storeFullData ?? toggles.trackFullData,
      newConfig: this.#defaults
    }
  }

  findKey (keySha256: string): PolicyKey | undefined {
    return this.#keys.get(keySha256)
  }

  #admitNewType (promptType: string): void {
    if (promptType === UNTYPED || this.#newTypes.has(promptType)) return
    if (this.#configs.size +
      this.#newTypes.size >= this.#options.maxPromptTypes) throw promptTypeLimit(this.#options.maxPromptTypes)
    this.#newTypes.add(promptType)
  }

  async #load (): Promise<void> {
    const data = await this.#options.load()
    this.#use(data)
    this.#read = data
    this.#keepWithin(KEEP_MS)
    // Those that the reading lacks have a call in flight, or a record that is not committed yet.
    for (const promptType of this.#newTypes) if (this.#configs.has(promptType)) this.#newTypes.delete(promptType)
    this.#stale = false
  }

  #use (data: PolicyData): void {
    this.#version = data.version
    this.#defaults = data.defaults
    this.#configs = new Map(data.configs.map(config => [config.promptType, config]))
    this.#keys = new Map(data.keys.map(key => [key.keySha256, key]))
    this.#options.onRead?.(data)
  }

  get #hasBudgets (): boolean { return this.#read !== null && this.#read.budgets.length > 0 }

  /** Many changes within that time are kept once. */
  #keepWithin (ms: number): void {
    this.#unkept = true
    const atMs = performance.now() + ms
    if (this.#closed || (this.#keepTimer !== null && this.#keepAtMs <= atMs)) return
    if (this.#keepTimer !== null) clearTimeout(this.#keepTimer)
    this.#keepAtMs = atMs
    this.#keepTimer = setTimeout(() => { this.#keepTimer = null; void this.#keep() }, ms).unref()
  }

  async #keep (): Promise<void> {
    if (this.#read === null || !this.#unkept) return
    this.#unkept = false
    try {
      await this.#options.keep(this.#read)
    } catch (error) {
      this.#options.log.warn(
        { err: error }, 'the policy cannot be written to disk; a start without the database would use an older one'
      )
    }
  }

  /** One poll at a time: a database that does not answer is not asked again. */
  #pollLater (): void {
    if (!this.#closed) {
      this.#timer = setTimeout(() => { void this.#poll().finally(() => this.#pollLater()) }, POLL_MS)
        .unref()
    }
  }

  async #poll (): Promise<void> {
    if (this.#hasBudgets) this.#keepWithin(KEEP_SPENT_MS)
    try {
      const { version, spent } = await this.#options.readPulse()
      if (this.#closed) return
      if (version !== this.#version || this.#stale) await this.refresh()
      else this.#options.onSpent?.(spent)
    } catch (error) {
      if (!this.#stale) this.#tellFailed(error, 'the policy cannot be read; the last known policy applies to calls')
      this.#stale = true
    }
  }

  /** The database closes after the policy: a reading in progress is then lost, which is no fault. */
  #tellFailed (error: unknown, message: string): void {
    if (!this.#closed) this.#options.log.warn({ err: error }, message)
  }
}
