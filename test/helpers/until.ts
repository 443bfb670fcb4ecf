import { setTimeout as sleep } from 'node:timers/promises'

/** What is not so by then never will be, on however busy a machine. The runner ends a file only after 15 minutes. */
const LIMIT_MS = 300_000

type Truthy<Value> = Exclude<Value, false | 0 | '' | null | undefined>

/**
 * Looks every few milliseconds until what it sees is truthy.
 *
 * @returns what it saw
 * @throws after five minutes, with the condition's source
 */
export async function until<Value> (look: () => Value | Promise<Value>, everyMs = 5): Promise<Truthy<Value>> {
  const endMs = performance.now() + LIMIT_MS
  for (;;) {
    const seen = await look()
    if (seen) return seen as Truthy<Value>
    if (performance.now() > endMs) throw new Error(`not so within ${LIMIT_MS / 60_000} minutes: ${String(look)}`)
    await sleep(everyMs)
  }
}
