import {
  Counter, type CounterConfiguration, Histogram, type HistogramConfiguration, type LabelValues
} from 'prom-client'
import type { Buckets } from './buckets.js'

/** One line of the exposition. prom-client escapes the shared labels' values once for each object that it is given. */
export interface Sample {
  readonly value: number
  readonly labels: LabelValues<string>
  readonly sharedLabels: LabelValues<string>
}

/** The labels of what has none. */
export const NO_LABELS: LabelValues<string> = {}

/** A histogram's counts under one set of labels. */
export interface LabelledBuckets {
  readonly labels: LabelValues<string>
  readonly buckets: Buckets
}

/**
 * A counter whose values are counted elsewhere and read at each scrape. prom-client checks, sorts and joins the labels
 * at each `inc`, which would cost a call more than all its other counting. The caller registers it.
 */
export class ScrapedCounter extends Counter {
  readonly #read: () => Sample[]

  constructor (configuration: CounterConfiguration<string>, read: () => Sample[]) {
    super({ registers: [], ...configuration })
    this.#read = read
  }

  override async get (): Promise<Awaited<ReturnType<Counter['get']>> & { values: Sample[] }> {
    return { ...await super.get(), values: this.#read() }
  }
}

/** A histogram whose counts are counted elsewhere and read at each scrape. The caller registers it. */
export class ScrapedHistogram extends Histogram {
  readonly #configuration: HistogramConfiguration<string>
  readonly #read: () => Iterable<LabelledBuckets>

  constructor (configuration: HistogramConfiguration<string>, read: () => Iterable<LabelledBuckets>) {
    super({ registers: [], ...configuration })
    this.#configuration = configuration
    this.#read = read
  }

  /** prom-client's registry asks a histogram for this rather than for `get`, which is made of it. */
  async getForPromString (): Promise<{
    name: string, help: string, type: string, values: Array<Sample & { metricName: string }>
  }> {
    const { name, help } = this.#configuration
    const values: Array<Sample & { metricName: string }> = []
    for (const { labels: sharedLabels, buckets } of this.#read()) {
      let count = 0
      for (let i = 0; i < buckets.counts.length; i++) {
        count += buckets.counts[i] ?? 0
        values.push({
          metricName: `${name}_bucket`, labels: { le: buckets.bounds[i] ?? '+Inf' }, sharedLabels, value: count
        })
      }
      values.push({ metricName: `${name}_sum`, labels: {}, sharedLabels, value: buckets.sum })
      values.push({ metricName: `${name}_count`, labels: {}, sharedLabels, value: count })
    }
    return await Promise.resolve({ name, help, type: 'histogram', values })
  }
}
