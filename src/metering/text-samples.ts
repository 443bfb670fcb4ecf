/** Texts that stand for a longer one. */
export interface Samples {
  readonly texts: string[]
  /** Of the whole, in bytes: from 0 to 1. */
  readonly share: number
}

const SAMPLES = 32
const SAMPLE_BYTES = 4096

/** Samples spread evenly over the text of the pieces, so that a long preamble does not speak for all of it. */
export function samplesOf (pieces: readonly Buffer[], sizeBytes: number): Samples {
  if (sizeBytes <= SAMPLES * SAMPLE_BYTES) return { texts: [Buffer.concat(pieces).toString()], share: 1 }
  const texts: string[] = []
  let sampledBytes = 0
  let piece = 0
  /** Where the piece begins in the text. */
  let pieceStart = 0
  for (let i = 0; i < SAMPLES; i++) {
    const start = Math.floor(i * sizeBytes / SAMPLES)
    while (start >= pieceStart + (pieces[piece]?.length ?? Infinity)) pieceStart += pieces[piece++]?.length ?? 0
    const sample = Buffer.concat(range(pieces, piece, start - pieceStart, SAMPLE_BYTES))
    sampledBytes += sample.length
    texts.push(sample.toString())
  }
  return { texts, share: sampledBytes / sizeBytes }
}

/** The bytes to take from the offset in that piece. */
function range (pieces: readonly Buffer[], first: number, offset: number, wantedBytes: number): Buffer[] {
  const parts: Buffer[] = []
  let leftBytes = wantedBytes
  let from = offset
  for (let i = first; leftBytes > 0 && i < pieces.length; i++) {
    const part = pieces[i]?.subarray(from, from + leftBytes) ?? Buffer.alloc(0)
    parts.push(part)
    leftBytes -= part.length
    from = 0
  }
  return parts
}
