import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** What slows the source down while the caller reads slower than it sends. */
export interface Source {
  pause: () => void
  resume: () => void
}

/** What of a chunk is kept back while it may be the last. */
export type Keep = 'nothing' | 'byte' | 'chunk'

/**
 * A response on its way to the caller. Its end is held back until `release`, which comes once the call's record is
 * safe; everything before goes out as it comes. A write that the socket cannot take pauses the source.
 */
export class Delivery {
  readonly #res: ServerResponse
  readonly #source: Source
  #held: Buffer[] = []
  #released = false
  /** The source was paused until the release, however fast the caller reads. */
  #resting = false
  #end: 'open' | 'clean' | 'cut' = 'open'
  #trailers: string[] = []
  /** Body bytes that went to the caller, or are held for it. */
  sizeBytes = 0

  constructor (res: ServerResponse, source: Source) {
    this.#res = res
    this.#source = source
    res.on('drain', () => { if (!this.#resting) source.resume() })
  }

  begin (statusCode: number, statusMessage: string, headers: string[]): void {
    if (this.#res.destroyed) return
    this.#res.sendDate = false // The upstream's Date, or none.
    this.#res.writeHead(statusCode, statusMessage, headers)
  }

  /** The headers go out before there is a body. (`res.flushHeaders` would make UTF-8 of their Latin-1.) */
  flushHeaders (): void {
    if (!this.#res.destroyed) this.#res.write(Buffer.alloc(0))
  }

  /** Sends what was kept of the chunk before, and of this one all but what is to be kept until the next, or the release. */
  send (chunk: Buffer, keep: Keep): void {
    if (chunk.length === 0) return
    this.sizeBytes += chunk.length
    const before = this.#held
    const border = this.#released || keep === 'nothing' ? chunk.length : keep === 'byte' ? chunk.length - 1 : 0
    this.#held = border === chunk.length ? [] : [chunk.subarray(border)]
    for (const part of before) this.#write(part)
    if (border > 0) this.#write(chunk.subarray(0, border))
  }

  /** Adds to what waits for the release; the source rests meanwhile. */
  hold (chunk: Buffer): void {
    if (this.#released) {
      this.send(chunk, 'nothing')
      return
    }
    this.sizeBytes += chunk.length
    this.#held.push(chunk)
    this.#resting = true
    this.#source.pause()
  }

  /** The upstream's answer is over. */
  end (trailers: string[]): void {
    this.#end = 'clean'
    this.#trailers = trailers
    if (this.#released) this.#finish()
  }

  /** The upstream's answer broke off: so does the caller's, behind the bytes that came. */
  cut (): void {
    this.#end = 'cut'
    if (this.#released) this.#finish()
  }

  /** The record is safe: what was held goes out, and what is still to come goes out as it comes. */
  release (): void {
    this.#released = true
    this.#resting = false
    if (this.#end === 'clean' && this.#held.length === 1 && this.#trailers.length === 0) {
      if (!this.#res.destroyed) this.#res.end(this.#held[0])
      return
    }
    for (const part of this.#held) this.#write(part)
    this.#held = []
    if (this.#end === 'open') this.#source.resume()
    else this.#finish()
  }

  #finish (): void {
    if (this.#res.destroyed) return
    if (this.#end === 'cut') {
      // No last chunk and no missing bytes made up: the connection ends as the upstream's did.
      this.flushHeaders()
      if (this.#res.socket !== null) this.#res.socket.destroySoon()
      // Still in line behind another response of a pipelined connection: what came goes out when it is its turn.
      else this.#res.once('socket', (socket: Socket) => setImmediate(() => socket.destroySoon()))
      return
    }
    if (this.#trailers.length > 0) this.#res.addTrailers(pairs(this.#trailers))
    this.#res.end()
  }

  #write (chunk: Buffer): void {
    if (this.#res.destroyed) return
    if (!this.#res.write(chunk)) this.#source.pause()
  }
}

function pairs (flat: readonly string[]): Array<[string, string]> {
  const list: Array<[string, string]> = []
  for (let i = 0; i < flat.length; i += 2) list.push([flat[i] ?? '', flat[i + 1] ?? ''])
  return list
}
