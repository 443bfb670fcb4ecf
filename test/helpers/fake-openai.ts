import { type HttpReply, type UpstreamRequest, json } from './upstream.js'

/** The parts of a request that decide what it is answered. */
interface Asked {
  readonly model?: string
  readonly stream?: boolean
  readonly stream_options?: { readonly include_usage?: boolean }
  readonly tools?: ReadonlyArray<{ readonly name?: string, readonly function?: { readonly name: string } }>
  readonly response_format?: { readonly type: string }
  readonly text?: { readonly format?: { readonly type: string } }
  readonly input?: unknown
  readonly encoding_format?: string
}

/** What every call here used: fixed, so that a test can say what the books must hold. */
export const USED = { input: 1200, cached: 1024, output: 60, reasoning: 32 }
export const EMBEDDED = { input: 9 }

const MODEL = 'gpt-4o-mini-2024-07-18'
const CREATED = 1_790_000_000
const pieces = ['A light', 'house at', ' dusk.']
const title = '{"title":"A lighthouse","tags":["sea","dusk"]}'
const toolArguments = '{"city":"Brno"}'

const chatUsage = {
  prompt_tokens: USED.input,
  completion_tokens: USED.output,
  total_tokens: USED.input + USED.output,
  prompt_tokens_details: { cached_tokens: USED.cached, audio_tokens: 0 },
  completion_tokens_details: {
    reasoning_tokens: USED.reasoning, audio_tokens: 0, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0
  }
}
const responseUsage = {
  input_tokens: USED.input,
  input_tokens_details: { cached_tokens: USED.cached },
  output_tokens: USED.output,
  output_tokens_details: { reasoning_tokens: USED.reasoning },
  total_tokens: USED.input + USED.output
}

/**
 * Answers as the OpenAI API would, the same request always the same: a call of the first tool where there are tools,
 * `{"title","tags"}` where the answer has a structure, else a sentence; whole or streamed, with usage as it is asked
 * for.
 */
export function fakeOpenAI (request: UpstreamRequest): Promise<HttpReply> {
  return request.received.then(() => {
    const asked = request.json() as Asked
    if (request.url.endsWith('/embeddings')) return embeddings(asked)
    if (request.url.endsWith('/responses')) return response(asked)
    return asked.stream === true ? chatStream(asked) : chatCompletion(asked)
  })
}

const toolOf = ({ tools }: Asked): string | undefined => tools?.[0]?.function?.name ?? tools?.[0]?.name

function chatCompletion (asked: Asked): HttpReply {
  const tool = toolOf(asked)
  const message = tool === undefined
    ? { content: asked.response_format === undefined ? pieces.join('') : title }
    : {
        content: null,
        tool_calls: [{ id: 'call_1', type: 'function', function: { name: tool, arguments: toolArguments } }]
      }
  return json({
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: CREATED,
    model: MODEL,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', refusal: null, annotations: [], ...message },
        logprobs: null,
        finish_reason: tool === undefined ? 'stop' : 'tool_calls'
      }
    ],
    usage: chatUsage,
    service_tier: 'default',
    system_fingerprint: 'fp_1'
  }, 200, ['x-request-id', 'req_chat'])
}

function chatStream (asked: Asked): HttpReply {
  const tool = toolOf(asked)
  const deltas: object[] = tool === undefined
    ? (asked.response_format === undefined ? pieces : title.match(/.{1,9}/g) ?? []).map(content => ({ content }))
    : [
        { tool_calls: [{ index: 0, id: 'call_1', type: 'function', function: { name: tool, arguments: '' } }] },
        ...(toolArguments.match(/.{1,6}/g) ?? []).map(part => ({
          tool_calls: [{ index: 0, function: { arguments: part } }]
        }))
      ]
  const choices = [
    { delta: { role: 'assistant', content: tool === undefined ? '' : null, refusal: null }, finish_reason: null },
    ...deltas.map(delta => ({ delta, finish_reason: null })),
    { delta: {}, finish_reason: tool === undefined ? 'stop' : 'tool_calls' }
  ]
  const head = {
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    created: CREATED,
    model: MODEL,
    service_tier: 'default',
    system_fingerprint: 'fp_1'
  }
  const counted = asked.stream_options?.include_usage === true
  const chunks: object[] = choices.map(choice => ({
    ...head, choices: [{ index: 0, logprobs: null, ...choice }], ...(counted ? { usage: null } : {})
  }))
  if (counted) chunks.push({ ...head, choices: [], usage: chatUsage })
  return eventStream([...chunks.map(chunk => `data: ${JSON.stringify(chunk)}\n\n`), 'data: [DONE]\n\n'], 'req_stream')
}

/** As clients decode it: numbers, or base64 of 32-bit floats. */
function embeddings ({ input, encoding_format: format }: Asked): HttpReply {
  const vectors = (Array.isArray(input) ? input : [input]).map((_, index) => [0.5, -0.25, index])
  const encode = (vector: number[]): unknown =>
    format === 'base64' ? Buffer.from(Float32Array.from(vector).buffer).toString('base64') : vector
  return json({
    object: 'list',
    data: vectors.map((vector, index) => ({ object: 'embedding', index, embedding: encode(vector) })),
    model: 'text-embedding-3-small',
    usage: { prompt_tokens: EMBEDDED.input, total_tokens: EMBEDDED.input }
  }, 200, ['x-request-id', 'req_embedding'])
}

function response (asked: Asked): HttpReply {
  const tool = toolOf(asked)
  const text = asked.text?.format?.type === 'json_schema' ? title : pieces.join('')
  const item = tool === undefined
    ? {
        id: 'msg_1',
        type: 'message',
        status: 'completed',
        role: 'assistant',
        content: [{ type: 'output_text', text, annotations: [], logprobs: [] }]
      }
    : {
        id: 'fc_1', type: 'function_call', status: 'completed', call_id: 'call_1', name: tool, arguments: toolArguments
      }
  const object = {
    id: 'resp_1',
    object: 'response',
    created_at: CREATED,
    status: 'completed',
    error: null,
    incomplete_details: null,
    instructions: null,
    model: MODEL,
    output: [item],
    parallel_tool_calls: true,
    reasoning: { effort: null, summary: null },
    service_tier: 'default',
    text: { format: { type: 'text' } },
    tools: [],
    usage: responseUsage,
    metadata: {}
  }
  if (asked.stream !== true) return json(object, 200, ['x-request-id', 'req_response'])
  const started = { ...object, status: 'in_progress', output: [], usage: null }
  const at = { item_id: 'msg_1', output_index: 0, content_index: 0 }
  const events = [
    { type: 'response.created', response: started },
    { type: 'response.in_progress', response: started },
    {
      type: 'response.output_item.added',
      output_index: 0,
      item: { id: 'msg_1', type: 'message', status: 'in_progress', role: 'assistant', content: [] }
    },
    {
      type: 'response.content_part.added', ...at, part: { type: 'output_text', text: '', annotations: [], logprobs: [] }
    },
    ...(text.match(/.{1,9}/g) ?? []).map(delta => ({ type: 'response.output_text.delta', ...at, delta, logprobs: [] })),
    { type: 'response.output_text.done', ...at, text, logprobs: [] },
    { type: 'response.content_part.done', ...at, part: { type: 'output_text', text, annotations: [], logprobs: [] } },
    { type: 'response.output_item.done', output_index: 0, item },
    { type: 'response.completed', response: object }
  ]
  return eventStream(
    events.map((
      event, index
    ) => `event: ${event.type}\ndata: ${JSON.stringify({ ...event, sequence_number: index })}\n\n`),
    'req_events'
  )
}

function eventStream (events: readonly string[], requestId: string): HttpReply {
  return { headers: ['content-type', 'text/event-stream; charset=utf-8', 'x-request-id', requestId], body: events }
}
