/** How an alert is delivered. */
export const ALERT_CHANNELS = ['webhook', 'email'] as const
export type AlertChannel = (typeof ALERT_CHANNELS)[number]

/** The result of an attempt: delivered, to be tried again, or failed permanently. */
export const ATTEMPT_RESULTS = ['delivered', 'retried', 'failed'] as const

/** Called at the end of every attempt to deliver an alert. Must be quick, and must not throw. */
export type AlertObserver = (channel: AlertChannel, result: (typeof ATTEMPT_RESULTS)[number]) => void
