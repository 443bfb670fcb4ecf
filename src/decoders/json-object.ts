import { isUtf8 } from 'node:buffer'
import { setImmediate } from 'node:timers/promises'

/** A top-level member's value: where it stands, and how many elements it has where it is an array. */
export interface MemberSpan {
  readonly start: number
  readonly end: number
  readonly elements: number
}

/** The members that were asked for, by name; or why the body cannot be read as one thing by every server. */
export type ReadObject = ReadonlyMap<string, MemberSpan> | { readonly why: string }

/** How much is read before the event loop has its turn: some milliseconds. */
const TURN_BYTES = 512 * 1024
const MAX_DEPTH = 512
/** No name that is asked for is longer, written in escapes. */
const MAX_NAME_BYTES = 256

const [OBJECT, ARRAY] = [1, 2]
const QUOTE = 0x22
const COMMA = 0x2c
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
/** What may follow a backslash, besides `u`. */
const ESCAPED: ReadonlySet<number> = new Set(Buffer.from('"\\/bfnrt'))
const LITERALS = new Map([[0x74, Buffer.from('true')], [0x66, Buffer.from('false')], [0x6e, Buffer.from('null')]])

/** What may come next. A number's states are named by what was read of it. */
const Expect = {
  Value: 0,
  ValueOrEnd: 1,
  Key: 2,
  KeyOrEnd: 3,
  Colon: 4,
  CommaOrEnd: 5,
  Nothing: 6,
  String: 7,
  Escape: 8,
  Hex: 9,
  Minus: 10,
  Zero: 11,
  Digits: 12,
  Point: 13,
  Fraction: 14,
  Exponent: 15,
  ExponentSign: 16,
  ExponentDigits: 17
} as const
type Expected = typeof Expect[keyof typeof Expect]

/**
 * Reads a JSON object (RFC 8259) to its last byte, in turns with the event loop. Unlike `JsonMembers` it validates, so
 * that what it finds is what every server finds: UTF-8, no comments, and no member that is asked for twice or in
 * another case.
 *
 * @param wanted names in lower case
 */
export async function readObject (body: Buffer, wanted: ReadonlySet<string>): Promise<ReadObject> {
  if (!isUtf8(body)) return { why: 'it is not UTF-8' }
  const scanner = new ObjectScanner(body, wanted)
  while (scanner.why === null && scanner.at < body.length) {
    if (scanner.at > 0) await setImmediate()
    scanner.run(Math.min(scanner.at + TURN_BYTES, body.length))
  }
  if (scanner.why !== null) return { why: scanner.why }
  return scanner.isWhole ? scanner.members : { why: 'it is not a complete JSON object' }
}

class ObjectScanner {
  readonly members = new Map<string, MemberSpan>()
  why: string | null = null
  at: number
  readonly #bytes: Buffer
  readonly #wanted: ReadonlySet<string>
  readonly #stack = new Uint8Array(MAX_DEPTH)
  #depth = 0
  #expect: Expected = Expect.Value
  #isKey = false
  #stringStart = 0
  #hexLeft = 0
  /** Of the member at the top. */
  #name: string | null = null
  #valueStart = 0
  #commas = 0
  #isEmpty = true

  constructor (bytes: Buffer, wanted: ReadonlySet<string>) {
    this.#bytes = bytes
    this.#wanted = wanted
    this.at = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0
  }

  get isWhole (): boolean { return this.#expect === Expect.Nothing }

  run (until: number): void {
    const bytes = this.#bytes
    while (this.at < until && this.why === null) {
      if (this.#expect === Expect.String) this.#skipString(until)
      else this.#byte(bytes[this.at] ?? 0)
    }
  }

  /** To a string's end, or an escape in it. */
  #skipString (until: number): void {
    const bytes = this.#bytes
    let i = this.at
    while (i < until) {
      const byte = bytes[i] ?? 0
      if (byte === QUOTE || byte === 0x5c || byte < 0x20) break
      i++
    }
    this.at = i
    if (i === until) return
    const byte = bytes[i]
    this.at++
    if (byte === QUOTE) this.#endString()
    else if (byte === 0x5c) this.#expect = Expect.Escape
    else this.#fail()
  }

  #byte (byte: number): void {
    switch (this.#expect) {
      case Expect.Escape:
        this.at++
        if (byte === 0x75) {
          this.#hexLeft = 4
          this.#expect = Expect.Hex
        } else if (ESCAPED.has(byte)) {
          this.#expect = Expect.String
        } else {
          this.#fail()
        }
        return
      case Expect.Hex:
        this.at++
        if (!isHex(byte)) this.#fail()
        else if (--this.#hexLeft === 0) this.#expect = Expect.String
        return
      default:
        if (this.#expect >= Expect.Minus) this.#number(byte)
        else this.#structure(byte)
    }
  }

  #structure (byte: number): void {
    this.at++
    if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) return
    switch (this.#expect) {
      case Expect.KeyOrEnd:
      case Expect.Key:
        if (byte === QUOTE) this.#startString(true)
        else if (byte === CLOSE_BRACE && this.#expect === Expect.KeyOrEnd) this.#close()
        else this.#fail()
        return
      case Expect.Colon:
        if (byte === 0x3a) this.#expect = Expect.Value
        else this.#fail()
        return
      case Expect.CommaOrEnd: {
        const container = this.#stack[this.#depth - 1]
        if (byte === COMMA) {
          if (this.#depth === 2) this.#commas++
          this.#expect = container === OBJECT ? Expect.Key : Expect.Value
        } else if (byte === (container === OBJECT ? CLOSE_BRACE : CLOSE_BRACKET)) {
          this.#close()
        } else {
          this.#fail()
        }
        return
      }
      case Expect.Value:
      case Expect.ValueOrEnd:
        if (byte === CLOSE_BRACKET && this.#expect === Expect.ValueOrEnd) this.#close()
        else this.#startValue(byte)
        return
      default:
        this.#fail()
    }
  }

  #startValue (byte: number): void {
    if (this.#depth === 0 && byte !== OPEN_BRACE) {
      this.why = 'it is not a JSON object in UTF-8'
      return
    }
    if (this.#depth === 1) {
      this.#valueStart = this.at - 1
      this.#commas = 0
      this.#isEmpty = true
    } else if (this.#depth === 2) {
      this.#isEmpty = false
    }
    if (byte === QUOTE) this.#startString(false)
    else if (byte === OPEN_BRACE) this.#open(OBJECT)
    else if (byte === OPEN_BRACKET) this.#open(ARRAY)
    else if (byte === 0x2d) this.#expect = Expect.Minus
    else if (byte === 0x30) this.#expect = Expect.Zero
    else if (isDigit(byte)) this.#expect = Expect.Digits
    else this.#literal(byte)
  }

  #literal (byte: number): void {
    const literal = LITERALS.get(byte)
    if (literal === undefined || !this.#bytes.subarray(this.at - 1, this.at - 1 + literal.length).equals(literal)) {
      this.#fail()
      return
    }
    this.at += literal.length - 1
    this.#endValue()
  }

  #number (byte: number): void {
    const next = afterNumberByte(this.#expect, byte)
    if (next === null) {
      if (mayEnd(this.#expect)) this.#endValue()
      else this.#fail()
      return
    }
    this.at++
    this.#expect = next
  }

  #startString (isKey: boolean): void {
    this.#isKey = isKey
    this.#stringStart = this.at - 1
    this.#expect = Expect.String
  }

  #endString (): void {
    if (!this.#isKey) {
      this.#endValue()
      return
    }
    this.#expect = Expect.Colon
    if (this.#depth === 1) this.#takeName()
  }

  #takeName (): void {
    this.#name = null
    if (this.at - this.#stringStart > MAX_NAME_BYTES) return
    const name = JSON.parse(this.#bytes.toString('utf8', this.#stringStart, this.at)) as string
    const lowerCase = name.toLowerCase()
    if (!this.#wanted.has(lowerCase)) return
    // Of two the first counts here and the last there; some servers do not tell cases apart.
    if (this.members.has(lowerCase)) this.why = `it has '${lowerCase}' twice`
    else if (name !== lowerCase) this.why = `it has '${lowerCase}' in another case`
    this.#name = lowerCase
  }

  #open (container: number): void {
    if (this.#depth === MAX_DEPTH) {
      this.why = 'it is nested too deep'
      return
    }
    this.#stack[this.#depth++] = container
    this.#expect = container === OBJECT ? Expect.KeyOrEnd : Expect.ValueOrEnd
  }

  #close (): void {
    this.#depth--
    this.#endValue()
  }

  #endValue (): void {
    this.#expect = this.#depth === 0 ? Expect.Nothing : Expect.CommaOrEnd
    if (this.#depth !== 1 || this.#name === null) return
    const elements = this.#isEmpty ? 0 : this.#commas + 1
    this.members.set(this.#name, { start: this.#valueStart, end: this.at, elements })
    this.#name = null
  }

  #fail (): void {
    this.why = 'it is not valid JSON'
  }
}

/** What of a number may follow, RFC 8259 §6; null where it ends. */
function afterNumberByte (state: Expected, byte: number): Expected | null {
  if (isDigit(byte)) {
    if (state === Expect.Zero) return null
    if (state === Expect.Minus) return byte === 0x30 ? Expect.Zero : Expect.Digits
    if (state === Expect.Digits) return Expect.Digits
    return state <= Expect.Fraction ? Expect.Fraction : Expect.ExponentDigits
  }
  if (byte === 0x2e) return state === Expect.Zero || state === Expect.Digits ? Expect.Point : null
  if (byte === 0x65 || byte === 0x45) return mayEnd(state) && state !== Expect.ExponentDigits ? Expect.Exponent : null
  if (byte === 0x2b || byte === 0x2d) return state === Expect.Exponent ? Expect.ExponentSign : null
  return null
}

/** Whether a number may end here. */
const mayEnd = (state: Expected): boolean =>
  state === Expect.Zero || state === Expect.Digits || state === Expect.Fraction || state === Expect.ExponentDigits

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39
const isHex = (byte: number): boolean =>
  isDigit(byte) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66)
