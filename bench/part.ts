import type { Contender, Surroundings } from './contenders/contender.js'
import type { LoadProcess } from './load-process.js'
import type { Options } from './options.js'

/** A part of the benchmark: measures something, and writes its tables of BENCHMARKS.md. */
export interface Part {
  /** As it is named on the command line and in the file's markers. */
  readonly name: string
  readonly run: (bench: Bench) => Promise<PartResult>
}

export interface PartResult {
  /** Markdown. */
  readonly text: string
  /** All that was measured, for those who want to look closer. */
  readonly data: unknown
}

export interface Bench {
  readonly surroundings: Surroundings
  readonly load: LoadProcess
  readonly options: Options
  /** Tells whoever waits what is going on. */
  readonly progress: (text: string) => void
}

/**
 * Measures the targets in turn, round after round, so that a machine that slows down or speeds up does so for all. The
 * first round warms up and is thrown away.
 */
export async function inRounds<Key, Result> (
  {
    options, progress
  }: Bench, what: string, targets: ReadonlyMap<Key, Contender>, measureOne: (target: Contender, key: Key) => Promise<Result>
): Promise<Map<Key, Result[]>> {
  const results = new Map<Key, Result[]>([...targets.keys()].map(key => [key, []]))
  for (let round = 0; round <= options.rounds; round++) {
    progress(`${what}: ${round === 0 ? 'warm-up' : `round ${round} of ${options.rounds}`}`)
    for (const [key, target] of targets) {
      const result = await measureOne(target, key)
      if (round > 0) results.get(key)?.push(result)
    }
  }
  return results
}
