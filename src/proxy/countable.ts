/** One side of a call as its tokens are counted: (sum of the texts' tokens) × scale + flatTokens. */
export interface Countable {
  readonly texts: string[]
  /** Above 1 where the texts were cut short. */
  readonly scale: number
  /** What costs tokens and is no text: the chat format, images. */
  flatTokens: number
}

// OpenAI's cookbook, "How to count tokens with tiktoken": each message is wrapped in three tokens, of which a name takes
// one more, and the reply is primed with three.
const MESSAGE_TOKENS = 3
const NAME_TOKENS = 1
const REPLY_TOKENS = 3
// Measured on recorded calls: what wraps a call of a tool.
const CALL_TOKENS = 7
// OpenAI's vision guide for gpt-4o: 85, and at high detail 170 for each tile of 512 pixels. Sizes are not known here: four
// tiles, a square of 1024, stand for all.
const LOW_DETAIL_IMAGE_TOKENS = 85
const IMAGE_TOKENS = 765

const ELIDED = /\[elided [^\]]*\]|data:[\w.+/-]+;base64,[\w+/=-]*/g
const TRUNCATED = /… \[truncated: (\d{1,15}) of (\d{1,15}) bytes kept\]$/

/** What of a call's bodies costs tokens. A body that cannot be read as a JSON object (cut short, say) counts as it stands. */
export function countable (endpoint: string, requestText: string | null, responseText: string | null): { input: Countable, output: Countable } {
  const chat = endpoint === 'chat/completions' || endpoint === 'responses' || endpoint === 'responses/compact'
  return {
    input: countableBody(requestText, chat ? addChatRequest : addTextRequest),
    output: endpoint === 'embeddings' ? nothing() : countableBody(responseText, addResponse)
  }
}

type JsonObject = Readonly<Record<string, unknown>>

const nothing = (): Countable => ({ texts: [], scale: 1, flatTokens: 0 })

function countableBody (body: string | null, add: (to: Countable, object: JsonObject) => void): Countable {
  if (body === null) return nothing()
  try {
    const object = asObject(JSON.parse(body))
    const counted = nothing()
    if (object !== null) {
      add(counted, object)
      return counted
    }
  } catch (error) {
    // No JSON, or nested too deeply for the stack.
    if (!(error instanceof SyntaxError || error instanceof RangeError)) throw error
  }
  const [mark = '', kept, size] = TRUNCATED.exec(body) ?? []
  const counted = { ...nothing(), scale: mark === '' ? 1 : Number(size) / Math.max(1, Number(kept)) }
  addText(counted, body.slice(0, body.length - mark.length))
  return counted
}

function addChatRequest (to: Countable, request: JsonObject): void {
  to.flatTokens += REPLY_TOKENS
  if (typeof request.instructions === 'string') addItem(to, { role: 'system', content: request.instructions })
  if (typeof request.input === 'string') addItem(to, { role: 'user', content: request.input })
  for (const item of [...asArray(request.messages), ...asArray(request.input)]) addItem(to, asObject(item))
  for (const tool of [...asArray(request.tools), ...asArray(request.functions)]) addText(to, JSON.stringify(tool))
  const schema = asObject(request.response_format)?.json_schema ?? asObject(asObject(request.text)?.format)?.schema
  if (schema !== undefined) addText(to, JSON.stringify(schema))
}

/** A completion, an embedding, a moderation. */
function addTextRequest (to: Countable, request: JsonObject): void {
  addInputs(to, request.prompt ?? request.input)
}

function addResponse (to: Countable, response: JsonObject): void {
  for (const choice of asArray(response.choices)) {
    addText(to, asObject(choice)?.text)
    addGenerated(to, asObject(asObject(choice)?.message))
  }
  for (const item of asArray(response.output)) addGenerated(to, asObject(item))
}

/** A completion's prompt or an embedding's input: a text, its tokens, or a list of either. */
function addInputs (to: Countable, inputs: unknown): void {
  if (typeof inputs === 'number') to.flatTokens += 1
  addText(to, inputs)
  for (const input of asArray(inputs)) addInputs(to, input)
}

/** A chat message, or an item of a response's input. */
function addItem (to: Countable, item: JsonObject | null): void {
  if (item === null) return
  to.flatTokens += MESSAGE_TOKENS
  addText(to, item.role)
  if (item.role !== undefined && item.name !== undefined) to.flatTokens += NAME_TOKENS
  addGenerated(to, item)
}

/** What a model can have written of a message or item: text, refusals, summaries of reasoning, calls of tools. */
function addGenerated (to: Countable, item: JsonObject | null): void {
  if (item === null) return
  addContent(to, item.content)
  addContent(to, item.summary)
  addContent(to, item.output)
  for (const text of [item.refusal, item.name, asObject(item.audio)?.transcript]) addText(to, text)
  addCall(to, item)
  for (const call of asArray(item.tool_calls)) addNamedCall(to, asObject(call)?.function ?? asObject(call)?.custom)
  addNamedCall(to, item.function_call)
}

function addNamedCall (to: Countable, value: unknown): void {
  const call = asObject(value)
  if (call === null) return
  addText(to, call.name)
  addCall(to, call)
}

/** A function's JSON arguments, or a custom tool's input. */
function addCall (to: Countable, call: JsonObject): void {
  const text = call.arguments ?? call.input
  if (typeof text !== 'string') return
  to.flatTokens += CALL_TOKENS
  addText(to, text)
}

function addContent (to: Countable, content: unknown): void {
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

function addText (to: Countable, text: unknown): void {
  if (typeof text === 'string' && text !== '') to.texts.push(text.replace(ELIDED, ''))
}

function asObject (value: unknown): JsonObject | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value as JsonObject : null
}

function asArray (value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
