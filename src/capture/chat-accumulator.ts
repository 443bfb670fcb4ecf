import { createHash } from 'node:crypto'
import { emptyObject, isObject, type BoundedObject, type JsonObject } from './bounded-object.js'
import { elided } from './inline-media.js'

/**
 * Accumulates the chunks of a streamed chat or text completion into the object that the same call returns unstreamed.
 */
export class ChatAccumulator {
  readonly #fold: BoundedObject
  readonly #object = emptyObject()
  readonly #choices = new Map<number, Choice>()

  constructor (fold: BoundedObject) {
    this.#fold = fold
  }

  add (chunk: JsonObject): void {
    for (const [key, value] of Object.entries(chunk)) {
      if (key === 'choices') this.#addChoices(value)
      else if (key === 'object') {
        this.#fold.set(this.#object, key, value === 'text_completion' ? value : 'chat.completion')
        // Null but in the last chunk; `obfuscation` only evens out the chunks' lengths.
      } else if (key !== 'obfuscation' && !(key === 'usage' && value === null)) this.#fold.set(this.#object, key, value)
    }
  }

  /** As a chunk that is the same as one added before, but for its text. */
  addText (index: number, text: string): void {
    this.#choices.get(index)?.addText(text)
  }

  toObject (): JsonObject {
    const choices = [...this.#choices].sort(([a], [b]) => a - b).map(([, choice]) => choice.toObject())
    const { id, object, created, model, ...others } = this.#object
    return { id, object, created, model, choices, ...others }
  }

  #addChoices (value: unknown): void {
    if (!Array.isArray(value)) return
    for (const part of value as unknown[]) {
      if (!isObject(part)) continue
      const index = typeof part.index === 'number' ? part.index : 0
      let choice = this.#choices.get(index)
      if (choice === undefined) {
        if (!this.#fold.takeElement(32)) continue
        choice = new Choice(this.#fold, index)
        this.#choices.set(index, choice)
      }
      choice.add(part)
    }
  }
}

class Choice {
  readonly #fold: BoundedObject
  readonly #object = emptyObject()
  #message: JsonObject | null = null
  readonly #toolCalls = new Map<number, JsonObject>()
  /** By their ids, as far as those are kept. */
  readonly #toolCallIndexes = new Map<string, number>()

  constructor (fold: BoundedObject, index: number) {
    this.#fold = fold
    this.#object.index = index
  }

  add (part: JsonObject): void {
    for (const [key, value] of Object.entries(part)) {
      if (key === 'delta') this.#addDelta(value)
      else if (key === 'text' && typeof value === 'string') this.#fold.append(this.#object, key, value)
      else if (key === 'logprobs' && isObject(value)) this.#addLogprobs(value)
      else if (key !== 'index') this.#fold.set(this.#object, key, value)
    }
  }

  addText (text: string): void {
    if (this.#message !== null) this.#fold.append(this.#message, 'content', text)
  }

  toObject (): JsonObject {
    const { index, ...others } = this.#object
    if (this.#message === null) return this.#object
    const { role = 'assistant', content = null, ...members } = this.#message
    const message: JsonObject = { role, content, ...members }
    if (this.#toolCalls.size > 0) {
      message.tool_calls = [...this.#toolCalls].sort(([a], [b]) => a - b)
        .map(([, call]) => call)
    }
    return { index, message, ...others }
  }

  #addDelta (delta: unknown): void {
    if (!isObject(delta)) return
    const message = this.#message ??= emptyObject()
    for (const [key, value] of Object.entries(delta)) {
      if (key === 'tool_calls' && Array.isArray(value)) value.forEach(part => this.#addToolCall(part))
      else if (key === 'function_call' && isObject(value)) this.#addCallee(message, key, value)
      else if (key === 'audio' && isObject(value)) this.#addAudio(message, value)
      else if (key !== 'role' && typeof value === 'string') this.#fold.append(message, key, value)
      else if (Array.isArray(value)) this.#fold.extend(message, key, value)
      else this.#fold.set(message, key, value)
    }
  }

  #addToolCall (part: unknown): void {
    if (!isObject(part)) return
    const index = this.#toolCallIndex(part)
    let call = this.#toolCalls.get(index)
    if (call === undefined) {
      if (!this.#fold.takeElement(32)) return
      call = emptyObject()
      this.#toolCalls.set(index, call)
    }
    for (const [key, value] of Object.entries(part)) {
      if (isObject(value)) this.#addCallee(call, key, value)
      else if (key !== 'index') this.#fold.set(call, key, value)
    }
    if (typeof call.id === 'string' && !this.#toolCallIndexes.has(call.id)) this.#toolCallIndexes.set(call.id, index)
  }

  /** Some compatible servers leave the index out: then a new id begins a new call. */
  #toolCallIndex (part: JsonObject): number {
    if (typeof part.index === 'number') return part.index
    if (typeof part.id !== 'string' || part.id === '') return Math.max(this.#toolCalls.size - 1, 0)
    return this.#toolCallIndexes.get(part.id) ?? this.#toolCalls.size
  }

  /** A function or custom tool: its name comes whole, its `arguments` or `input` in pieces. */
  #addCallee (target: JsonObject, key: string, part: JsonObject): void {
    const callee = this.#fold.object(target, key)
    if (callee === null) return
    for (const [member, value] of Object.entries(part)) {
      if (member !== 'name' && typeof value === 'string') this.#fold.append(callee, member, value)
      else if (value !== '') this.#fold.set(callee, member, value)
    }
  }

  #addAudio (message: JsonObject, part: JsonObject): void {
    const audio = this.#fold.object(message, 'audio')
    if (audio === null) return
    for (const [key, value] of Object.entries(part)) {
      if (key === 'data' && typeof value === 'string') {
        if (audio.data === undefined) this.#fold.set(audio, key, new ElidedAudio())
        if (audio.data instanceof ElidedAudio) audio.data.add(value)
      } else if (key === 'transcript' && typeof value === 'string') this.#fold.append(audio, key, value)
      else this.#fold.set(audio, key, value)
    }
  }

  /** `content` and `refusal` of a chat, `tokens`, `token_logprobs`, … of a text completion: arrays all. */
  #addLogprobs (part: JsonObject): void {
    const logprobs = this.#fold.object(this.#object, 'logprobs')
    if (logprobs === null) return
    for (const [key, value] of Object.entries(part)) {
      if (Array.isArray(value)) this.#fold.extend(logprobs, key, value)
      else this.#fold.set(logprobs, key, value)
    }
  }
}

/**
 * Streamed audio, which would fill the room and not be stored anyway: only its size and hash are kept. Each piece is
 * base64 of its own. A stream has one format: https://platform.openai.com/docs/guides/audio
 */
class ElidedAudio {
  readonly #hash = createHash('sha256')
  #sizeBytes = 0

  add (base64: string): void {
    const bytes = Buffer.from(base64, 'base64')
    this.#hash.update(bytes)
    this.#sizeBytes += bytes.length
  }

  toJSON (): string {
    return elided('audio/pcm16', this.#sizeBytes, this.#hash.copy().digest('hex'))
  }
}
