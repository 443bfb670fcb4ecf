import { type Found, findInlineMedia, withoutMedia } from '../capture/inline-media.js'
import type { CapturedBody } from '../capture/captured-body.js'
import type { Steps } from '../lib/slices.js'
import { type Samples, samplesOf } from './text-samples.js'

/** One side of a call as its tokens are counted: (sum of the texts' tokens) × scale + flatTokens. */
export interface BillableText {
  readonly texts: string[]
  /** Above 1 where the texts were cut short. */
  readonly scale: number
  /** What costs tokens and is no text: the chat format, images. */
  flatTokens: number
}

// OpenAI's cookbook, "How to count tokens with tiktoken": each message is wrapped in three tokens, of which a name
// takes one more, and the reply is primed with three.
const MESSAGE_TOKENS = 3
const NAME_TOKENS = 1
const REPLY_TOKENS = 3
// Measured on recorded calls: what wraps a call of a tool.
const CALL_TOKENS = 7
// OpenAI's vision guide for gpt-4o: 85, and at high detail 170 for each tile of 512 pixels. Sizes are not known here:
// four tiles, a square of 1024, stand for all.
const LOW_DETAIL_IMAGE_TOKENS = 85
const IMAGE_TOKENS = 765

/** Of a longer body the media are taken out first. */
const MAX_PARSED_BYTES = 1024 * 1024
/** More text than any model takes: media after it are not searched for. */
const MAX_SEARCHED_BYTES = 4 * 1024 * 1024
/** Shorter ones make no difference. */
const MIN_MEDIA_BYTES = 1024
/** What stands before media of a message: a text that looks like media is billed as text. */
const MEDIA_KEY = /"(?:url|image_url|file_url|file_data|b64_json|data|result)"\s{0,8}:\s{0,8}"$/

/** The parts of a call's bodies that cost tokens. A body that is no JSON object, or was cut, counts as text. */
export function * countable (
  endpoint: string, request: CapturedBody | null, response: CapturedBody | null
): Steps<{ input: BillableText, output: BillableText }> {
  const chat = endpoint === 'chat/completions' || endpoint === 'responses' || endpoint === 'responses/compact'
  const input = yield * countableBody(request, chat ? addChatRequest : addTextRequest)
  const output = endpoint === 'embeddings' ? nothing() : yield * countableBody(response, addResponse)
  return { input, output }
}

type JsonObject = Readonly<Record<string, unknown>>

const nothing = (): BillableText => ({ texts: [], scale: 1, flatTokens: 0 })

function * countableBody (
  body: CapturedBody | null, add: (to: BillableText, object: JsonObject) => void
): Steps<BillableText> {
  if (body === null) return nothing()
  const content = typeof body.content === 'string' ? Buffer.from(body.content) : body.content
  const scale = body.sizeBytes / content.length
  if (content.length <= MAX_PARSED_BYTES) {
    return parsed(content, scale, add) ?? asItStands({ texts: [content.toString()], share: 1 }, scale, 0)
  }
  const media = (yield * findInlineMedia(content, MAX_SEARCHED_BYTES)).filter(found => isMember(content, found))
  const pieces = yield * withoutMedia(content, media, () => '')
  const textBytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
  const counted = textBytes <= MAX_PARSED_BYTES ? parsed(Buffer.concat(pieces), scale, add) : null
  if (counted !== null) return counted
  const images = media.filter(({ mime }) => mime.startsWith('image/')).length
  return asItStands(samplesOf(pieces, textBytes), scale, images * IMAGE_TOKENS)
}

function isMember (bytes: Buffer, { start, end }: Found): boolean {
  return end - start >= MIN_MEDIA_BYTES && MEDIA_KEY.test(bytes.toString('latin1', Math.max(0, start - 40), start))
}

/** Null where it is no JSON object, or one that is nested too deeply to be walked. */
function parsed (
  json: Buffer, scale: number, add: (to: BillableText, object: JsonObject) => void
): BillableText | null {
  try {
    const object = asObject(JSON.parse(json.toString()))
    if (object === null) return null
    const counted = { ...nothing(), scale }
    add(counted, object)
    return counted
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) return null
    throw error
  }
}

/** @param scale how much longer the whole is than what there is of it */
function asItStands ({ texts, share }: Samples, scale: number, flatTokens: number): BillableText {
  return { texts, scale: scale / share, flatTokens }
}

function addChatRequest (to: BillableText, request: JsonObject): void {
  to.flatTokens += REPLY_TOKENS
  if (typeof request.instructions === 'string') addItem(to, { role: 'system', content: request.instructions })
  if (typeof request.input === 'string') addItem(to, { role: 'user', content: request.input })
  for (const item of [...asArray(request.messages), ...asArray(request.input)]) addItem(to, asObject(item))
  for (const tool of [...asArray(request.tools), ...asArray(request.functions)]) addText(to, JSON.stringify(tool))
  const schema = asObject(request.response_format)?.json_schema ?? asObject(asObject(request.text)?.format)?.schema
  if (schema !== undefined) addText(to, JSON.stringify(schema))
}

/** A completion, an embedding, a moderation. */
function addTextRequest (to: BillableText, request: JsonObject): void {
  addInputs(to, request.prompt ?? request.input)
}

function addResponse (to: BillableText, response: JsonObject): void {
  for (const choice of asArray(response.choices)) {
    addText(to, asObject(choice)?.text)
    addGenerated(to, asObject(asObject(choice)?.message))
  }
  for (const item of asArray(response.output)) addGenerated(to, asObject(item))
}

/** A completion's prompt or an embedding's input: a text, its tokens, or a list of either. */
function addInputs (to: BillableText, inputs: unknown): void {
  if (typeof inputs === 'number') to.flatTokens += 1
  addText(to, inputs)
  for (const input of asArray(inputs)) addInputs(to, input)
}

/** A chat message, or an item of a response's input. */
function addItem (to: BillableText, item: JsonObject | null): void {
  if (item === null) return
  to.flatTokens += MESSAGE_TOKENS
  addText(to, item.role)
  if (item.role !== undefined && item.name !== undefined) to.flatTokens += NAME_TOKENS
  addGenerated(to, item)
}

/** What a model can have written of a message or item: text, refusals, summaries of reasoning, calls of tools. */
function addGenerated (to: BillableText, item: JsonObject | null): void {
  if (item === null) return
  addContent(to, item.content)
  addContent(to, item.summary)
  addContent(to, item.output)
  for (const text of [item.refusal, item.name, asObject(item.audio)?.transcript]) addText(to, text)
  addCall(to, item)
  for (const call of asArray(item.tool_calls)) addNamedCall(to, asObject(call)?.function ?? asObject(call)?.custom)
  addNamedCall(to, item.function_call)
}

function addNamedCall (to: BillableText, value: unknown): void {
  const call = asObject(value)
  if (call === null) return
  addText(to, call.name)
  addCall(to, call)
}

/** A function's JSON arguments, or a custom tool's input. */
function addCall (to: BillableText, call: JsonObject): void {
  const text = call.arguments ?? call.input
  if (typeof text !== 'string') return
  to.flatTokens += CALL_TOKENS
  addText(to, text)
}

function addContent (to: BillableText, content: unknown): void {
  addText(to, content)
  for (const value of asArray(content)) {
    const part = asObject(value)
    if (part === null) continue
    addText(to, part.text)
    addText(to, part.refusal)
    if (part.type === 'image_url' || part.type === 'input_image') {
      const detail = asObject(part.image_url)?.detail ?? part.detail
      to.flatTokens += detail === 'low' ? LOW_DETAIL_IMAGE_TOKENS : IMAGE_TOKENS
    }
  }
}

function addText (to: BillableText, text: unknown): void {
  if (typeof text === 'string' && text !== '') to.texts.push(text)
}

function asObject (value: unknown): JsonObject | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value as JsonObject : null
}

function asArray (value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
