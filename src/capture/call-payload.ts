import type { StoredPayload } from '../recording/call-record.js'
import { type CapturedResponse, type CapturedBody, isLong } from './captured-body.js'
import { storedBinary, storedText, storingText } from './stored-text.js'
import { inSlices } from '../lib/slices.js'

/** A request, as far as it may be stored. */
export interface StorableRequest {
  /** Null where the body passed without a look inside. */
  readonly body: Buffer | null
  readonly contentType: string
  readonly sizeBytes: number
}

/**
 * A call's prompt and response as they are stored, built at most once. Until then it refers to their sources: the
 * request as far as it was read, and the response's reader.
 */
export class CallPayload {
  readonly #maxBytes: number
  #request: StorableRequest | null
  #reader: CapturedResponse | null
  #built: StoredPayload | null = null

  constructor (maxBytes: number, request: StorableRequest, reader: CapturedResponse | null) {
    this.#maxBytes = maxBytes
    this.#request = request
    this.#reader = reader
  }

  /** To be built in slices, before it is asked for: a batch asks in its middle, and may not wait. */
  get isLong (): boolean { return isLong(readableBody(this.#request)) || this.#reader?.isLong === true }

  async buildInSlices (): Promise<void> {
    const body = readableBody(this.#request)
    const prompt = body === null ? this.#placeholder() : await inSlices(storingText(body.content, this.#maxBytes))
    const kept = this.#reader?.isLong === true ? await inSlices(this.#reader.kept()) : null
    const response = kept === null
      ? this.#reader?.text() ?? null
      : await inSlices(storingText(kept.content, this.#maxBytes, Buffer.byteLength(kept.content) < kept.sizeBytes))
    this.#take({ prompt, response })
  }

  /** Neither is stored: they could not be read. */
  drop (): void { this.#take({ prompt: null, response: null }) }

  build (): StoredPayload {
    if (this.#built !== null) return this.#built
    const body = readableBody(this.#request)
    const prompt = body === null ? this.#placeholder() : storedText(body.content, this.#maxBytes)
    return this.#take({ prompt, response: this.#reader?.text() ?? null })
  }

  #placeholder (): string | null {
    const { contentType, sizeBytes } = this.#request ?? NO_REQUEST
    return sizeBytes === 0 ? null : storedBinary(contentType, sizeBytes)
  }

  #take (built: StoredPayload): StoredPayload {
    this.#built = built
    this.#request = null
    this.#reader = null
    return built
  }
}

const NO_REQUEST: StorableRequest = { body: null, contentType: '', sizeBytes: 0 }

/** The part of a request that can be read; null where there is none. */
export function readableBody (request: Pick<StorableRequest, 'body'> | null): CapturedBody | null {
  const body = request?.body ?? null
  return body === null || body.length === 0 ? null : { content: body, sizeBytes: body.length }
}
