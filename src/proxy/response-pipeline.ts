import { PassThrough } from 'node:stream'
import type { Coder, Coding } from '../decoders/content-coding.js'
import { Decoding } from './decoding.js'
import type { HeldResponse, Keep, Source } from './held-response.js'
import { type KeepLimits, type ResponseReader, StreamReader } from '../metering/response-reader.js'

/** The way of a body from upstream to the caller, which is read on the way. */
export interface BodyPipeline {
  readonly reader: ResponseReader
  push: (chunk: Buffer) => void
  /**
   * The body is over, with its proper end if it is `whole`. What is still being decoded goes on its way first; `then`
   * is told why the body is not what its coding says, where the caller's has to break off for that.
   */
  finish: (whole: boolean, then: (failure?: Error) => void) => void
  /** The caller takes no more, or takes more again: for a pipeline that has more to send than what is pushed. */
  readonly pause?: () => void
  readonly resume?: () => void
}

/** What a body passes through. */
export interface Channel {
  readonly response: HeldResponse
  /** What of the last chunk waits for the next: an end that a client can see waits for the record. */
  readonly keep: Keep
  readonly source: Source
  /** The event that ends a stream was seen: all that the record needs is known. */
  readonly ended: () => void
  readonly abort: (reason: Error) => void
}

/** Any body that is read without decoding, or not at all. */
export class PlainPipeline implements BodyPipeline {
  readonly reader: ResponseReader
  readonly #channel: Channel

  constructor (channel: Channel, reader: ResponseReader) {
    this.#channel = channel
    this.reader = reader
  }

  push (chunk: Buffer): void {
    this.reader.push(chunk)
    this.#channel.response.send(chunk, this.#channel.keep)
  }

  finish (_whole: boolean, then: () => void): void { then() }
}

/** A stream that can be read without decoding. */
export class StreamPipeline implements BodyPipeline {
  readonly reader: StreamReader
  readonly #channel: Channel

  constructor (channel: Channel, strip: boolean, limits: KeepLimits) {
    this.#channel = channel
    this.reader = new StreamReader(strip ? 'strip' : 'watch', limits)
  }

  push (chunk: Buffer): void { passEvents(this.reader, chunk, this.#channel, this.#channel.response) }

  finish (_whole: boolean, then: () => void): void {
    const rest = this.reader.tee.finish()
    if (rest !== null) this.#channel.response.hold(rest)
    then()
  }
}

/** A compressed body: its chunks go on as they came, its decoded text is read along. */
export function codedPipeline (channel: Channel, reader: ResponseReader, coding: Coding): BodyPipeline {
  const decoding = new Decoding(coding.decoder(), text => reader.push(text), channel.source)
  return {
    reader,
    push (chunk) {
      decoding.push(chunk, () => {})
      channel.response.send(chunk, channel.keep)
    },
    finish (_whole, then) { void decoding.finish().then(() => then()) }
  }
}

/** A compressed stream: its chunks go on as they are once it is known whether they hold the final event. */
export function codedStreamPipeline (channel: Channel, coding: Coding, limits: KeepLimits): BodyPipeline {
  const reader = new StreamReader('watch', limits)
  const decoding = new Decoding(coding.decoder(), text => { reader.pass(text) }, channel.source)
  return {
    reader,
    push (chunk) {
      decoding.push(chunk, () => {
        if (!reader.tee.ended) channel.response.send(chunk, channel.keep)
        else holdEnd(chunk, channel, channel.response)
      })
    },
    finish (_whole, then) {
      void decoding.finish().then(() => {
        reader.tee.finish()
        then()
      })
    }
  }
}

/**
 * A compressed stream that has to be changed: decoded, stripped, and coded again as it was. Where that cannot be, which
 * was not offered, it goes on decoded: then its head names no coding. What was decoded and is not sent holds the
 * upstream up: a caller that does not read holds the encoder, a full encoder the decoder, and a full decoder the
 * socket.
 */
export function recodedStreamPipeline (channel: Channel, coding: Coding, limits: KeepLimits): BodyPipeline {
  const reader = new StreamReader('strip', limits)
  const decoder = coding.decoder('ended')
  const encoder = coding.encoder?.() ?? plainCoder()
  let isOver = false
  const code = (chunk: Buffer): void => {
    if (!encoder.write(chunk)) decoder.pause()
    encoder.flush()
  }
  encoder.on('error', error => channel.abort(error))
  encoder.on('drain', () => decoder.resume())
  encoder.on('data', (chunk: Buffer) => {
    if (reader.tee.ended || encoder.writableEnded) channel.response.hold(chunk)
    else channel.response.send(chunk, channel.keep)
  })
  const pass = (text: Buffer): void => passEvents(reader, text, channel, { send: code, hold: code })
  const decoding = new Decoding(decoder, pass, channel.source, Infinity)
  return {
    reader,
    push (chunk) {
      decoding.push(chunk, () => {
        if (decoding.failure !== undefined) channel.abort(decoding.failure)
      })
    },
    pause () {
      // The end of a stream that says no end is held for a record that waits for it.
      if (!isOver && (reader.tee.ended || !encoder.writableEnded)) encoder.pause()
    },
    resume () { encoder.resume() },
    finish (whole, then) {
      isOver ||= !whole
      if (isOver) encoder.resume()
      void decoding.finish().then(() => {
        const rest = reader.tee.finish()
        if (rest !== null) encoder.write(rest)
        if (!whole || decoding.failure !== undefined) {
          encoder.flush(() => then(decoding.failure))
          return
        }
        encoder.on('end', () => then())
        encoder.end()
      })
    }
  }
}

/** No coding: what goes in comes out. */
function plainCoder (): Coder {
  const flush = (callback?: () => void): void => { if (callback !== undefined) setImmediate(callback) }
  return Object.assign(new PassThrough(), { flush })
}

function passEvents (
  reader: StreamReader, chunk: Buffer, channel: Channel, to: Pick<HeldResponse, 'send' | 'hold'>
): void {
  const { tee } = reader
  const rest = tee.ended ? chunk : null
  if (rest === null) {
    const passed = reader.pass(chunk)
    if (passed !== null) to.send(passed, channel.keep)
  }
  if (tee.ended) holdEnd(rest ?? tee.takeHeld(), channel, to)
}

/** The event that ends the stream, and what is behind it. */
function holdEnd (chunk: Buffer, channel: Channel, to: Pick<HeldResponse, 'hold'>): void {
  to.hold(chunk)
  channel.ended()
}
