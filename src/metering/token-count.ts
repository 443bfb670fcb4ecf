/**
 * Beyond this many characters of one call, samples stand for the whole: counting them takes some tens of milliseconds.
 */
export const MAX_COUNTED_CHARS = 131_072
const SAMPLE_CHARS = 4_096
/** A shorter sample says little: a text up to this length is always counted whole. */
const MIN_SAMPLE_CHARS = 256
/**
 * Byte-pair merging takes time that grows with the square of a piece without a break in it (50,000 times `a`: seconds).
 * Such runs are counted in cuts of this length, each border of which may add a token.
 */
const CUT_CHARS = 256
const LONG_RUN = /(?<!\S)\S{257,}|(?<!\s)\s{257,}/g

/** Counts the tokens of each text by an encoding's `count`, in bounded time: see above for what is then estimated. */
export function countTexts (count: (text: string) => number, texts: readonly string[]): number[] {
  const totalChars = texts.reduce((sum, text) => sum + text.length, 0)
  if (totalChars <= MAX_COUNTED_CHARS) return texts.map(text => countText(count, text))
  return texts.map(text =>
    countSamples(count, text, Math.max(MIN_SAMPLE_CHARS, Math.ceil(text.length * MAX_COUNTED_CHARS / totalChars))))
}

function countText (count: (text: string) => number, text: string): number {
  let tokens = 0
  let counted = 0
  for (const { 0: run, index } of text.matchAll(LONG_RUN)) {
    tokens += count(text.slice(counted, index))
    for (let cut = 0; cut < run.length; cut += CUT_CHARS) tokens += count(run.slice(cut, cut + CUT_CHARS))
    counted = index + run.length
  }
  return tokens + count(text.slice(counted))
}

/** Samples spread evenly over the text, so that a long preamble does not speak for all of it. */
function countSamples (count: (text: string) => number, text: string, sampledChars: number): number {
  if (text.length <= sampledChars) return countText(count, text)
  const samples = Math.ceil(sampledChars / SAMPLE_CHARS)
  const length = Math.ceil(sampledChars / samples)
  let tokens = 0
  for (let i = 0; i < samples; i++) {
    const start = Math.floor(i * text.length / samples)
    tokens += countText(count, text.slice(start, start + length))
  }
  return Math.ceil(tokens * text.length / (samples * length))
}
