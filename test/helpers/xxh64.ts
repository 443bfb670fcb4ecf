const MASK = 0xffff_ffff_ffff_ffffn
const [P1, P2, P3, P4, P5] = [0x9e3779b185ebca87n, 0xc2b2ae3d27d4eb4fn, 0x165667b19e3779f9n, 0x85ebca77c2b2ae63n, 0x27d4eb2f165667c5n] as const

const times = (a: bigint, b: bigint): bigint => (a * b) & MASK
const turn = (a: bigint, bits: bigint): bigint => ((a << bits) | (a >> (64n - bits))) & MASK
const round = (sum: bigint, input: bigint): bigint => times(turn((sum + times(input, P2)) & MASK, 31n), P1)

/** XXH64 with the seed 0, of which a zstd frame's checksum is the lower half: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md */
export function xxh64 (bytes: Buffer): bigint {
  let at = 0
  let hash: bigint = P5
  if (bytes.length >= 32) {
    const sums: [bigint, bigint, bigint, bigint] = [(P1 + P2) & MASK, P2, 0n, (-P1) & MASK]
    for (; at + 32 <= bytes.length; at += 32) sums.forEach((sum, i) => { sums[i] = round(sum, bytes.readBigUInt64LE(at + 8 * i)) })
    hash = (turn(sums[0], 1n) + turn(sums[1], 7n) + turn(sums[2], 12n) + turn(sums[3], 18n)) & MASK
    for (const sum of sums) hash = (times(hash ^ round(0n, sum), P1) + P4) & MASK
  }
  hash = (hash + BigInt(bytes.length)) & MASK
  for (; at + 8 <= bytes.length; at += 8) hash = (times(turn(hash ^ round(0n, bytes.readBigUInt64LE(at)), 27n), P1) + P4) & MASK
  for (; at + 4 <= bytes.length; at += 4) hash = (times(turn(hash ^ times(BigInt(bytes.readUInt32LE(at)), P1), 23n), P2) + P3) & MASK
  for (; at < bytes.length; at++) hash = times(turn(hash ^ times(BigInt(bytes.readUInt8(at)), P5), 11n), P1)
  hash = times(hash ^ (hash >> 33n), P2)
  hash = times(hash ^ (hash >> 29n), P3)
  return hash ^ (hash >> 32n)
}
