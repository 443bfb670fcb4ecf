import type { StoredPayload } from '../recording/call-record.js'
import { type KeptBody, isLong } from './kept-body.js'
import { storedBinary, storedText, storingText } from './payload.js'
import type { ResponseReader } from './response-reader.js'
import { inSlices } from './slices.js'

/** A request, as far as it may be stored. */
export interface StorableRequest {
  /** Null where the body passed without a look inside. */
  readonly body: Buffer | null
  readonly contentType: string
  readonly sizeBytes: number
}

/**
 * A call's prompt and response as they are stored, made at most once. Until then it holds the bodies, and nothing else of
 * the call.
 */
export class CallPayload {
  readonly #maxBytes: number
  readonly #request: StorableRequest
  readonly #reader: ResponseReader | null
  #built: StoredPayload | null = null

  constructor (maxBytes: number, request: StorableRequest, reader: ResponseReader | null) {
    this.#maxBytes = maxBytes
    this.#request = request
    this.#reader = reader
  }

  /** To be built in slices, before it is asked for: a batch asks in its middle, and may not wait. */
  get isLong (): boolean { return isLong(readableBody(this.#request)) || this.#reader?.isLong === true }

  async buildInSlices (): Promise<void> {
    const body = readableBody(this.#request)
    const kept = this.#reader?.isLong === true ? this.#reader.kept() : null
    this.#built = {
      prompt: body === null ? placeholder(this.#request) : await inSlices(storingText(body.content, this.#maxBytes)),
      response: kept === null
        ? this.#reader?.text() ?? null
        : await inSlices(storingText(kept.content, this.#maxBytes, Buffer.byteLength(kept.content) < kept.sizeBytes))
    }
  }

  /** Neither is stored: they could not be read. */
  drop (): void { this.#built = { prompt: null, response: null } }

  build (): StoredPayload {
    if (this.#built === null) {
      const body = readableBody(this.#request)
      this.#built = {
        prompt: body === null ? placeholder(this.#request) : storedText(body.content, this.#maxBytes),
        response: this.#reader?.text() ?? null
      }
    }
    return this.#built
  }
}

/** What of a request can be read; null where that is nothing. */
export function readableBody ({ body }: Pick<StorableRequest, 'body'>): KeptBody | null {
  return body === null || body.length === 0 ? null : { content: body, sizeBytes: body.length }
}

function placeholder ({ contentType, sizeBytes }: StorableRequest): string | null {
  return sizeBytes === 0 ? null : storedBinary(contentType, sizeBytes)
}
