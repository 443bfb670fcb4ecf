const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d

/** Some write it before UTF-8, and servers read on behind it. */
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf]

/** Where the scanner stands in the top-level object. */
const At = { Start: 0, Key: 1, Colon: 2, Value: 3, End: 4, NotAnObject: 5 } as const
type Place = typeof At[keyof typeof At]

/** One top-level member. Offsets count bytes from the start of the document. */
export interface JsonMember {
  /** The comma before the member, or its key's quote if it is the first. */
  readonly start: number
  readonly keyStart: number
  readonly valueStart: number
  readonly valueEnd: number
  /** The value's JSON text; null if it is longer than the scanner keeps. */
  readonly text: string | null
}

/**
 * Reads chosen top-level members out of a JSON object (RFC 8259) as its bytes arrive, without parsing the rest: a body
 * of any size costs one pass and a few hundred bytes of memory. It finds members; it does not validate. Of a key that
 * stands twice the last one counts, as with `JSON.parse`.
 */
export class JsonMembers {
  readonly #wanted: ReadonlySet<string>
  readonly #maxValueBytes: number
  readonly #members = new Map<string, JsonMember>()
  #at: Place = At.Start
  #openedAt = -1
  #endedAt = -1
  /** Bytes fed before the current chunk. */
  #base = 0
  /** Brackets open inside the current value. */
  #depth = 0
  #inString = false
  /** The byte before was a backslash that escapes the next one. */
  #escaped = false
  #start = -1
  #keyStart = -1
  #key = ''
  #valueStart = -1
  /** Behind the last byte of the value so far that is not white space. */
  #solidEnd = -1
  /** What is being kept: the key, or a wanted member's value. Index into the chunk, -1 when nothing is. */
  #keepFrom = -1
  #kept: Buffer[] = []
  #keptBytes = 0
  readonly #nestedName: string | null
  #nested: JsonMembers | null = null
  /** Where the nested object goes on in the chunk, -1 outside of it. */
  #nestedFrom = -1

  /** @param nestedName a member that is an object itself: the same members are read in it, however long it is */
  constructor (wanted: ReadonlySet<string>, maxValueBytes = 65536, nestedName: string | null = null) {
    this.#wanted = wanted
    this.#maxValueBytes = maxValueBytes
    this.#nestedName = nestedName
  }

  /** The object's closing brace was seen. */
  get complete (): boolean { return this.#at === At.End }

  /** Where the object's opening brace stands. */
  get openedAt (): number { return this.#openedAt }

  /** Behind the object's closing brace; -1 before it was seen. */
  get endedAt (): number { return this.#endedAt }

  /** The members of the nested object; null before it begins. */
  get nested (): JsonMembers | null { return this.#nested }

  /** Where the member begins that has not ended yet (see `JsonMember.start`), and its key; null between two members. */
  get unfinished (): { readonly start: number, readonly key: string | null } | null {
    if (this.#at === At.Start || this.#at === At.End || this.#at === At.NotAnObject || this.#start === -1) return null
    return { start: this.#start, key: this.#at === At.Key ? null : this.#key }
  }

  get (name: string): JsonMember | undefined { return this.#members.get(name) }

  /** The member's value; undefined if it is absent, too long to have been kept, or not JSON. */
  value (name: string): unknown {
    const text = this.#members.get(name)?.text
    if (text == null) return undefined
    try {
      return JSON.parse(text)
    } catch {
      return undefined // Half a value, or none: what cannot be read is as good as absent.
    }
  }

  /** The member's value if it is a string. */
  string (name: string): string | null {
    const value = this.value(name)
    return typeof value === 'string' ? value : null
  }

  feed (chunk: Buffer): void {
    if (this.#keepFrom !== -1) this.#keepFrom = 0
    if (this.#nestedFrom !== -1) this.#nestedFrom = 0
    // As a string of one character a byte it is searched several times faster: `Buffer.indexOf` leaves the JIT's code.
    const bytes = chunk.toString('latin1')
    let i = 0
    while (i < bytes.length) {
      if (this.#inString) i = this.#string(chunk, bytes, i)
      else if (this.#at === At.Value && this.#valueStart !== -1) i = this.#value(chunk, bytes, i)
      else i = this.#structure(chunk, i)
    }
    if (this.#keepFrom !== -1) this.#keep(chunk, chunk.length)
    if (this.#nestedFrom !== -1) this.#nested?.feed(chunk.subarray(this.#nestedFrom))
    this.#base += chunk.length
  }

  /** Skips to behind the string's closing quote, or to the chunk's end. */
  #string (chunk: Buffer, bytes: string, from: number): number {
    let i = this.#escaped ? from + 1 : from
    while (i < bytes.length) {
      const quote = bytes.indexOf('"', i)
      const end = quote === -1 ? bytes.length : quote
      const isEscaped = backslashesBefore(chunk, end, i) % 2 === 1
      if (quote !== -1 && !isEscaped) return this.#endString(chunk, quote + 1)
      i = isEscaped ? end + 1 : end
    }
    this.#escaped = i > bytes.length
    return bytes.length
  }

  #endString (chunk: Buffer, end: number): number {
    this.#inString = false
    this.#escaped = false
    this.#solidEnd = this.#base + end
    if (this.#at === At.Key) this.#endKey(chunk, end)
    return end
  }

  #structure (chunk: Buffer, i: number): number {
    const byte = chunk[i]
    if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) return i + 1
    switch (this.#at) {
      case At.Value:
        if (byte === COMMA || byte === CLOSE_BRACE) return this.#afterMember(byte, i)
        this.#valueStart = this.#base + i
        if (this.#wanted.has(this.#key)) this.#keepFrom = i
        if (this.#key === this.#nestedName) this.#openNested(i)
        return i // Its first byte is looked at as all others are.
      case At.Key:
        if (byte === QUOTE) this.#startKey(i)
        else if (byte === CLOSE_BRACE) this.#end(i)
        else if (byte === COMMA) this.#start = this.#base + i
        break
      case At.Colon:
        if (byte === COLON) this.#startValue()
        break
      case At.Start:
        if (this.#base + i < BYTE_ORDER_MARK.length && byte === BYTE_ORDER_MARK[this.#base + i]) break
        this.#at = byte === OPEN_BRACE ? At.Key : At.NotAnObject
        this.#openedAt = this.#base + i
        break
      default:
        return chunk.length
    }
    return i + 1
  }

  /** Goes on in a value, to its end, to a string in it, or to the chunk's end. */
  #value (chunk: Buffer, bytes: string, from: number): number {
    let depth = this.#depth
    for (let i = from; i < bytes.length; i++) {
      const byte = bytes.charCodeAt(i)
      if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) continue
      if (depth === 0 && (byte === COMMA || byte === CLOSE_BRACE)) {
        this.#endMember(chunk, i)
        return this.#afterMember(byte, i)
      }
      this.#solidEnd = this.#base + i + 1
      if (byte === QUOTE) {
        this.#depth = depth
        this.#inString = true
        return i + 1
      }
      if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++
      else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth--
    }
    this.#depth = depth
    return bytes.length
  }

  #afterMember (byte: number, i: number): number {
    this.#start = this.#base + i
    if (byte === COMMA) this.#at = At.Key
    else this.#end(i)
    return i + 1
  }

  #end (i: number): void {
    this.#at = At.End
    this.#endedAt = this.#base + i + 1
  }

  #startKey (i: number): void {
    this.#inString = true
    this.#keyStart = this.#base + i
    if (this.#start === -1) this.#start = this.#keyStart
    this.#keepFrom = i
    this.#kept = []
    this.#keptBytes = 0
  }

  #endKey (chunk: Buffer, end: number): void {
    const text = this.#takeKept(chunk, end)
    this.#key = ''
    if (text !== null) this.#key = text.includes('\\') ? unescapeKey(text) : text.slice(1, -1)
    this.#at = At.Colon
  }

  #startValue (): void {
    this.#at = At.Value
    this.#valueStart = -1
    this.#depth = 0
  }

  #openNested (i: number): void {
    this.#nested = new JsonMembers(this.#wanted, this.#maxValueBytes)
    this.#nestedFrom = i
  }

  #endMember (chunk: Buffer, end: number): void {
    if (this.#nestedFrom !== -1) this.#nested?.feed(chunk.subarray(this.#nestedFrom, end))
    this.#nestedFrom = -1
    if (this.#keepFrom === -1 || this.#valueStart === -1) return
    const text = this.#takeKept(chunk, end)?.trimEnd() ?? null
    this.#members.set(this.#key, {
      start: this.#start, keyStart: this.#keyStart, valueStart: this.#valueStart, valueEnd: this.#solidEnd, text
    })
  }

  #keep (chunk: Buffer, end: number): void {
    const size = end - this.#keepFrom
    this.#keptBytes += size
    if (this.#keptBytes <= this.#maxValueBytes) this.#kept.push(Buffer.from(chunk.subarray(this.#keepFrom, end)))
  }

  #takeKept (chunk: Buffer, end: number): string | null {
    const from = this.#keepFrom
    this.#keepFrom = -1
    if (this.#kept.length === 0 && this.#keptBytes === 0) {
      return end - from <= this.#maxValueBytes ? chunk.toString('utf8', from, end) : null
    }
    this.#keepFrom = from
    this.#keep(chunk, end)
    this.#keepFrom = -1
    const text = this.#keptBytes <= this.#maxValueBytes ? Buffer.concat(this.#kept).toString() : null
    this.#kept = []
    this.#keptBytes = 0
    return text
  }
}

function unescapeKey (text: string): string {
  try {
    return String(JSON.parse(text))
  } catch {
    return text
  }
}

/**
 * How many backslashes stand right before `end`, none of them before `from`. Each run is looked at once, however long.
 */
function backslashesBefore (chunk: Buffer, end: number, from: number): number {
  let i = end
  while (i > from && chunk[i - 1] === BACKSLASH) i--
  return end - i
}
