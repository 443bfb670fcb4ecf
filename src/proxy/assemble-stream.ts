import { ChoicesAssembly } from './assemble-choices.js'
import { ResponseAssembly } from './assemble-response.js'
import { BoundedFold, emptyObject, isObject } from './bounded-fold.js'
import { SseEvents } from './sse-events.js'

/** However little is to be kept, an event of the usual size is read. */
const minEventBytes = 65_536
/** JSON no longer than this is never nested too deep for `JSON.stringify`. */
const shallowChars = 4096

/**
 * What is kept of a stream: the one object that its events add up to. `push` costs a copy; events are read when
 * `unreadBytes` of them have gathered, or at the end, and never hold more than that, one event, and `maxBytes` of JSON text.
 */
export class StreamAssembly {
  readonly #events: SseEvents
  readonly #fold: BoundedFold
  #choices: ChoicesAssembly | null = null
  #response: ResponseAssembly | null = null
  #error: unknown
  /** JSON text of the events that belong to no kind of stream that is known here. */
  readonly #others: string[] = []
  #text: string | null | undefined

  constructor (maxBytes: number, unreadBytes: () => number) {
    this.#fold = new BoundedFold(maxBytes)
    this.#events = new SseEvents(Math.max(maxBytes, minEventBytes), unreadBytes, (data, type) => this.#add(data, type))
  }

  /** Takes the stream's next bytes, content encoding removed. The chunk may be used again afterwards. */
  push (chunk: Uint8Array): void {
    this.#events.push(chunk)
  }

  /**
   * The stream's object as JSON text; null where nothing came that can be kept. It has OpenAI's unstreamed shape for chat
   * and text completions and responses, and is `{"object":"stream","events":[…]}` for all else. An error event is its
   * `error`. Where text was dropped, `truncated_bytes` says how much. Ends the stream: nothing can be pushed after it.
   */
  toText (): string | null {
    if (this.#text === undefined) {
      this.#events.end()
      this.#text = this.#assembled()
    }
    return this.#text
  }

  #add (data: string, type: string): void {
    if (data === '[DONE]') return
    const event = parsed(data)
    if (!isObject(event)) this.#addOther(event === undefined ? JSON.stringify(data) : data, type)
    else if (typeof event.type === 'string' && event.type.startsWith('response.')) {
      this.#response ??= new ResponseAssembly(this.#fold)
      this.#response.add(event)
    } else if (Array.isArray(event.choices)) {
      this.#choices ??= new ChoicesAssembly(this.#fold)
      this.#choices.add(event)
    } else if (isObject(event.error)) this.#error = event.error
    else if (event.type === 'error') this.#error = event
    else this.#addOther(data, type)
  }

  #addOther (json: string, type: string): void {
    const text = type === '' ? json : `{"event":${JSON.stringify(type)},"data":${json}}`
    if (this.#fold.takeElement(Buffer.byteLength(text))) this.#others.push(text)
  }

  #assembled (): string | null {
    const known = this.#response?.toObject() ?? this.#choices?.toObject()
    const droppedBytes = this.#events.droppedBytes + this.#fold.droppedBytes
    const marks = emptyObject()
    if (this.#error !== undefined) marks.error = this.#error
    if (droppedBytes > 0 && this.#response?.isComplete !== true) marks.truncated_bytes = droppedBytes
    if (known !== undefined) return JSON.stringify({ ...known, ...marks })
    if (this.#others.length === 0) return Object.keys(marks).length === 0 ? null : JSON.stringify(marks)
    const stream = JSON.stringify({ object: 'stream', ...marks })
    return `${stream.slice(0, -1)},"events":[${this.#others.join(',')}]}`
  }
}

function parsed (data: string): unknown {
  try {
    const value: unknown = JSON.parse(data)
    if (data.length > shallowChars) JSON.stringify(value)
    return value
  } catch {
    return undefined // Not JSON, or nested deeper than it can be written again: kept as the text that it is.
  }
}
