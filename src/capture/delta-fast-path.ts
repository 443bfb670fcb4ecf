import { isObject, own, type JsonObject } from './bounded-object.js'

/** A longer chunk is none of a model that writes word by word. */
const MAX_CHARACTERS = 65_536
const CONTENT = '"content":"'
const OBFUSCATION = '"obfuscation":"'
/** A character that in a JSON string may not stand, or not for itself (RFC 8259 §7): any but these. */
const NOT_PLAIN = /[^ !#-[\]-\uffff]/

/**
 * Reads a chunk of a chat completion that brings text and nothing else without a parser. The chunks after it mostly
 * differ only in their text and their `obfuscation`, which only evens out the chunks' lengths.
 */
export class DeltaFastPath {
  readonly choiceIndex: number
  /** Up to the text. */
  readonly #before: string
  /** Behind the text, up to the obfuscation; to the end where there is none. */
  readonly #between: string
  /** Behind the obfuscation; null where there is none. */
  readonly #after: string | null

  private constructor (choiceIndex: number, before: string, between: string, after: string | null) {
    this.choiceIndex = choiceIndex
    this.#before = own(before)
    this.#between = own(between)
    this.#after = after === null ? null : own(after)
  }

  /** @param data the chunk's JSON text, `chunk` what it says. Null if it is not of this kind. */
  static of (data: string, chunk: JsonObject): DeltaFastPath | null {
    if (data.length > MAX_CHARACTERS) return null
    const [choice, ...others] = Array.isArray(chunk.choices) ? chunk.choices as unknown[] : []
    if (!isObject(choice) || others.length > 0 || typeof choice.index !== 'number' ||
      !isObject(choice.delta)) return null
    const { content } = choice.delta
    if (typeof content !== 'string' || NOT_PLAIN.test(content) || Object.keys(choice.delta).length > 1) return null
    const from = data.indexOf(CONTENT) + CONTENT.length
    const to = from + content.length
    // Another member of that name, or the text in escapes: the next chunk may be plainer.
    if (from < CONTENT.length || data.includes(CONTENT, from) || data[to] !== '"' ||
      data.slice(from, to) !== content) return null
    const before = data.slice(0, from)
    const rest = data.slice(to)
    if (typeof chunk.obfuscation !== 'string') return new DeltaFastPath(choice.index, before, rest, null)
    const start = rest.indexOf(OBFUSCATION) + OBFUSCATION.length
    const end = start + chunk.obfuscation.length
    if (rest.slice(start, end) !== chunk.obfuscation || rest[end] !== '"' ||
      NOT_PLAIN.test(chunk.obfuscation)) return null
    return new DeltaFastPath(choice.index, before, rest.slice(0, start), rest.slice(end))
  }

  /** The text of a chunk that is the same but for it; null for any other. */
  textOf (data: string): string | null {
    const from = this.#before.length
    if (!data.startsWith(this.#before)) return null
    const to = this.#after === null ? data.length - this.#between.length : data.indexOf(this.#between, from)
    if (to < from || !data.startsWith(this.#between, to)) return null
    if (this.#after !== null) {
      const start = to + this.#between.length
      const end = data.length - this.#after.length
      if (end < start || !data.startsWith(this.#after, end) || NOT_PLAIN.test(data.slice(start, end))) return null
    }
    const text = data.slice(from, to)
    return NOT_PLAIN.test(text) ? unescaped(text) : text
  }
}

/** Null where it is no JSON string: then the chunk is not what it looks like. */
function unescaped (text: string): string | null {
  try {
    return JSON.parse(`"${text}"`) as string
  } catch {
    return null
  }
}
