const HEAD_END = Buffer.from('\r\n\r\n')
const MODEL_NAMES: ReadonlySet<string> = new Set(['name="model"', 'name=model'])
const NOTHING = Buffer.alloc(0)
/** Longer heads of a part are not looked at. */
const MAX_HEAD_BYTES = 4096
/** No model has a longer name. */
const MAX_VALUE_BYTES = 256

/**
 * Reads the field `model` of a form (RFC 7578) as its bytes pass. Transcriptions and edits of images name their model
 * there, and their answers do not. It buffers only a part's head. A form that names two models has none.
 */
export class MultipartModel {
  readonly #delimiter: Buffer
  #at: 'between' | 'head' | 'value' = 'between'
  /** What cannot be read before more comes. */
  #rest: Buffer = NOTHING
  readonly #models = new Set<string>()

  private constructor (boundary: string) {
    this.#delimiter = Buffer.from(`--${boundary}`, 'latin1')
  }

  /** @returns null where the `Content-Type`, as it came, is none of a form with a boundary */
  static of (contentType: string): MultipartModel | null {
    const boundary = /^multipart\/form-data\s*;.{0,200}?\bboundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(
      contentType
    )
    return boundary === null ? null : new MultipartModel(boundary[1] ?? boundary[2] ?? '')
  }

  get model (): string | null {
    const [model = null] = this.#models
    return this.#models.size === 1 ? model : null
  }

  feed (chunk: Buffer): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    for (;;) {
      const [mark, maxBytes] = this.#at === 'head'
        ? [HEAD_END, MAX_HEAD_BYTES]
        : [this.#delimiter, this.#at === 'value' ? MAX_VALUE_BYTES : 0]
      const end = bytes.indexOf(mark)
      if (end === -1) {
        // A head or value that is too long is not the one looked for.
        if (bytes.length > maxBytes + mark.length) this.#at = 'between'
        const rest = this.#at === 'between' ? bytes.subarray(-this.#delimiter.length) : bytes
        // A copy: it would keep the whole chunk. What was put together above has memory of its own.
        this.#rest = rest.length < bytes.length || bytes === chunk ? Buffer.from(rest) : rest
        return
      }
      const part = bytes.subarray(0, end)
      bytes = bytes.subarray(end + mark.length)
      if (this.#at === 'head') this.#at = isModelHead(part) ? 'value' : 'between'
      else {
        if (this.#at === 'value' && part.length <= MAX_VALUE_BYTES) this.#models.add(part.toString().trim())
        this.#at = 'head'
      }
    }
  }
}

function isModelHead (head: Buffer): boolean {
  return head.includes('model') && head.toString('latin1').split('\r\n')
    .some(line => /^content-disposition:/i.test(line) &&
    line.split(';').some(parameter => MODEL_NAMES.has(parameter.trim())))
}
