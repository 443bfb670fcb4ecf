/**
 * Lines of server-sent events:
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */

export const LF = 0x0a
export const CR = 0x0d
export const SPACE = 0x20
const COLON = 0x3a
const OPEN_BRACE = 0x7b
const DATA = Buffer.from('data:')
const DONE = Buffer.from('[DONE]')
const BOM = Buffer.from('\ufeff')
export const NEWLINE = Buffer.from('\n')

/** A longer line is not gathered: its bytes are read as they come. */
export const MAX_LINE_BYTES = 1024 * 1024

/** How far ahead a line's end is looked for at first: most lines are shorter. */
const FIRST_WINDOW_BYTES = 1024

/**
 * The end of the line that begins at `from`, the index of its LF or CR; -1 if it is not there yet. The time it takes
 * grows with that line, not with what is behind it: in a body of CRs the next LF may be megabytes away.
 */
export function lineEnd (buffer: Buffer, from: number): number {
  for (let at = from, size = FIRST_WINDOW_BYTES; at < buffer.length; at += size, size *= 2) {
    const window = buffer.subarray(at, at + size)
    const lf = window.indexOf(LF)
    const cr = (lf === -1 ? window : window.subarray(0, lf)).indexOf(CR)
    if (cr !== -1 || lf !== -1) return at + (cr === -1 ? lf : cr)
  }
  return -1
}

/** Behind the line end at `end`: LF, CR, or both. A CR may come last in the buffer, and its LF first in the next. */
export function afterLineEnd (buffer: Buffer, end: number): number {
  return buffer[end] === CR && buffer[end + 1] === LF ? end + 2 : end + 1
}

/** A stream's first line begins behind its byte order mark. */
export function afterBom (line: Buffer, from: number): number {
  return line.subarray(from, from + BOM.length).equals(BOM) ? from + BOM.length : from
}

/**
 * What a line is: blank; a comment; data that is OpenAI's `[DONE]`, that begins an object, that is empty, or that is
 * anything else; another field of an event; or nothing that the grammar knows.
 */
export type LineKind = 'blank' | 'comment' | 'done' | 'object' | 'empty' | 'text' | 'field' | 'unknown'

/** @param to the line's end, without its LF or CR */
export function kindOfLine (buffer: Buffer, from: number, to: number): LineKind {
  if (from === to) return 'blank'
  if (buffer[from] === COLON) return 'comment'
  if (isData(buffer, from)) {
    const start = dataStart(buffer, from, to)
    const isDone = buffer[start] === DONE[0] && buffer.subarray(start, Math.min(to, start + DONE.length)).equals(DONE)
    if (isDone) return 'done'
    let at = start
    while (at < to && (buffer[at] === SPACE || buffer[at] === 0x09)) at++
    return at === to ? 'empty' : buffer[at] === OPEN_BRACE ? 'object' : 'text'
  }
  const name = buffer.toString('latin1', from, Math.min(to, from + 'retry:'.length))
  return /^(?:event|id|retry|data)(?::|$)/.test(name) ? 'field' : 'unknown'
}

export function isData (buffer: Buffer, from: number): boolean {
  return buffer[from] === DATA[0] && buffer.subarray(from, from + DATA.length).equals(DATA)
}

/** Where a data line's value begins: behind the colon and, if there is one, the space behind it. */
export function dataStart (buffer: Buffer, from: number, to: number): number {
  const start = from + DATA.length
  return start < to && buffer[start] === SPACE ? start + 1 : start
}
