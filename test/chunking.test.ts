import { Agent } from 'node:http'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { type LogRow, usageLogs } from './helpers/books.js'
import { loadCorpus, lacksUsage, withUsage } from './helpers/corpus.js'
import { startGateway } from './helpers/gateway.js'
import { call } from './helpers/http-call.js'
import { type HttpReply, startUpstream } from './helpers/upstream.js'

/** A stream as upstream sends it, and as the caller must get it. */
interface Sample {
  readonly name: string
  readonly path: string
  readonly request: object
  readonly sent: Buffer
  readonly expected: Buffer
  /** What the row must say; absent where upstream says nothing, and the row's tokens are estimated. */
  readonly tokens?: readonly [input: string, output: string]
}

const RUNS = 25

const chunk = (content: string, usage = ''): string =>
  `{"id":"chatcmpl-1","model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"delta":{"content":${JSON.stringify(content)}}}]${usage}}`
const usage =
  '"usage":{"prompt_tokens":1234,"completion_tokens":56,"total_tokens":1290,"prompt_tokens_details":{"cached_tokens":1024}}'
const last = `{"id":"chatcmpl-1","model":"gpt-4o-mini-2024-07-18","choices":[],${usage}}`
// Characters of two, three and four bytes, and words that look like what the gateway looks for.
const contents = ['Žluťoučký', ' 雪が降る', ' 🐈‍⬛ data: [DONE]\n\n', ' ","usage":null}', '\r\n']

const sse = (lines: readonly string[], newline: string): Buffer =>
  Buffer.from([...lines.map(line => `data: ${line}`), 'data: [DONE]'].map(line => line + newline + newline).join(''))

const plainRequest = { model: 'gpt-4o-mini', stream: true, messages: [{ role: 'user', content: 'Sněží?' }] }
const askingRequest = { ...plainRequest, stream_options: { include_usage: true } }

const withNulls = contents.map(content => chunk(content, ',"usage":null'))
const without = contents.map(content => chunk(content))
const tokens = ['1234', '56'] as const

const stripped: Sample[] = ['\n', '\r\n', '\r'].map(newline => ({
  name: `usage that the gateway asked for, lines ending in ${JSON.stringify(newline)}`,
  path: '/v1/chat/completions',
  request: plainRequest,
  sent: sse([...withNulls, last], newline),
  expected: sse(without, newline),
  tokens
}))

const watched: Sample[] = ['\n', '\r\n', '\r'].map(newline => ({
  name: `usage that the caller asked for, lines ending in ${JSON.stringify(newline)}`,
  path: '/v1/chat/completions',
  request: askingRequest,
  sent: sse([...withNulls, last], newline),
  expected: sse([...withNulls, last], newline),
  tokens
}))

const response = { id: 'resp_1', model: 'gpt-4o-mini-2024-07-18' }
const responsesBody = Buffer.from([
  { type: 'response.created', response: { ...response, status: 'in_progress', usage: null } },
  ...contents.map(delta => ({
    type: 'response.output_text.delta', item_id: 'msg_1', output_index: 0, content_index: 0, delta
  })),
  {
    type: 'response.completed',
    response: { ...response, status: 'completed', usage: { input_tokens: 77, output_tokens: 8, total_tokens: 85 } }
  }
].map(event => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join(''))
const responses: Sample = {
  name: 'a stream of the Responses API',
  path: '/v1/responses',
  request: { model: 'gpt-4o-mini', stream: true, input: 'Sněží?' },
  sent: responsesBody,
  expected: responsesBody,
  tokens: ['77', '8']
}

const [cut, uncounted] = [
  { name: 'a stream that stops in mid-event', sent: Buffer.from(`data: ${chunk('Ne')}\n\ndata: ${chunk('ví')}`) },
  { name: 'a stream that gives no usage', sent: sse(without, '\n') }
].map(
  ({ name, sent }): Sample => ({ name, path: '/v1/chat/completions', request: plainRequest, sent, expected: sent })
) as [Sample, Sample]

/** The shortest recorded streams of both kinds that lack usage. */
const recorded: Sample[] = ['/v1/chat/completions', '/v1/completions'].flatMap(path => {
  const [shortest] = (loadCorpus() ?? []).filter(exchange => lacksUsage(exchange) && exchange.request.path === path)
    .sort((a, b) => a.response.body.length - b.response.body.length)
  if (shortest === undefined) return []
  const { body, usage } = withUsage(shortest)
  return [{
    name: `a recorded stream of ${path}`,
    path,
    request: JSON.parse(shortest.request.body) as object,
    sent: Buffer.from(body),
    expected: Buffer.from(shortest.response.body),
    tokens: [String(usage.prompt_tokens), String(usage.completion_tokens)]
  }]
})

t.test('however upstream cuts a stream, the caller gets the same bytes and the books the same usage (inject)', async t => {
  await checkSplits(t, 'inject', [...stripped, ...watched, responses, cut, ...recorded])
})

t.test('however upstream cuts a stream, the caller gets the same bytes and the books the same usage (estimate)', async t => {
  await checkSplits(t, 'estimate', [...watched, responses, cut, uncounted])
})

t.test('however upstream cuts and compresses a stream, its text is the same, and so is its usage', async t => {
  await checkSplits(t, 'inject', stripped.slice(0, 2).concat(watched.slice(0, 2)), 'gzip')
})

async function checkSplits (t: Test, mode: string, samples: readonly Sample[], encoding?: 'gzip'): Promise<void> {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, {
    upstreamUrl: upstream.url, env: { STREAM_USAGE: mode, RECORD_WAIT_MS: '60000' }
  })
  const agent = new Agent({ keepAlive: true })
  t.teardown(() => agent.destroy())

  for (const sample of samples) {
    let runs = 0
    /** The answer to the stream in these pieces. Each is an HTTP chunk of its own, so that none grows on its way. */
    const pass = async (pieces: readonly Uint8Array[]): Promise<Buffer> => {
      upstream.reply(reply(pieces, encoding))
      runs++
      const headers = {
        'content-type': 'application/json',
        'accept-encoding': encoding ?? 'identity',
        'X-Prompt-User': encodeURIComponent(sample.name),
        'X-Prompt-Store-Full-Data': 'true'
      }
      const { body } = await call(gateway.origin + sample.path, {
        body: JSON.stringify(sample.request), headers, agent
      })
      return encoding === undefined ? body : gunzipSync(body)
    }
    const same = async (pieces: readonly Uint8Array[]): Promise<boolean> => (await pass(pieces)).equals(sample.expected)

    t.ok(await same([sample.sent]), `${sample.name}: whole`)
    t.ok(await same([...sample.sent].map(byte => Buffer.of(byte))), `${sample.name}: byte by byte`)
    const cuts = fc.uniqueArray(fc.nat(sample.sent.length), { maxLength: 30 }).map(cuts => cuts.sort((a, b) => a - b))
    await fc.assert(fc.asyncProperty(cuts, async cuts => await same(split(sample.sent, cuts))), { numRuns: RUNS })

    const rows = (await usageLogs(gateway)).filter(row => row['user_name'] === sample.name)
    t.equal(rows.length, runs)
    t.strictSame([...new Set(rows.map(usageOf))], [
      sample.tokens === undefined ? 'estimated' : `upstream ${sample.tokens.join()}`
    ], `${sample.name}: one usage`)
    // This is also the text that an estimate counts. (The counts differ while the tokenizer is being loaded.)
    t.equal(new Set(rows.map(row => row['response'])).size, 1, `${sample.name}: one stored response`)
    t.not(rows[0]?.['response'] ?? null, null)
  }
}

function usageOf (row: LogRow): string {
  const source = row['usage_source'] ?? ''
  return source === 'estimated' ? source : `${source} ${row['input_tokens'] ?? ''},${row['output_tokens'] ?? ''}`
}

function reply (pieces: readonly Uint8Array[], encoding: 'gzip' | undefined): HttpReply {
  return {
    headers: ['content-type', 'text/event-stream; charset=utf-8'],
    body: pieces,
    ...(encoding === undefined ? {} : { encoding })
  }
}

function split (bytes: Buffer, cuts: readonly number[]): Buffer[] {
  return [0, ...cuts].map((from, i) => bytes.subarray(from, cuts[i] ?? bytes.length)).filter(piece => piece.length > 0)
}
