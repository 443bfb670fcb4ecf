import { Counter, type Registry } from 'prom-client'
import { ALERT_CHANNELS, type AlertObserver, ATTEMPT_RESULTS } from '../lib/alert-observer.js'

/** The metric of attempts to deliver alerts. @returns what counts them */
export function addAlertMetrics (registry: Registry): AlertObserver {
  const attempts = new Counter({
    name: 'promptmeter_alert_attempts_total',
    help: 'Attempts to deliver a budget alert, by result: delivered, retried later, or failed permanently.',
    labelNames: ['channel', 'result'],
    registers: [registry]
  })
  // Prometheus sees no increase in a series that begins with its first failure.
  for (const channel of ALERT_CHANNELS) for (const result of ATTEMPT_RESULTS) attempts.inc({ channel, result }, 0)
  return (channel, result) => attempts.inc({ channel, result })
}
