import { randomFillSync } from 'node:crypto'

const POOL_BYTES = 4096
const RANDOM_BYTES = 8

const pool = Buffer.allocUnsafe(POOL_BYTES)
let poolAt = POOL_BYTES
let lastMs = 0
let counter = 0

/**
 * A UUIDv7 (RFC 9562 §5.7). Ids of one process sort in the order in which they were made: 12 bits count within a
 * millisecond (§6.2, method 1), and a clock that steps back, or more than 4,096 ids in a millisecond, borrow from the
 * next.
 */
export function uuidV7 (nowMs: number): string {
  if (nowMs > lastMs) {
    lastMs = nowMs
    counter = 0
  } else if (++counter > 0xfff) {
    lastMs++
    counter = 0
  }
  if (poolAt + RANDOM_BYTES > POOL_BYTES) {
    randomFillSync(pool)
    poolAt = 0
  }
  const time = lastMs.toString(16).padStart(12, '0')
  const sequence = counter.toString(16).padStart(3, '0')
  const variant = (0x8000 | (pool.readUInt16BE(poolAt) & 0x3fff)).toString(16)
  const random = pool.toString('hex', poolAt + 2, poolAt + RANDOM_BYTES)
  poolAt += RANDOM_BYTES
  return `${time.slice(0, 8)}-${time.slice(8)}-7${sequence}-${variant}-${random}`
}

/** When a UUIDv7 was made, milliseconds since the epoch. */
export function uuidTimeMs (uuid: string): number {
  return parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16)
}
