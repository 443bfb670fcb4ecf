import type { Registry } from 'prom-client'
import { picoUsdToDecimal } from '../lib/usd.js'
import type { CallCounts, CallSeries } from './call-series.js'
import { NO_LABELS, type Sample, ScrapedCounter, ScrapedHistogram } from './scraped.js'

/** Of `promptmeter_tokens_total`; the fields of the books that have these names with `_tokens` behind them. */
const TOKENS: ReadonlyArray<{
  readonly labels: { readonly type: string }, readonly of: (series: CallSeries) => number
}> = [
  { labels: { type: 'input' }, of: series => series.inputTokens },
  { labels: { type: 'cached_input' }, of: series => series.cachedInputTokens },
  { labels: { type: 'output' }, of: series => series.outputTokens },
  { labels: { type: 'reasoning' }, of: series => series.reasoningTokens }
]

/** The metrics that are read from the counts of calls. */
export function addCallMetrics (registry: Registry, counts: CallCounts): void {
  const labelNames = ['prompt_type', 'model', 'status']
  const samples = (value: (series: CallSeries) => number): Sample[] =>
    counts.series.map(series => ({ labels: NO_LABELS, sharedLabels: series.labels, value: value(series) }))

  registry.registerMetric(new ScrapedCounter({
    name: 'promptmeter_calls_total',
    help: 'Finished calls, including failed and rejected ones.',
    labelNames
  }, () => samples(series => series.calls)))
  registry.registerMetric(new ScrapedHistogram({
    name: 'promptmeter_call_duration_seconds',
    help: 'From the request to the end of the response.',
    labelNames
  }, () => counts.series.map(({ labels, duration }) => ({ labels, buckets: duration }))))
  registry.registerMetric(new ScrapedHistogram({
    name: 'promptmeter_time_to_first_byte_seconds',
    help: 'From the request to the first byte of the response.',
    labelNames: ['model', 'stream']
  }, () => counts.firstByte))
  registry.registerMetric(new ScrapedCounter({
    name: 'promptmeter_tokens_total',
    help: 'Tokens by type. cached_input is a part of input, reasoning one of output.',
    labelNames: ['type', ...labelNames]
  }, () => counts.series.flatMap(series =>
    TOKENS.map(({ labels, of }) => ({ labels, sharedLabels: series.labels, value: of(series) })))))
  registry.registerMetric(new ScrapedCounter({
    name: 'promptmeter_cost_usd_total',
    help: 'Cost in USD of the calls that have a price.',
    labelNames
  }, () => samples(series => Number(picoUsdToDecimal(series.costPicoUsd)))))
  registry.registerMetric(new ScrapedCounter({
    name: 'promptmeter_unpriced_calls_total',
    help: 'Calls that should have a cost but have none.'
  }, () => [{ labels: NO_LABELS, sharedLabels: NO_LABELS, value: counts.unpriced }]))
  registry.registerMetric(new ScrapedCounter({
    name: 'promptmeter_free_requests_total',
    help: 'Finished requests that are not calls: they only read or are free.'
  }, () => [{ labels: NO_LABELS, sharedLabels: NO_LABELS, value: counts.free }]))
}
