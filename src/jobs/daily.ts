import type { Log } from '../log.js'

const DAY_MS = 86_400_000
const RETRY_MS = 60_000

export interface Job {
  /** The first run is over; if it failed, the log says why. */
  readonly firstRun: Promise<void>
  /** Waits for a run that is under way; none begins afterwards. */
  close: () => Promise<void>
}

/** Runs it now and every day, and a minute after a failure, which is logged, not thrown. @param failure what to log then */
export function daily (run: () => Promise<void>, failure: string, log: Log): Job {
  let closed = false
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()
  const attempt = async (): Promise<void> => {
    let nextMs = DAY_MS
    try {
      await run()
    } catch (error) {
      nextMs = RETRY_MS
      log.error({ err: error }, `${failure}; trying again in a minute`)
    }
    if (!closed) timer = setTimeout(start, nextMs).unref()
  }
  const start = (): void => { running = attempt() }
  start()
  return {
    firstRun: running,
    close: async () => {
      closed = true
      clearTimeout(timer)
      await running
    }
  }
}
