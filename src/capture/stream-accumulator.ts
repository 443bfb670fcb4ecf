import { isDeeperThan } from '../lib/json-depth.js'
import { type Steps, inOneGo } from '../lib/slices.js'
import { ChatAccumulator } from './chat-accumulator.js'
import { ResponseAccumulator } from './response-accumulator.js'
import { BoundedObject, emptyObject, isObject } from './bounded-object.js'
import { DeltaFastPath } from './delta-fast-path.js'
import { SseEvents } from '../decoders/sse-events.js'

/** However little is to be kept, an event of the usual size is read. */
const minEventBytes = 65_536
/**
 * However much is to be kept, a longer event is not read: it takes one `JSON.parse`, 7 ns a byte on the main thread.
 */
const maxEventBytes = 8 * 1024 * 1024
/** What is nested deeper is kept as the text that it is: it could not be written again within other objects. */
const maxDepth = 500
/** The characters of a response's events that wait unread for the event that makes them needless. */
const deferredChars = 262_144
/** As OpenAI writes the events of a response. */
const responseEvent = '{"type":"response.'

/**
 * Accumulates the events of a stream into one object. `push` costs a copy. Events are read when `unreadBytes` of them
 * have come, or at the end. Memory is at most that, one event, and `maxBytes` of JSON text.
 */
export class StreamAccumulator {
  readonly #events: SseEvents
  readonly #fold: BoundedObject
  #choices: ChatAccumulator | null = null
  #response: ResponseAccumulator | null = null
  /** The last chunk read, if the next may be the same but for its text. */
  #repeated: DeltaFastPath | null = null
  /** Events of a response, in their order. */
  #deferred: { data: string, type: string }[] = []
  #deferredChars = 0
  #error: unknown
  /** JSON text of the events that belong to no kind of stream that is known here. */
  readonly #others: string[] = []
  #text: string | null | undefined

  constructor (maxBytes: number, unreadBytes: () => number) {
    this.#fold = new BoundedObject(maxBytes)
    const add = (data: string, type: string): void => this.#add(data, type)
    const eventBytes = Math.min(Math.max(maxBytes, minEventBytes), maxEventBytes)
    this.#events = new SseEvents(eventBytes, unreadBytes, add, () => this.#fold.settle())
  }

  /** Takes the stream's next bytes, content encoding removed. The chunk may be used again afterwards. */
  push (chunk: Uint8Array): void {
    this.#events.push(chunk)
  }

  /**
   * The stream's object as JSON text; null where nothing came that can be kept. It has OpenAI's unstreamed shape for
   * chat and text completions and responses, and is `{"object":"stream","events":[…]}` for all else. An error event is
   * its `error`. Where text was dropped, `truncated_bytes` says how much. Ends the stream: nothing can be pushed after
   * it.
   */
  toText (): string | null { return inOneGo(this.finishing()) }

  /** As `toText`, in steps. One event is read, and the object is written, in a step each, however long it is. */
  * finishing (): Steps<string | null> {
    if (this.#text !== undefined) return this.#text
    yield * this.#events.ending()
    yield
    this.#readDeferred()
    yield
    this.#text = this.#accumulated()
    return this.#text
  }

  /** The bytes that came but are not in the object. Known after `toText`. */
  get droppedBytes (): number {
    return this.#response?.isComplete === true ? 0 : this.#events.droppedBytes + this.#fold.droppedBytes
  }

  /** About how much `toText` has to write, or to read first. */
  get keptBytes (): number { return this.#fold.keptBytes + this.#deferredChars + this.#events.unreadBytes }

  #add (data: string, type: string): void {
    if (data === '[DONE]') return
    const text = this.#repeated?.textOf(data) ?? null
    if (text !== null) this.#choices?.addText(this.#repeated?.choiceIndex ?? 0, text)
    else if (data.startsWith(responseEvent) && !endsResponse(data)) this.#defer(data, type)
    else this.#read(data, type)
  }

  /** The event that ends a response carries all that those before it brought: they are read if it does not come. */
  #defer (data: string, type: string): void {
    this.#deferred.push({ data, type })
    this.#deferredChars += data.length
    if (this.#deferredChars > deferredChars) this.#readDeferred()
  }

  #readDeferred (): void {
    for (const { data, type } of this.#takeDeferred()) this.#read(data, type)
  }

  #takeDeferred (): { data: string, type: string }[] {
    const deferred = this.#deferred
    this.#deferred = []
    this.#deferredChars = 0
    return deferred
  }

  #read (data: string, type: string): void {
    const event = parsed(data)
    this.#repeated = null
    if (!isObject(event)) this.#addOther(event === undefined ? JSON.stringify(data) : data, type)
    else if (typeof event.type === 'string' && event.type.startsWith('response.')) {
      this.#response ??= new ResponseAccumulator(this.#fold)
      this.#response.add(event)
      if (this.#response.isComplete) this.#takeDeferred()
    } else if (Array.isArray(event.choices)) {
      this.#choices ??= new ChatAccumulator(this.#fold)
      this.#choices.add(event)
      this.#repeated = DeltaFastPath.of(data, event)
    } else if (isObject(event.error)) this.#error = event.error
    else if (event.type === 'error') this.#error = event
    else this.#addOther(data, type)
  }

  #addOther (json: string, type: string): void {
    const text = type === '' ? json : `{"event":${JSON.stringify(type)},"data":${json}}`
    if (this.#fold.takeElement(Buffer.byteLength(text))) this.#others.push(text)
  }

  #accumulated (): string | null {
    const known = this.#response?.toObject() ?? this.#choices?.toObject()
    const marks = emptyObject()
    if (this.#error !== undefined) marks.error = this.#error
    if (this.droppedBytes > 0) marks.truncated_bytes = this.droppedBytes
    if (known !== undefined) return JSON.stringify({ ...known, ...marks })
    if (this.#others.length === 0) return Object.keys(marks).length === 0 ? null : JSON.stringify(marks)
    const stream = JSON.stringify({ object: 'stream', ...marks })
    return `${stream.slice(0, -1)},"events":[${this.#others.join(',')}]}`
  }
}

/** A false alarm does no harm: the event is read, before those that were to wait for it. */
const endsResponse = (data: string): boolean => /^\{"type":"response\.(?:completed|failed|incomplete)"/.test(data)

function parsed (data: string): unknown {
  try {
    return data.length > maxDepth && isDeeperThan(data, maxDepth) ? undefined : JSON.parse(data) as unknown
  } catch {
    return undefined // Not JSON: kept as the text that it is.
  }
}
