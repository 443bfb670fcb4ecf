/** What kind of body a response has. `lines`: JSON lines, each a value of its own, which may come slowly. */
export type BodyKind = 'stream' | 'json' | 'text' | 'binary' | 'lines'

const JSON_TYPE = /^application\/(?:[a-z0-9.+-]+\+)?json\b/
const LINES_TYPE = /^application\/(?:x-)?(?:ndjson|jsonlines|jsonl)\b/

/**
 * The kind that a `Content-Type` declares.
 * @param contentType lower-case; empty where there is none
 */
export function declaredKind (contentType: string): BodyKind {
  if (contentType.startsWith('text/event-stream')) return 'stream'
  if (JSON_TYPE.test(contentType)) return 'json'
  if (LINES_TYPE.test(contentType)) return 'lines'
  return contentType === '' || contentType.startsWith('text/') ? 'text' : 'binary'
}

const BOM = '\u00ef\u00bb\u00bf'
/** An object or a list. A text may begin with a bracket, too. */
const JSON_START = /^(?:\{\s*["}]|\[\s*[[{"\]\d-])/
/** Lines with which an event stream begins (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
const FIRST_FIELDS = [':', 'data:', 'event:', 'id:', 'retry:']

/**
 * What a body is by its first bytes: an event stream or JSON, whatever its `Content-Type`.
 *
 * @returns null for neither; `blank` if there is only white space yet; `more` if the next bytes decide
 */
export function sniffKind (head: Buffer): 'stream' | 'json' | 'blank' | 'more' | null {
  const from = afterBlank(head)
  const text = head.toString('latin1', from, from + 256)
  const unmarked = text.startsWith(BOM) ? text.slice(BOM.length) : text
  if (text.length < BOM.length && BOM.startsWith(text)) return text === '' ? 'blank' : 'more'
  const start = unmarked.trimStart()
  if (start === '') return unmarked === text ? 'blank' : 'more'
  if (JSON_START.test(start)) return 'json'
  if (/^[{[]\s*$/.test(start)) return 'more'
  for (const field of FIRST_FIELDS) {
    if (start.startsWith(field)) return 'stream'
    if (field.startsWith(start)) return 'more'
  }
  return null
}

/** Whether all of it is white space: however long it is, a body may begin behind it. */
export function isBlank (bytes: Buffer): boolean {
  return afterBlank(bytes) === bytes.length
}

function afterBlank (bytes: Buffer): number {
  let at = 0
  while (at < bytes.length && BLANK.has(bytes[at] ?? 0)) at++
  return at
}

/** White space of JSON (RFC 8259 §2), which the line ends of a stream are too. */
const BLANK: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d])
