import { setImmediate } from 'node:timers/promises'
import { Gauge, Registry } from 'prom-client'
import type { AlertObserver } from '../lib/alert-observer.js'
import type { CallRecord } from '../recording/call-record.js'
import type { RecorderObserver } from '../recording/recorder-observer.js'
import { addAlertMetrics } from './alert-metrics.js'
import { addCallMetrics } from './call-metrics.js'
import { CallCounts } from './call-series.js'
import { addProcessMetrics } from './process-metrics.js'
import { type RecorderState, addRecorderGauges, addRecorderMetrics } from './recorder-metrics.js'

export interface MetricsDeps {
  readonly version: string
  /** The text without API keys, for label values that callers choose. */
  readonly redact: (text: string) => string
}

/** What the metrics read when they are scraped. None of it may be slow or throw. */
export interface GatewayState extends RecorderState {
  /**
   * Connections to the upstream, `free` of them without a request; requests that run, and that wait for a connection.
   */
  readonly upstream: () => {
    readonly connected: number, readonly free: number, readonly running: number, readonly queued: number
  }
  /** Models whose streams are not asked for usage at present, because the upstream rejects `stream_options`. */
  readonly streamUsageExceptions: () => number
}

/** One gateway's metrics, in a registry of its own. */
export interface Metrics {
  /** Counts a finished call: once for each record. Takes well under a microsecond, and never throws. */
  readonly observeCall: (record: CallRecord) => void
  readonly recorder: RecorderObserver
  readonly alertAttempt: AlertObserver
  /** Adds the gauges of a state, which there is once the gateway's parts are open. To be called once. */
  readonly watch: (state: GatewayState) => void
  readonly contentType: string
  /** Prometheus' text format, version 0.0.4. */
  readonly text: () => Promise<string>
  readonly close: () => void
}

/**
 * Creates the metrics of one gateway. Names and units follow https://prometheus.io/docs/practices/naming/;
 * docs/operating.md lists them.
 */
export function createMetrics ({ version, redact }: MetricsDeps): Metrics {
  const registry = new Registry()
  const counts = new CallCounts(redact)
  addCallMetrics(registry, counts)
  const recorder = addRecorderMetrics(registry)
  const alertAttempt = addAlertMetrics(registry)
  const stopMeasuring = addProcessMetrics(registry)
  new Gauge({
    name: 'promptmeter_build_info',
    help: 'Always 1; the label says which version runs.',
    labelNames: ['version'],
    registers: [registry]
  }).set({ version }, 1)
  return {
    observeCall: record => counts.observe(record),
    recorder,
    alertAttempt,
    watch: state => {
      addRecorderGauges(registry, state)
      addUpstreamGauges(registry, state)
    },
    contentType: registry.contentType,
    text: () => render(registry),
    close: stopMeasuring
  }
}

function addUpstreamGauges (registry: Registry, { upstream, streamUsageExceptions }: GatewayState): void {
  registry.registerMetric(new Gauge({
    name: 'promptmeter_stream_usage_exceptions',
    help: 'Models whose streams are not asked for usage at present, because the upstream rejects stream_options.',
    registers: [],
    collect () { this.set(streamUsageExceptions()) }
  }))
  registry.registerMetric(new Gauge({
    name: 'promptmeter_upstream_connections',
    help: 'Open connections to the upstream, by state: busy or free.',
    labelNames: ['state'],
    registers: [],
    collect () {
      const { connected, free } = upstream()
      this.set({ state: 'busy' }, connected - free)
      this.set({ state: 'free' }, free)
    }
  }))
  registry.registerMetric(new Gauge({
    name: 'promptmeter_upstream_requests',
    help: 'Requests to the upstream by state: running, or queued for a connection.',
    labelNames: ['state'],
    registers: [],
    collect () {
      const { running, queued } = upstream()
      this.set({ state: 'running' }, running)
      this.set({ state: 'queued' }, queued)
    }
  }))
}

/** A thousand series are some ten thousand lines: between two metrics, calls have their turn. */
async function render (registry: Registry): Promise<string> {
  let text = ''
  for (const { name } of registry.getMetricsAsArray()) {
    text += `${await registry.getSingleMetricAsString(name)}\n`
    await setImmediate()
  }
  return text
}
