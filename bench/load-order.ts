import type { ExchangeName } from './exchanges.js'

/** What the load process is told to do. It ends after so many calls, or when the time is up. */
export interface LoadOrder {
  readonly origin: string
  /** Beyond what every call carries. */
  readonly headers: Readonly<Record<string, string>>
  readonly exchange: ExchangeName
  /** Prompt types among which calls choose at random. */
  readonly promptTypes: number
  readonly connections: number
  readonly seconds?: number
  readonly calls?: number
  /** Calls go out at this rate, on as many connections as that takes, instead of one after the other. */
  readonly ratePerSecond?: number
}

export interface LoadReport {
  /** Calls whose answer was read to its end. There are no others: one that fails fails the benchmark. */
  readonly answered: number
  readonly callsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly firstByteP50Ms: number
  /** Of each response's body: all must have the same. */
  readonly responseBytes: number
}
