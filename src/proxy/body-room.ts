import { totalmem } from 'node:os'
import { gatewayOverloaded } from '../errors.js'

/** How long a body waits for room before it is rejected. */
const WAIT_MS = 10_000

/**
 * A quarter of this process's memory, since a body may be held two or three times; at least two of the largest bodies.
 */
export function bodyRoomBytes (maxBodyBytes: number): number {
  const constrained = process.constrainedMemory()
  const memory = Math.min(totalmem(), constrained > 0 ? constrained : Infinity)
  return Math.max(Math.floor(memory / 4), 2 * maxBodyBytes)
}

interface Waiter {
  readonly share: BodyShare
  readonly bytes: number
  readonly resolve: () => void
  readonly reject: (error: Error) => void
  timer: NodeJS.Timeout | undefined
}

/**
 * The memory for buffered request bodies, over all calls. A body takes room as its bytes come: the announced length
 * costs nothing. Without room a body is not read further. The oldest gets the next room. Each time a body has waited
 * too long, the youngest is rejected: half-read bodies never wait for each other forever.
 */
export class BodyRoom {
  readonly #limitBytes: number
  readonly #waitMs: number
  #usedBytes = 0
  #opened = 0
  /** The oldest share first. */
  #waiting: Waiter[] = []

  constructor (limitBytes: number, waitMs = WAIT_MS) {
    this.#limitBytes = limitBytes
    this.#waitMs = waitMs
  }

  get usedBytes (): number { return this.#usedBytes }

  /** For one call. */
  open (): BodyShare { return new BodyShare(this, this.#opened++) }

  take (bytes: number): boolean {
    if (this.#waiting.length > 0 || this.#usedBytes + bytes > this.#limitBytes) return false
    this.#usedBytes += bytes
    return true
  }

  /** @throws GatewayError 503 `gateway_overloaded` */
  wait (share: BodyShare, bytes: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { share, bytes, resolve, reject, timer: undefined }
      const place = this.#waiting.findIndex(other => other.share.number > share.number)
      this.#waiting.splice(place === -1 ? this.#waiting.length : place, 0, waiter)
      this.#arm(waiter)
    })
  }

  /** The call is over; if it still waits, it waits no more. */
  release (share: BodyShare, bytes: number): void {
    this.#usedBytes -= bytes
    if (this.#waiting.length === 0) return
    for (const waiter of this.#waiting) if (waiter.share === share) this.#leave(waiter).resolve()
    this.#admit()
  }

  #arm (waiter: Waiter): void {
    waiter.timer = setTimeout(() => {
      const youngest = this.#waiting.at(-1)
      if (youngest !== waiter) this.#arm(waiter)
      if (youngest === undefined) return
      this.#leave(youngest).reject(gatewayOverloaded())
      youngest.share.release()
    }, this.#waitMs)
  }

  #leave (waiter: Waiter): Waiter {
    clearTimeout(waiter.timer)
    this.#waiting = this.#waiting.filter(other => other !== waiter)
    return waiter
  }

  #admit (): void {
    for (;;) {
      const next = this.#waiting[0]
      if (next === undefined || this.#usedBytes + next.bytes > this.#limitBytes) return
      this.#usedBytes += next.bytes
      next.share.granted(next.bytes)
      this.#leave(next).resolve()
    }
  }
}

/** One call's part of the room. */
export class BodyShare {
  readonly #room: BodyRoom
  /** The lower, the older. */
  readonly number: number
  #bytes = 0

  constructor (room: BodyRoom, number: number) {
    this.#room = room
    this.number = number
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
