/**
 * What the benchmark sends, and what the scripted upstream answers. All bodies have the shape of OpenAI's chat
 * completions.
 */
export type ExchangeName = 'plain-4k' | 'plain-100k' | 'stream' | 'stream-paced' | 'stream-held' | 'vision-10m'

export const SMALL_BYTES = 4 * 1024
export const LARGE_BYTES = 100 * 1024
export const VISION_BYTES = 10 * 1024 * 1024
/** Events of a stream that carry a choice; `[DONE]` comes after them, and the usage in between if it was asked for. */
export const STREAM_CHUNKS = 200
/** Pause between two events of a paced stream: 200 tokens a second, as a fast model sends them. */
export const PACED_CHUNK_MS = 5
/** The same for streams that are only held open. */
export const HELD_CHUNK_MS = 100

/** Of every response: what the books must add up to. */
export const USAGE = {
  prompt_tokens: 1000,
  completion_tokens: 200,
  total_tokens: 1200,
  prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
  completion_tokens_details: {
    reasoning_tokens: 0, audio_tokens: 0, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0
  }
}

const MODEL = 'gpt-4o-mini'
const SERVED_MODEL = 'gpt-4o-mini-2024-07-18'
const PROSE =
  'The importer reads the page, keeps its title and its author, and asks for "three tags" at most.\nIt was café culture — né en 1871.\n'

/** The request body of an exchange: exactly as long as its name says, the 4 kB of a stream's too. */
export function requestBody (name: ExchangeName): Buffer {
  switch (name) {
    case 'plain-4k': return Buffer.from(chatRequest(SMALL_BYTES, {}))
    case 'plain-100k': return Buffer.from(chatRequest(LARGE_BYTES, {}))
    case 'stream': return Buffer.from(chatRequest(SMALL_BYTES, { stream: true }))
    // A script has no use for a seed, so it carries the pause between two events.
    case 'stream-paced': return Buffer.from(chatRequest(SMALL_BYTES, { stream: true, seed: PACED_CHUNK_MS }))
    case 'stream-held': return Buffer.from(chatRequest(SMALL_BYTES, { stream: true, seed: HELD_CHUNK_MS }))
    case 'vision-10m': return visionRequest()
  }
}

function chatRequest (sizeBytes: number, options: object): string {
  const turn = { role: 'user', content: PROSE.repeat(3) }
  const request = { model: MODEL, temperature: 0.2, ...options, messages: [{ role: 'system', content: '' }] }
  while (Buffer.byteLength(JSON.stringify(request)) + Buffer.byteLength(JSON.stringify(turn)) +
    1 <= sizeBytes) request.messages.push(turn)
  const missing = sizeBytes - Buffer.byteLength(JSON.stringify(request))
  request.messages[0] = { role: 'system', content: 'x'.repeat(missing) }
  return JSON.stringify(request)
}

function visionRequest (): Buffer {
  const [before = '', after = ''] = JSON.stringify({
    model: MODEL,
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'What is this?' },
          { type: 'image_url', image_url: { url: 'data:image/png;base64,<image>' } }
        ]
      }
    ]
  }).split('<image>')
  const image = Buffer.alloc(Math.floor((VISION_BYTES - before.length - after.length) / 4) * 3)
  for (let i = 0; i < image.length; i++) image[i] = (i * 2654435761) >>> 24
  return Buffer.from(before + image.toString('base64') + after)
}

/** The body of a plain response, exactly so long. */
export function responseBody (sizeBytes: number): Buffer {
  const bodyWith = (content: string): string => JSON.stringify({
    id: 'chatcmpl-CfLxvJ9nqzPqkVJbAhr5BVyrMAt3Q',
    object: 'chat.completion',
    created: 1764499724,
    model: SERVED_MODEL,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content, refusal: null, annotations: [] },
        logprobs: null,
        finish_reason: 'stop'
      }
    ],
    usage: USAGE,
    service_tier: 'default',
    system_fingerprint: 'fp_50906f2aac'
  })
  let content = ''
  while (Buffer.byteLength(bodyWith(content + PROSE)) <= sizeBytes) content += PROSE
  content += 'x'.repeat(sizeBytes - Buffer.byteLength(bodyWith(content)))
  return Buffer.from(bodyWith(content))
}

/**
 * The events of a streamed response. Asked for usage, OpenAI sends `"usage":null` in every chunk and an extra chunk at
 * the end (https://platform.openai.com/docs/api-reference/chat/create#chat-create-stream_options).
 */
export function streamEvents (withUsage: boolean): string[] {
  const chunk = (choices: object[], usage: object | null): string => `data: ${JSON.stringify({
    id: 'chatcmpl-CfLxvJ9nqzPqkVJbAhr5BVyrMAt3Q',
    object: 'chat.completion.chunk',
    created: 1764499724,
    model: SERVED_MODEL,
    service_tier: 'default',
    system_fingerprint: 'fp_50906f2aac',
    choices,
    ...(withUsage ? { usage } : {}),
    obfuscation: 'rlrDvkoSF'
  })}\n\n`
  const choice = (i: number): object => {
    const delta = i === 0
      ? { role: 'assistant', content: '', refusal: null }
      : i === STREAM_CHUNKS - 1 ? {} : { content: ` token${i}` }
    return { index: 0, delta, logprobs: null, finish_reason: i === STREAM_CHUNKS - 1 ? 'stop' : null }
  }
  const events = Array.from({ length: STREAM_CHUNKS }, (_, i) => chunk([choice(i)], null))
  return [...events, ...(withUsage ? [chunk([], USAGE)] : []), 'data: [DONE]\n\n']
}

/** End-to-end headers as OpenAI sends them. */
export const RESPONSE_HEADERS: ReadonlyArray<readonly [string, string]> = [
  ['date', 'Sun, 30 Nov 2025 10:48:44 GMT'],
  ['access-control-expose-headers', 'X-Request-ID'],
  ['openai-organization', 'example-org'],
  ['openai-processing-ms', '245'],
  ['openai-project', 'proj_Nf5kP4q0sT1uV2wX3yZ4'],
  ['openai-version', '2020-10-01'],
  ['x-envoy-upstream-service-time', '260'],
  ['x-ratelimit-limit-requests', '10000'],
  ['x-ratelimit-limit-tokens', '10000000'],
  ['x-ratelimit-remaining-requests', '9999'],
  ['x-ratelimit-remaining-tokens', '9998990'],
  ['x-ratelimit-reset-requests', '6ms'],
  ['x-ratelimit-reset-tokens', '6ms'],
  ['x-request-id', 'req_da3670b17a8c4c40a8f05367a9b62e2e'],
  ['strict-transport-security', 'max-age=31536000; includeSubDomains; preload'],
  ['server', 'cloudflare'],
  ['cf-ray', '9a6a0b1c2d3e4f50-FRA']
]
