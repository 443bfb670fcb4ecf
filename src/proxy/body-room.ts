import { totalmem } from 'node:os'
import { gatewayOverloaded } from '../errors.js'

/** How long a body waits for room before it is refused. */
const WAIT_MS = 10_000

/** A quarter of what this process may use, for a body may be held two or three times; and room for two of the largest. */
export function bodyRoomBytes (maxBodyBytes: number): number {
  const constrained = process.constrainedMemory()
  const memory = Math.min(totalmem(), constrained > 0 ? constrained : Infinity)
  return Math.max(Math.floor(memory / 4), 2 * maxBodyBytes)
}

interface Waiter {
  readonly share: BodyShare
  readonly bytes: number
  readonly go: () => void
}

/**
 * The memory for request bodies that are gathered, over all calls. A body takes room as its bytes come, for the length that
 * a caller announces costs it nothing. Where there is no room it is not read on, in turn, and refused after a while: bodies
 * that are half gathered cannot wait for each other for ever.
 */
export class BodyRoom {
  readonly #limitBytes: number
  readonly #waitMs: number
  #usedBytes = 0
  #waiting: Waiter[] = []

  constructor (limitBytes: number, waitMs = WAIT_MS) {
    this.#limitBytes = limitBytes
    this.#waitMs = waitMs
  }

  get usedBytes (): number { return this.#usedBytes }

  /** For one call. */
  open (): BodyShare { return new BodyShare(this) }

  take (bytes: number): boolean {
    if (this.#waiting.length > 0 || this.#usedBytes + bytes > this.#limitBytes) return false
    this.#usedBytes += bytes
    return true
  }

  /** @throws GatewayError 503 `gateway_overloaded` */
  async wait (share: BodyShare, bytes: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const leave = (): void => { this.#waiting = this.#waiting.filter(other => other !== waiter) }
      const timer = setTimeout(() => {
        leave()
        this.#admit()
        reject(gatewayOverloaded())
      }, this.#waitMs)
      const waiter: Waiter = { share, bytes, go: () => { clearTimeout(timer); resolve() } }
      this.#waiting.push(waiter)
    })
  }

  /** The call is over; if it still waits, it waits no more. */
  release (share: BodyShare, bytes: number): void {
    this.#usedBytes -= bytes
    if (this.#waiting.length === 0) return
    for (const waiter of this.#waiting) if (waiter.share === share) waiter.go()
    this.#waiting = this.#waiting.filter(waiter => waiter.share !== share)
    this.#admit()
  }

  #admit (): void {
    for (let next = this.#waiting[0]; next !== undefined && this.#usedBytes + next.bytes <= this.#limitBytes; next = this.#waiting[0]) {
      this.#waiting.shift()
      this.#usedBytes += next.bytes
      next.share.granted(next.bytes)
      next.go()
    }
  }
}

/** What one call has of the room. */
export class BodyShare {
  readonly #room: BodyRoom
  #bytes = 0

  constructor (room: BodyRoom) {
    this.#room = room
  }

  /** Takes room, if there is any. */
  take (bytes: number): boolean {
    if (!this.#room.take(bytes)) return false
    this.#bytes += bytes
    return true
  }

  /**
   * Resolves once there is room, or the share is released.
   * @throws GatewayError 503 `gateway_overloaded`
   */
  wait (bytes: number): Promise<void> { return this.#room.wait(this, bytes) }

  granted (bytes: number): void { this.#bytes += bytes }

  release (): void {
    const bytes = this.#bytes
    this.#bytes = 0
    this.#room.release(this, bytes)
  }
}
