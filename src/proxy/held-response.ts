import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { headText, writableHeaders } from './writable-head.js'

/** What can pause a source: a caller that reads too slowly, or a decoder. */
export type Holder = 'caller' | 'decoder'

/** The sender of bytes: it is paused while anything holds it. */
export interface Source {
  pause: (holder: Holder) => void
  resume: (holder: Holder) => void
}

/** How much of a chunk is held back while it may be the last. */
export type Keep = 'nothing' | 'byte' | 'chunk'

/**
 * A response on its way to the caller. Its end is held back until `release`, which comes once the call's record is
 * safe; everything before goes out as it comes. A write that the socket cannot take pauses the source.
 */
export class HeldResponse {
  readonly #res: ServerResponse
  readonly #source: Source
  #held: Buffer[] = []
  #released = false
  /** The source was paused until the release, however fast the caller reads. */
  #resting = false
  #waitsForDrain = false
  #end: 'open' | 'clean' | 'cut' = 'open'
  #trailers: string[] = []
  /** Body bytes that went to the caller, or are held for it. */
  sizeBytes = 0

  constructor (res: ServerResponse, source: Source) {
    this.#res = res
    this.#source = source
  }

  begin (statusCode: number, statusMessage: string, headers: string[]): void {
    if (this.#res.destroyed) return
    this.#res.sendDate = false // The upstream's Date, or none.
    try {
      this.#res.writeHead(statusCode, statusMessage, headers)
    } catch {
      // HTTP does not allow it, and the upstream sent it anyway: as near to it as can be written.
      this.#res.writeHead(statusCode, headText(statusMessage), writableHeaders(headers))
    }
  }

  /** The headers go out before there is a body. (`res.flushHeaders` would make UTF-8 of their Latin-1.) */
  flushHeaders (): void {
    if (!this.#res.destroyed) this.#res.write(Buffer.alloc(0))
  }

  /**
   * Sends what was kept of the chunk before, and of this one all but what is to be kept until the next, or the release.
   */
  send (chunk: Buffer, keep: Keep): void {
    if (chunk.length === 0) return
    this.sizeBytes += chunk.length
    const keptBytes = this.#released || keep === 'nothing' ? 0 : keep === 'byte' ? 1 : chunk.length
    if (this.#held.length > 0) this.#writeHeld()
    if (keptBytes === 0) this.#write(chunk)
    else if (keptBytes < chunk.length) this.#write(chunk.subarray(0, -keptBytes))
    if (keptBytes > 0) this.#held.push(chunk.subarray(-keptBytes))
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
    this.#source.pause('caller')
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
    this.#writeHeld()
    if (this.#end !== 'open') this.#finish()
    else if (!this.#waitsForDrain) this.#source.resume('caller')
  }

  #finish (): void {
    if (this.#res.destroyed) return
    if (this.#end === 'cut') {
      // No last chunk and no missing bytes made up: the connection ends as the upstream's did.
      this.flushHeaders()
      // Node gathers the writes of one turn: they come before the end.
      const destroy = (socket: Socket): void => { setImmediate(() => socket.destroySoon()) }
      if (this.#res.socket !== null) destroy(this.#res.socket)
      // Still in line behind another response of a pipelined connection: what came goes out when it is its turn.
      else this.#res.once('socket', destroy)
      return
    }
    if (this.#trailers.length > 0) this.#res.addTrailers(pairs(this.#trailers))
    this.#res.end()
  }

  #writeHeld (): void {
    const held = this.#held
    this.#held = []
    for (const part of held) this.#write(part)
  }

  #write (chunk: Buffer): void {
    if (this.#res.destroyed || this.#res.write(chunk)) return
    this.#source.pause('caller')
    if (this.#waitsForDrain) return
    this.#waitsForDrain = true
    this.#res.once('drain', () => {
      this.#waitsForDrain = false
      if (!this.#resting) this.#source.resume('caller')
    })
  }
}

function pairs (flat: readonly string[]): Array<[string, string]> {
  const list: Array<[string, string]> = []
  for (let i = 0; i < flat.length; i += 2) list.push([flat[i] ?? '', flat[i + 1] ?? ''])
  return list
}
