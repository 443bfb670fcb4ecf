/** Lines of server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream */

export const LF = 0x0a
export const CR = 0x0d
export const SPACE = 0x20
const DATA = Buffer.from('data:')

/** The end of the line that begins at `from`, the index of its LF or CR; -1 if it is not there yet. */
export function lineEnd (buffer: Buffer, from: number): number {
  const lf = buffer.indexOf(LF, from)
  const cr = buffer.subarray(from, lf === -1 ? buffer.length : lf).indexOf(CR)
  return cr === -1 ? lf : from + cr
}

/** Behind the line end at `end`: LF, CR, or both. A CR may come last in the buffer, and its LF first in the next. */
export function afterLineEnd (buffer: Buffer, end: number): number {
  return buffer[end] === CR && buffer[end + 1] === LF ? end + 2 : end + 1
}

export function isData (buffer: Buffer, from: number): boolean {
  return buffer[from] === DATA[0] && buffer.subarray(from, from + DATA.length).equals(DATA)
}

/** A data line's value: what follows the colon and, if there is one, the space behind it. */
export function dataOf (line: Buffer): Buffer {
  return line.subarray(line[DATA.length] === SPACE ? DATA.length + 1 : DATA.length)
}
