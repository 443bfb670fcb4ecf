import { readFileSync } from 'node:fs'

/** Texts that exercise each part of the format: sequences over several blocks, few literals, runs, and bytes without a pattern. */
const TEXTS = {
  words: () => Array.from(numbers(24_000), n => ['model', 'choices', 'é', '"content":', 'usage', '{', 'tokens', '\n'][n % 8] ?? '').join(' '),
  numbers: () => Array.from({ length: 6_000 }, (_, i) => `data: {"i":${i},"text":"word ${i % 7}"}\n\n`).join(''),
  runs: () => Array.from(numbers(60), n => String.fromCharCode(97 + n % 3).repeat(1 + n % 9000)).join(''),
  bytes: () => Array.from(numbers(3_000), n => String.fromCharCode(32 + n % 90)).join('')
}

export interface ZstdSample {
  /** How the frame was made by the reference implementation's command line. */
  readonly args: string
  readonly kind: keyof typeof TEXTS
  readonly base64: string
}

/** The same in every run: a linear congruential generator. */
function * numbers (count: number): Generator<number> {
  let state = 12_345
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    yield state >>> 16
  }
}

export const sampleText = (kind: ZstdSample['kind']): Buffer => Buffer.from(TEXTS[kind]())

/** Frames that were made by `zstd` 1.5. */
export const zstdSamples = (): ZstdSample[] =>
  JSON.parse(readFileSync(new URL('zstd-samples.json', import.meta.url), 'utf8')) as ZstdSample[]
