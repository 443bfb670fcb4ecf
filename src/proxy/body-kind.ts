/** What a response body is to its readers. `other`: known to be nothing that is read, whatever its first bytes are. */
export type BodyKind = 'stream' | 'json' | 'text' | 'binary' | 'other'

const JSON_TYPE = /^application\/(?:[a-z0-9.+-]+\+)?json\b/
/** Media, and lines of JSON: what they begin with says nothing. */
const OTHER_TYPE = /^(?:(?:audio|image|video|font|multipart)\/|application\/(?:x-)?(?:ndjson|jsonlines|jsonl|json-seq)\b)/

/** @param contentType lower-case; empty where there is none */
export function declaredKind (contentType: string): BodyKind {
  if (contentType.startsWith('text/event-stream')) return 'stream'
  if (JSON_TYPE.test(contentType)) return 'json'
  if (OTHER_TYPE.test(contentType)) return 'other'
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
  const text = head.toString('latin1', 0, 256)
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
