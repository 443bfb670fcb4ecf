/** How an alert is delivered. */
export const ALERT_CHANNELS = ['webhook', 'email'] as const
export type AlertChannel = (typeof ALERT_CHANNELS)[number]

/** What became of a delivery by an attempt: it is there, is tried again, or never will be there. */
export const ATTEMPT_RESULTS = ['delivered', 'retried', 'failed'] as const

/** Hears of every attempt to deliver an alert as it ends. Must be quick, and must not throw. */
export type AlertObserver = (channel: AlertChannel, result: (typeof ATTEMPT_RESULTS)[number]) => void
