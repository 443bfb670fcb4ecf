export type JsonObject = Record<string, unknown>

export function isObject (value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** An object without a prototype: a key of an event (`__proto__`) can mean nothing but itself. */
export function emptyObject (): JsonObject {
  return Object.create(null) as JsonObject
}

/**
 * The same text in memory of its own. V8 keeps the whole of a text for as long as a piece that was cut from it lives,
 * and of a sum its parts. (Not by way of UTF-8: half of a surrogate pair has to survive it.)
 */
export function own (text: string): string {
  if (text.length <= longText) return JSON.parse(JSON.stringify(text)) as string
  const coding = beyondLatin1.test(text) ? 'utf16le' : 'latin1'
  return Buffer.from(text, coding).toString(coding)
}

/** Of a longer text, JSON with its escapes would take several times as long. */
const longText = 65_536
const beyondLatin1 = /[^\0-\xff]/

/** A text that arrives in pieces; in JSON it is a string. */
class GatheredText {
  readonly #owned: string[] = []
  #latest: string
  /** Waits to be settled. */
  isLoose = false

  constructor (text: string) {
    this.#latest = text
  }

  add (text: string): void { this.#latest += text }

  settle (): void {
    this.isLoose = false
    if (this.#latest === '') return
    this.#owned.push(own(this.#latest))
    this.#latest = ''
  }

  toJSON (): string { return this.#owned.join('') + this.#latest }
}

/** An object's or an array's own brackets, a key's quotes, colon and comma. */
const structureBytes = 8
/**
 * Of the whole, at most this much is kept free of text, so that what comes after it (`finish_reason`, `usage`) fits.
 */
const reserveBytes = 4096

/**
 * Accumulates the members of many events in objects whose JSON text stays within `maxBytes`. Text past it is dropped
 * and counted. Once one piece was dropped no later one is added, so that the stored text is the beginning, without a
 * gap.
 */
export class BoundedObject {
  droppedBytes = 0
  readonly #maxBytes: number
  #leftBytes: number
  readonly #reserveBytes: number
  #isFull = false
  /** Texts that were added to since they were settled last: there may be thousands of others. */
  #loose: GatheredText[] = []

  constructor (maxBytes: number) {
    this.#maxBytes = maxBytes
    this.#leftBytes = maxBytes
    this.#reserveBytes = Math.min(reserveBytes, maxBytes / 8)
  }

  /** How much is kept, as JSON text. */
  get keptBytes (): number { return this.#maxBytes - this.#leftBytes }

  /** The last value that is not null wins. @returns whether there was room for it */
  set (target: JsonObject, key: string, value: unknown): boolean {
    const old = target[key]
    if (old !== undefined && (value === null || value === old)) return true
    const oldBytes = old === undefined ? -key.length - structureBytes : jsonBytes(old)
    const bytes = jsonBytes(value)
    if (bytes - oldBytes > this.#leftBytes) {
      this.droppedBytes += bytes
      return false
    }
    this.#leftBytes -= bytes - oldBytes
    target[key] = value
    return true
  }

  /** Adds text to the end of the member's. */
  append (target: JsonObject, key: string, text: string): void {
    const old = target[key]
    if (!(old instanceof GatheredText)) {
      if (typeof old !== 'string' && !this.set(target, key, '')) return
      target[key] = this.#loosened(new GatheredText(typeof old === 'string' ? old : ''))
      this.append(target, key, text)
    } else if (this.#takeForText(jsonBytes(text) - 2)) this.#loosened(old).add(text)
  }

  #loosened (text: GatheredText): GatheredText {
    if (!text.isLoose) this.#loose.push(text)
    text.isLoose = true
    return text
  }

  /** Lets go of what the texts so far were cut from. */
  settle (): void {
    for (const text of this.#loose) text.settle()
    this.#loose = []
  }

  /** Adds elements to the end of the member's array. */
  extend (target: JsonObject, key: string, elements: readonly unknown[]): void {
    const old = target[key]
    if (!Array.isArray(old)) {
      if (this.set(target, key, [])) this.extend(target, key, elements)
    } else if (elements.length > 0 && this.#takeForText(jsonBytes(elements))) {
      for (const element of elements) old.push(element)
    }
  }

  /** Takes room for an element of an array. @returns whether there was */
  takeElement (bytes: number): boolean {
    return this.#takeForText(bytes + structureBytes)
  }

  /** The member's object, made if there is none. Null where there is no room. */
  object (target: JsonObject, key: string): JsonObject | null {
    const old = target[key]
    if (isObject(old) && !(old instanceof GatheredText)) return old
    const made = emptyObject()
    return this.set(target, key, made) ? made : null
  }

  #takeForText (bytes: number): boolean {
    this.#isFull ||= bytes > this.#leftBytes - this.#reserveBytes
    if (this.#isFull) this.droppedBytes += bytes
    else this.#leftBytes -= bytes
    return !this.#isFull
  }
}

export function jsonBytes (value: unknown): number {
  return typeof value === 'string' && !escaped.test(value)
    ? Buffer.byteLength(value) + 2
    : Buffer.byteLength(JSON.stringify(value))
}

/** What `JSON.stringify` may write in more than one character. */
const escaped = /[^ !#-[\]-\ud7ff\ue000-\uffff]/
