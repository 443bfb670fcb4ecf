/** Resolves with false after that time. One that does not hold keeps no process from ending. */
export function timer (ms: number, holds = true): { promise: Promise<false>, cancel: () => void } {
  let timeout: NodeJS.Timeout | undefined
  const promise = new Promise<false>(resolve => { timeout = setTimeout(() => resolve(false), Math.max(0, ms)) })
  if (!holds) timeout?.unref()
  return { promise, cancel: () => clearTimeout(timeout) }
}

/** Resolves after that time, or when the signal comes. */
export async function pause (ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>(resolve => {
    const done = (): void => {
      clearTimeout(timeout)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timeout = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })
}

/** Resolves when the promise is settled, or after that time. */
export async function settledWithin (promise: Promise<void>, ms: number): Promise<void> {
  const late = timer(ms)
  await Promise.race([promise, late.promise])
  late.cancel()
}

/** @throws Error where there is no answer after that time, and what the answer throws */
export async function answeredWithin (answer: Promise<void>, ms: number, onHang: () => void): Promise<void> {
  const hangs = timer(ms, false)
  try {
    if (await Promise.race([answer.then(() => true), hangs.promise])) return
    onHang()
    throw new Error(`the database has not answered for ${ms} ms`)
  } finally {
    hangs.cancel()
  }
}
