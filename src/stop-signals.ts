const SIGNALS = ['SIGINT', 'SIGTERM'] as const
export type StopSignal = typeof SIGNALS[number]

/**
 * A terminal and a supervisor signal every process of a group, and npm passes the signal on to its child: the gateway
 * gets it twice, some milliseconds apart. A person who wants an end at once needs longer.
 */
const SAME_SIGNAL_MS = 1000

export interface StopSignals {
  /** At the first signal. */
  readonly stop: (signal: StopSignal) => void
  /** At each later one that was sent again on purpose. */
  readonly again: (signal: StopSignal) => void
  /** Milliseconds of a clock that only goes on. */
  readonly monotonicMs?: () => number
  readonly on?: (signal: StopSignal, heard: (signal: StopSignal) => void) => void
}

const listen: Required<StopSignals>['on'] = (signal, heard) => { process.on(signal, heard) }

/** Listens for the signals that stop the gateway. A signal that comes twice at once counts as one. */
export function onStopSignals ({ stop, again, monotonicMs = () => performance.now(), on = listen }: StopSignals): void {
  let firstAtMs: number | null = null
  const heard = (signal: StopSignal): void => {
    if (firstAtMs === null) {
      firstAtMs = monotonicMs()
      stop(signal)
    } else if (monotonicMs() - firstAtMs > SAME_SIGNAL_MS) again(signal)
  }
  for (const signal of SIGNALS) on(signal, heard)
}
