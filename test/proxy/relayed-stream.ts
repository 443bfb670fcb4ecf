import fc from 'fast-check'
import type { StreamFacts } from '../../src/metering/event-reader.js'
import { StreamTee } from '../../src/metering/stream-tee.js'

/** Cuts at the given sizes, again and again. */
export function chunksOf (bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = []
  for (let from = 0, i = 0; from < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? bytes.length
    chunks.push(Buffer.from(bytes.subarray(from, from + size)))
    from += size
  }
  return chunks
}

export const sizes = fc.array(fc.oneof(
  fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 200 })
), { minLength: 1, maxLength: 30 })

/** Does with a stream what the gateway does; `seen` is told the bytes that are in and out after each push. */
export function relay (
  mode: 'watch' | 'strip',
  chunks: readonly Buffer[],
  seen = (_inputBytes: number, _outputBytes: number, _tee: StreamTee): unknown => undefined
): { output: Buffer, facts: StreamFacts } {
  const tee = new StreamTee(mode)
  const output: Buffer[] = []
  let inputBytes = 0
  let outputBytes = 0
  for (const chunk of chunks) {
    const wasEnded = tee.ended
    const passed = tee.push(chunk)
    if (passed !== null) output.push(Buffer.from(passed))
    inputBytes += chunk.length
    outputBytes += passed?.length ?? 0
    seen(inputBytes, outputBytes, tee)
    if (tee.ended && !wasEnded) output.push(tee.takeHeld())
  }
  const rest = tee.finish()
  if (rest !== null) output.push(rest)
  return { output: Buffer.concat(output), facts: tee.facts() }
}

export function run (
  mode: 'watch' | 'strip', text: string, sizes: readonly number[] = [1]
): { output: string, facts: StreamFacts } {
  const { output, facts } = relay(mode, chunksOf(Buffer.from(text), sizes))
  return { output: output.toString(), facts }
}

export const check = (holds: boolean, message: string): void => { if (!holds) throw new Error(message) }
