/** Lines of server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream */

export const LF = 0x0a
export const CR = 0x0d
export const SPACE = 0x20
const DATA = Buffer.from('data:')

/** How far ahead a line's end is looked for at first: most lines are shorter. */
const FIRST_WINDOW_BYTES = 1024

/**
 * The end of the line that begins at `from`, the index of its LF or CR; -1 if it is not there yet. The time it takes grows
 * with that line, not with what is behind it: in a body of CRs the next LF may be megabytes away.
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

const BLANK_LINES = ['\n\n', '\n\r', '\r\r'].map(text => Buffer.from(text))

/** Whether the chunk, behind the byte `before`, has a line end right behind another: the end of an event. */
export function bringsBlankLine (before: number | undefined, chunk: Buffer): boolean {
  const [first] = chunk
  if (before === LF && (first === LF || first === CR)) return true
  if (before === CR && first === CR) return true
  return BLANK_LINES.some(line => chunk.includes(line))
}

export function isData (buffer: Buffer, from: number): boolean {
  return buffer[from] === DATA[0] && buffer.subarray(from, from + DATA.length).equals(DATA)
}

/** A data line's value: what follows the colon and, if there is one, the space behind it. */
export function dataOf (line: Buffer): Buffer {
  return line.subarray(line[DATA.length] === SPACE ? DATA.length + 1 : DATA.length)
}
