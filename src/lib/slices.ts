import { performance } from 'node:perf_hooks'

/** Work in steps of about a millisecond at most. It may pause after each, so that no body blocks the event loop. */
export type Steps<Result> = Generator<undefined, Result, undefined>

/** How long the event loop is held at a time. */
const SLICE_MS = 10

/** The result at once, for work that is known to be short. */
export function inOneGo<Result> (steps: Steps<Result>): Result {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

/** The result, computed in slices between which other calls run. Short work is done when this returns. */
export async function inSlices<Result> (steps: Steps<Result>): Promise<Result> {
  for (let until = performance.now() + SLICE_MS; ;) {
    const step = steps.next()
    if (step.done === true) return step.value
    if (performance.now() < until) continue
    await new Promise(resolve => setImmediate(resolve))
    until = performance.now() + SLICE_MS
  }
}
