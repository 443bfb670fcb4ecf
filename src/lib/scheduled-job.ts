import type { Log } from '../log.js'

const DAY_MS = 86_400_000
const RETRY_MS = 60_000

export interface Job {
  /** The first run is over; if it failed, the log says why. */
  readonly firstRun: Promise<void>
  /** Waits for a run in progress; none begins afterwards. */
  close: () => Promise<void>
}

/**
 * Runs the job now and every day, and a minute after a failure, which is logged, not thrown.
 * @param failure the text to log
 */
export const daily = (run: () => Promise<void>, failure: string, log: Log): Job => repeatedly(DAY_MS, run, failure, log)

/**
 * As `daily`, with another pause between the end of a run and the start of the next. A run of many steps ends between
 * two of them once its signal is aborted.
 */
export function repeatedly (
  everyMs: number, run: (closing: AbortSignal) => Promise<void>, failure: string, log: Log
): Job {
  const closing = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()
  const attempt = async (): Promise<void> => {
    let nextMs = everyMs
    try {
      await run(closing.signal)
    } catch (error) {
      nextMs = RETRY_MS
      log.error({ err: error }, `${failure}; trying again in a minute`)
    }
    if (!closing.signal.aborted) timer = setTimeout(start, nextMs).unref()
  }
  const start = (): void => { running = attempt() }
  start()
  return {
    firstRun: running,
    close: async () => {
      closing.abort()
      clearTimeout(timer)
      await running
    }
  }
}
