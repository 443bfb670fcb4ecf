import { emptyObject, isObject, jsonBytes, type BoundedObject, type JsonObject } from './bounded-object.js'

/** Where a delta's text belongs in its output item: a member of the item, or of a part in one of its lists. */
const deltaTargets: Readonly<Record<string, { list?: string, member: string } | undefined>> = {
  'response.output_text.delta': { list: 'content', member: 'text' },
  'response.refusal.delta': { list: 'content', member: 'refusal' },
  'response.reasoning_text.delta': { list: 'content', member: 'text' },
  'response.reasoning_summary_text.delta': { list: 'summary', member: 'text' },
  'response.function_call_arguments.delta': { member: 'arguments' },
  'response.mcp_call_arguments.delta': { member: 'arguments' },
  'response.custom_tool_call_input.delta': { member: 'input' },
  'response.code_interpreter_call_code.delta': { member: 'code' }
}

/**
 * The events of a streamed response (https://platform.openai.com/docs/api-reference/responses-streaming). The one that
 * ends the stream carries the whole object. Where it never came, the object that opened the stream is filled with the
 * output seen until then.
 */
export class ResponseAccumulator {
  readonly #fold: BoundedObject
  readonly #opened = emptyObject()
  /** By `output_index`. */
  readonly #items = emptyObject()
  #final: JsonObject | null = null

  constructor (fold: BoundedObject) {
    this.#fold = fold
  }

  /** The object is whole, whatever else was dropped. */
  get isComplete (): boolean { return this.#final !== null }

  add (event: JsonObject): void {
    const { type, response, item, part } = event
    if (isObject(response)) {
      if (type === 'response.completed' || type === 'response.failed' ||
        type === 'response.incomplete') this.#final = response
      else this.#fold.set(this.#opened, 'response', response)
    } else if (isObject(item)) this.#fold.set(this.#items, keyOf(event.output_index), item)
    else if (type === 'response.content_part.added') this.#addPart(event, 'content', part)
    else if (type === 'response.reasoning_summary_part.added') this.#addPart(event, 'summary', part)
    else if (typeof event.delta === 'string') this.#addDelta(event, event.delta)
  }

  toObject (): JsonObject {
    if (this.#final !== null) return this.#final
    const opened = isObject(this.#opened.response) ? this.#opened.response : { object: 'response' }
    return { ...opened, output: Object.values(this.#items) }
  }

  #addPart (event: JsonObject, list: string, part: unknown): void {
    const item = this.#items[keyOf(event.output_index)]
    if (!isObject(item) || !isObject(part)) return
    const parts = item[list] ??= []
    if (Array.isArray(parts) && this.#fold.takeElement(jsonBytes(part))) parts.push(part)
  }

  #addDelta (event: JsonObject, delta: string): void {
    const target = deltaTargets[String(event.type)]
    const item = this.#items[keyOf(event.output_index)]
    if (target === undefined || !isObject(item)) return
    if (target.list === undefined) {
      this.#fold.append(item, target.member, delta)
      return
    }
    const parts = item[target.list]
    const index = event.content_index ?? event.summary_index
    const part: unknown = Array.isArray(parts) && typeof index === 'number' ? parts[index] : undefined
    if (isObject(part)) this.#fold.append(part, target.member, delta)
  }
}

/** An item's place. What is no number has none of its own: an upstream may send anything. */
const keyOf = (outputIndex: unknown): string => typeof outputIndex === 'number' ? String(outputIndex) : '0'
