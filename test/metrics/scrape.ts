import { type GatewayState, type Metrics, createMetrics } from '../../src/metrics/metrics.js'
import { redactKeys } from '../../src/redaction/redact.js'
import { type ExposedSample, type Family, parseExposition } from './exposition.js'

/** Metrics of a gateway that does nothing, save what the test wants. */
export function newMetrics (
  t: { teardown: (handler: () => void) => void }, wanted: Partial<GatewayState> = {}
): Metrics {
  const metrics = createMetrics({ version: '1.2.3', redact: redactKeys })
  metrics.watch({
    pending: () => 0,
    journal: () => ({ sizeBytes: 0, oldestAgeMs: null }),
    upstream: () => ({ connected: 0, free: 0, running: 0, queued: 0 }),
    streamUsageExceptions: () => 0,
    ...wanted
  })
  t.teardown(() => metrics.close())
  return metrics
}

export const scrape = async (metrics: Metrics): Promise<Map<string, Family>> => parseExposition(await metrics.text())

export const samplesOf = (families: Map<string, Family>, name: string): ExposedSample[] =>
  families.get(name)?.samples ?? []

/**
 * The value of the only sample of a family that has these labels, whatever others it has; null if there are more or
 * none.
 */
export function valueOf (
  families: Map<string, Family>, name: string, labels: Record<string, string> = {}
): number | null {
  const found = samplesOf(families, name)
    .filter(sample => Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
  return found.length === 1 ? found[0]?.value ?? null : null
}

export const sumOf = (samples: ExposedSample[]): number => samples.reduce((sum, { value }) => sum + value, 0)
