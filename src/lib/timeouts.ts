import { setTimeout as sleep } from 'node:timers/promises'

/** Resolves after that time, or as soon as the signal is aborted. */
export async function pause (ms: number, signal: AbortSignal): Promise<void> {
  await sleep(Math.max(0, ms), undefined, { signal }).catch((error: unknown) => { if (!signal.aborted) throw error })
}

/**
 * What the promise resolves with, or false after that time. Batches are timed by it: a plain timer costs 1 µs, one with
 * an `AbortSignal` 16.
 * @param ref whether the wait keeps the process from ending
 */
export async function within<Result> (promise: Promise<Result>, ms: number, ref = true): Promise<Result | false> {
  let timeout: NodeJS.Timeout | undefined
  const late = new Promise<false>(resolve => { timeout = setTimeout(() => resolve(false), Math.max(0, ms)) })
  if (!ref) timeout?.unref()
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timeout)
  }
}
