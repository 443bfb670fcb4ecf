import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { startUpstream, type HttpReply, type Upstream, type UpstreamRequest } from './upstream.js'

const file = new URL('../../../shared/corpus/openai-exchanges.jsonl', import.meta.url)

/** The header by which a replayed request names its exchange. It goes upstream like any other. */
export const CORPUS_ID = 'x-corpus-id'

/** A recorded exchange with the OpenAI API. */
export interface Exchange {
  readonly id: string
  readonly source: string
  readonly request: {
    readonly method: string, readonly path: string, readonly content_type: string, readonly body: string
  }
  readonly response: {
    readonly status: number, readonly headers: Readonly<Record<string, string>>, readonly body: string
  }
}

/** `usage` as the last chunk of a stream carries it. */
export interface StreamUsage {
  readonly prompt_tokens: number
  readonly completion_tokens: number
  readonly total_tokens: number
  readonly prompt_tokens_details: { readonly cached_tokens: number, readonly audio_tokens: number }
  readonly completion_tokens_details: {
    readonly reasoning_tokens: number
    readonly audio_tokens: number
    readonly accepted_prediction_tokens: number
    readonly rejected_prediction_tokens: number
  }
}

/** What a test that needs the corpus passes as `skip`: the reason, or false. */
export const corpusMissing: string | false = existsSync(file)
  ? false
  : 'the recorded exchanges are not in ../shared/corpus'

/** The recorded exchanges in the order of the file; null where the folder is absent. */
export function loadCorpus (): Exchange[] | null {
  if (corpusMissing !== false) return null
  return readFileSync(file, 'utf8').split('\n').filter(line => line !== '').map(line => JSON.parse(line) as Exchange)
}

export function isStream (exchange: Exchange): boolean {
  return exchange.response.headers['content-type']?.startsWith('text/event-stream') ?? false
}

/** Whether `stream_options.include_usage` is true in a request's body. */
export function asksForUsage (body: string): boolean {
  if (!body.includes('include_usage')) return false
  const parsed = JSON.parse(body) as { stream_options?: { include_usage?: unknown } | null }
  return parsed.stream_options?.include_usage === true
}

/** A recorded stream that gives usage only when asked, and was not asked. */
export function lacksUsage (exchange: Exchange): boolean {
  return isStream(exchange) && exchange.request.path.endsWith('completions') && !asksForUsage(exchange.request.body)
}

/**
 * What OpenAI would have sent for a recorded stream if its caller had set `stream_options.include_usage`: a
 * `"usage":null` member in every chunk, where the recorded streams with usage have it (after `choices`, before
 * `obfuscation`; after `model`, the last member, in the older completions), and a last chunk with no choices before
 * `[DONE]`. Spliced into the text, so that taking both away gives back the recorded bytes.
 */
export function withUsage (exchange: Exchange): { body: string, usage: StreamUsage } {
  if (!lacksUsage(exchange)) throw new Error(`exchange ${exchange.id} is not a stream that lacks usage`)
  const chunks = exchange.response.body.split('\n\n')
  const done = chunks.indexOf('data: [DONE]')
  const last = chunks[done - 1]
  if (last === undefined) throw new Error(`exchange ${exchange.id} does not end with [DONE]`)
  const usage = plausibleUsage(exchange, done)
  const body = [
    ...chunks.slice(0, done).map(chunk => insertUsage(chunk, 'null')),
    insertUsage(withoutChoices(last), JSON.stringify(usage)),
    ...chunks.slice(done)
  ].join('\n\n')
  return { body, usage }
}

/**
 * OpenAI as it was recorded: answers each request with the exchange that its `x-corpus-id` names, and a stream that is
 * asked for usage with usage added. `split` cuts the body into the chunks in which it is sent; a stream goes event by
 * event otherwise.
 */
export async function corpusUpstream (
  t: { teardown: (close: () => Promise<void>) => unknown },
  exchanges: readonly Exchange[],
  split: (body: Buffer, exchange: Exchange) => Buffer[] = eventByEvent
): Promise<Upstream> {
  const byId = new Map(exchanges.map(exchange => [exchange.id, exchange]))
  const upstream = await startUpstream(t)
  upstream.reply(request => {
    const exchange = byId.get(request.headers(CORPUS_ID)[0] ?? '')
    if (exchange === undefined) throw new Error(`no exchange for ${request.method} ${request.url}`)
    return request.received.then(() => recorded(exchange, request, split))
  })
  return upstream
}

function recorded (
  exchange: Exchange, request: UpstreamRequest, split: (body: Buffer, exchange: Exchange) => Buffer[]
): HttpReply {
  const { status, headers } = exchange.response
  const asked = lacksUsage(exchange) && asksForUsage(request.body.toString())
  const body = asked ? withUsage(exchange).body : exchange.response.body
  const reply = { status, headers: Object.entries(headers).flat() }
  return isStream(exchange) ? { ...reply, body: split(Buffer.from(body), exchange) } : { ...reply, body }
}

function eventByEvent (body: Buffer): Buffer[] {
  return body.toString().split(/(?<=\n\n)/).map(event => Buffer.from(event))
}

/** Obfuscation is padding that stays last; text inside a string cannot look like it, for its quotes are escaped. */
function insertUsage (chunk: string, usage: string): string {
  const padding = chunk.lastIndexOf(',"obfuscation":"')
  const at = padding === -1 ? chunk.lastIndexOf('}') : padding
  return `${chunk.slice(0, at)},"usage":${usage}${chunk.slice(at)}`
}

/** The chunk with an empty list for its choices. */
function withoutChoices (chunk: string): string {
  const data = JSON.parse(chunk.slice('data: '.length)) as { choices: unknown }
  const choices = `"choices":${JSON.stringify(data.choices)}`
  if (!chunk.includes(choices)) throw new Error(`choices are not written as expected: ${chunk}`)
  return chunk.replace(choices, () => '"choices":[]')
}

/** Made up, but the same at every run, and with cached and reasoning tokens now and then, so that prices show them. */
function plausibleUsage ({ id, request }: Exchange, chunks: number): StreamUsage {
  const seed = createHash('sha256').update(id).digest()
  const prompt = Math.ceil(request.body.length / 4) + seed.readUInt8(0)
  const cached = seed.readUInt8(1) % 4 === 0 ? Math.floor(prompt / 2) : 0
  const reasoning = seed.readUInt8(2) % 4 === 0 ? seed.readUInt8(3) : 0
  const completion = chunks + reasoning
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: cached, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: reasoning, audio_tokens: 0, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0
    }
  }
}
