/** A request's or a response's body as a person reads it: who said what. */
export interface Turn {
  readonly role: string
  readonly parts: readonly Part[]
}

export type Part =
  | { readonly kind: 'text', readonly text: string }
  /** An image, a sound or a file: what was put in its place, or where it is. Nothing is loaded from another host. */
  | { readonly kind: 'media', readonly text: string }
  | { readonly kind: 'call', readonly name: string, readonly json: string }
  | { readonly kind: 'json', readonly json: string }

type Json = Record<string, unknown>
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)
const list = (value: unknown): unknown[] => Array.isArray(value) ? value : []
const text = (value: unknown): string => typeof value === 'string' ? value : JSON.stringify(value ?? null)

/** JSON as it is read, with its own indentation; what is not JSON (text that was cut) stays as it is. */
export function pretty (json: unknown): string {
  if (typeof json !== 'string') return JSON.stringify(json, null, 2)
  try {
    return JSON.stringify(JSON.parse(json), null, 2)
  } catch {
    return json
  }
}

/** A stored body; undefined where it is no JSON, null where there is none. */
export function parseBody (body: string | null): unknown {
  if (body === null) return null
  try {
    return JSON.parse(body) as unknown
  } catch {
    return undefined
  }
}

/** What was asked: chat messages, a response's instructions and input, a completion's prompt, an embedding's texts. */
export function requestTurns (body: unknown): Turn[] {
  if (!isObject(body)) return []
  if (Array.isArray(body.messages)) return body.messages.filter(isObject).map(messageTurn)
  const turns: Turn[] = []
  if (typeof body.instructions === 'string') {
    turns.push({
      role: 'instructions', parts: [{ kind: 'text', text: body.instructions }]
    })
  }
  const input = body.input ?? body.prompt
  if (typeof input === 'string') turns.push({ role: 'input', parts: [{ kind: 'text', text: input }] })
  // Tokens instead of words, or many of them: one piece.
  else if (list(input)
    .some(item => typeof item === 'number' || Array.isArray(item))) {
    turns.push({
      role: 'input', parts: [{ kind: 'json', json: JSON.stringify(input) }]
    })
  } else {
    for (const item of list(input)) {
      turns.push(
        isObject(item) ? itemTurn(item) : { role: 'input', parts: [{ kind: 'text', text: text(item) }] }
      )
    }
  }
  return turns
}

/** What was answered. */
export function responseTurns (body: unknown): Turn[] {
  if (!isObject(body)) return []
  const choices = list(body.choices).filter(isObject).map((choice): Turn => isObject(choice.message)
    ? messageTurn(choice.message)
    : { role: 'completion', parts: [{ kind: 'text', text: text(choice.text ?? '') }] })
  return [...choices, ...list(body.output).filter(isObject).map(itemTurn)]
}

/** The tools that a request offers, by name. */
export function offeredTools (body: unknown): { name: string, json: string }[] {
  if (!isObject(body)) return []
  return list(body.tools).filter(isObject).map(tool => {
    const named = isObject(tool.function) ? tool.function : tool
    return { name: text(named.name ?? tool.type ?? 'tool'), json: pretty(tool) }
  })
}

function messageTurn (message: Json): Turn {
  const parts = typeof message.content === 'string'
    ? [{ kind: 'text' as const, text: message.content }]
    : list(message.content).map(contentPart)
  if (typeof message.refusal === 'string') parts.push({ kind: 'text', text: message.refusal })
  for (const call of list(message.tool_calls).filter(isObject)) {
    parts.push(
      callPart(isObject(call.function) ? call.function : isObject(call.custom) ? call.custom : call)
    )
  }
  if (isObject(message.audio)) {
    parts.push({
      kind: 'media', text: text(message.audio.data ?? message.audio.id ?? 'audio')
    }, { kind: 'text', text: text(message.audio.transcript ?? '') })
  }
  return {
    role: text(message.role ?? 'message') +
      (typeof message.tool_call_id === 'string' ? ` ${message.tool_call_id}` : ''),
    parts: parts.filter(isSaid)
  }
}

/** An item of the Responses API: a message, a function call, its output, reasoning. */
function itemTurn (item: Json): Turn {
  if (item.type === undefined || item.type === 'message') return messageTurn(item)
  if (typeof item.name === 'string') return { role: text(item.type), parts: [callPart(item)] }
  if (item.type === 'reasoning') {
    return {
      role: 'reasoning', parts: [...list(item.summary), ...list(item.content)].map(contentPart).filter(isSaid)
    }
  }
  if (item.output !== undefined) return { role: text(item.type), parts: [{ kind: 'json', json: pretty(item.output) }] }
  return { role: text(item.type), parts: [{ kind: 'json', json: pretty(item) }] }
}

function contentPart (part: unknown): Part {
  if (!isObject(part)) return { kind: 'text', text: text(part) }
  if (typeof part.text === 'string') return { kind: 'text', text: part.text }
  if (typeof part.refusal === 'string') return { kind: 'text', text: part.refusal }
  const image = isObject(part.image_url) ? part.image_url.url : part.image_url
  const media = image ?? (isObject(part.input_audio) ? part.input_audio.data : undefined) ??
    (isObject(part.file) ? part.file.file_data ?? part.file.file_id : undefined) ?? part.file_data ?? part.file_id
  return media === undefined ? { kind: 'json', json: pretty(part) } : { kind: 'media', text: text(media) }
}

const callPart = (call: Json): Part => ({
  kind: 'call', name: text(call.name ?? 'tool'), json: pretty(call.arguments ?? call.input ?? '')
})

const isSaid = (part: Part): boolean => part.kind !== 'text' || part.text !== ''
