import { readdir } from 'node:fs/promises'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Gauge, type Registry } from 'prom-client'
import { NO_LABELS, ScrapedCounter } from './scraped.js'

/**
 * How often the event loop's delay is measured. What is measured is the time from one timer to the next, this interval
 * included.
 */
const RESOLUTION_MS = 10
const QUANTILES = [0.5, 0.99, 1]

/**
 * Delay of the event loop, and the usual metrics of every process. Not prom-client's defaults: their observers of
 * garbage collection and event loop cannot be stopped, and would outlive the app.
 *
 * @returns stops the measuring
 */
export function addProcessMetrics (registry: Registry): () => void {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delay.enable()
  registry.registerMetric(new Gauge({
    name: 'promptmeter_event_loop_delay_seconds',
    help: 'Event loop delay since the last scrape: how late a timer ran; quantile 1 is the longest.',
    labelNames: ['quantile'],
    registers: [],
    collect () {
      for (const quantile of QUANTILES) {
        const seconds = delay.count === 0 ? 0 : delay.percentile(quantile * 100) / 1e9 - RESOLUTION_MS / 1000
        this.set({ quantile }, Math.max(0, seconds))
      }
      delay.reset()
    }
  }))
  const startSeconds = Date.now() / 1000 - process.uptime()
  registry.registerMetric(new ScrapedCounter({
    name: 'process_cpu_seconds_total', help: 'User and system CPU time.'
  }, () => {
    const { user, system } = process.cpuUsage()
    return [{ labels: NO_LABELS, sharedLabels: NO_LABELS, value: (user + system) / 1e6 }]
  }))
  const gauge = (name: string, help: string, read: () => number | Promise<number>): void => {
    registry.registerMetric(new Gauge({ name, help, registers: [], async collect () { this.set(await read()) } }))
  }
  gauge('process_start_time_seconds', 'When the process started, in seconds since the epoch.', () => startSeconds)
  gauge('process_resident_memory_bytes', 'Resident memory.', () => process.memoryUsage.rss())
  gauge('nodejs_heap_size_used_bytes', 'Used part of the JavaScript heap.', () => process.memoryUsage().heapUsed)
  gauge('nodejs_external_memory_bytes', 'Memory of buffers and other objects outside the JavaScript heap.', () => process.memoryUsage().external)
  if (process.platform === 'linux') {
    gauge('process_open_fds', 'Open file descriptors.', async () => (await readdir('/proc/self/fd')).length)
  }
  return () => { delay.disable() }
}
