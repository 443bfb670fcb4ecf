import { Agent } from 'node:http'
import t, { type Test } from 'tap'
import { type LogRow, type Totals, addTo, promptTotals, rollupTotals, usageLogs } from '../helpers/books.js'
import {
  type Exchange, CORPUS_ID, asksForUsage, corpusMissing, corpusUpstream, isStream, lacksUsage, loadCorpus, withUsage
} from '../helpers/corpus.js'
import { type Tokens, expectedCost, expectedEntry } from '../helpers/corpus-books.js'
import { type DatabaseKind, databaseKinds } from '../helpers/database.js'
import { type TestGateway, startGateway } from '../helpers/gateway.js'
import { type Answer, call, inParallel } from '../helpers/http-call.js'
import { pricesMissing, usdText } from '../helpers/independent-cost.js'
import type { UpstreamRequest } from '../helpers/upstream.js'

type Mode = 'inject' | 'estimate'

const exchanges = loadCorpus() ?? []
const skip = corpusMissing || pricesMissing
const promptTypes = ['analyze_image_layout', 'extract_page_metadata', 'select_best_tags', null]
const users = ['Ada Žižka', null]

// A busy machine must not let an answer out before its record: every one is read back when the last answer is in.
const recordWait = { RECORD_WAIT_MS: '60000' }

for (const [mode, kinds] of [['inject', databaseKinds], ['estimate', ['postgres']]] as Array<[Mode, DatabaseKind[]]>) {
  for (const kind of kinds) {
    t.test(`the recorded exchanges come through unchanged and are in the books to the last digit (${mode}, ${kind})`, {
      skip
    }, async t => {
      const upstream = await corpusUpstream(t, exchanges)
      const gateway = await startGateway(t, {
        upstreamUrl: upstream.url, kind, env: { STREAM_USAGE: mode, ...recordWait }
      })
      const answers = await replay(t, gateway.origin)
      const seen = new Map(upstream.requests.map(request => [request.headers(CORPUS_ID)[0] ?? '', request]))
      t.equal(upstream.requests.length, exchanges.length, 'each went upstream once')
      const rows = new Map((await usageLogs(gateway)).map(row => [exchangeOf(row), row]))
      t.equal(rows.size, exchanges.length)

      const types = new Map<string, Totals>()
      const rollups = new Map<string, Totals>()
      for (const [index, exchange] of exchanges.entries()) {
        checkAnswer(t, exchange, answers.get(exchange.id))
        checkRequest(t, exchange, seen.get(exchange.id), mode)
        const row = rows.get(exchange.id) ?? {}
        const sums = checkRow(t, exchange, index, row, mode)
        if (sums === null) continue
        addTo(types, row['prompt_type'] ?? '', { ...sums, cached: 0n, reasoning: 0n })
        addTo(
          rollups,
          [row['prompt_type'], row['response_model'] ?? row['request_model'], row['user_name'] ?? ''].join('|'),
          sums
        )
      }
      t.strictSame(await promptTotals(gateway), sorted(types), 'the statistics are the sums')
      t.strictSame(sorted(await rollupTotals(gateway)), sorted(rollups), 'the rollups are the sums')
      await checkConfigs(t, gateway, types)
    })
  }
}

async function replay (t: Test, origin: string): Promise<Map<string, Answer>> {
  const agent = new Agent({ keepAlive: true })
  t.teardown(() => agent.destroy())
  const answers = new Map<string, Answer>()
  await inParallel(8, exchanges, async ({ id, request }, index) => {
    const promptType = promptTypes[index % promptTypes.length] ?? null
    const user = users[index % users.length] ?? null
    answers.set(id, await call(origin + request.path, {
      method: request.method,
      body: request.body,
      headers: {
        [CORPUS_ID]: id,
        'X-Prompt-Metadata': JSON.stringify({ exchange: id }),
        ...(request.content_type === '' ? {} : { 'content-type': request.content_type }),
        ...(promptType === null ? {} : { 'X-Prompt-Type': promptType }),
        ...(user === null ? {} : { 'X-Prompt-User': encodeURIComponent(user) })
      },
      agent
    }))
  })
  return answers
}

const exchangeOf = (row: LogRow): string => (JSON.parse(row['metadata'] ?? '{}') as { exchange: string }).exchange

const pairs = (flat: readonly string[]): string[] =>
  flat.flatMap((name, i) => i % 2 === 0 ? [`${name}: ${flat[i + 1] ?? ''}`] : [])

/** Status, headers and bytes; the framing is what this connection needs, and no header else is added. */
function checkAnswer (t: Test, exchange: Exchange, answer: Answer | undefined): void {
  const { status, headers, body } = exchange.response
  const framing = isStream(exchange) ? 'Transfer-Encoding: chunked' : `content-length: ${Buffer.byteLength(body)}`
  const own = /^(connection|keep-alive): /i
  t.equal(answer?.status, status)
  t.same(
    pairs(answer?.rawHeaders ?? []).filter(header => !own.test(header)),
    [...pairs(Object.entries(headers).flat()), framing],
    exchange.id
  )
  t.ok(answer?.body.equals(Buffer.from(body)), `bytes of ${exchange.id}`)
}

/** A stream was wanted, whatever came, on a route where usage can be asked for, and was not. */
function mayBeAsked ({ request }: Exchange): boolean {
  return request.path.endsWith('completions') && request.body.includes('"stream"') && !asksForUsage(request.body) &&
    (JSON.parse(request.body) as { stream?: boolean }).stream === true
}

/**
 * The request's bytes, asking for usage where its caller did not and the gateway may; nothing meant for the gateway.
 */
function checkRequest (t: Test, exchange: Exchange, seen: UpstreamRequest | undefined, mode: Mode): void {
  const sent = seen?.body.toString() ?? ''
  const asks = mode === 'inject' && mayBeAsked(exchange)
  t.equal(asks ? sent.replace('"stream_options":{"include_usage":true},', '') : sent, exchange.request.body)
  t.equal(sent !== '' && asksForUsage(sent), asks || asksForUsage(exchange.request.body))
  t.equal(`${seen?.method ?? ''} ${seen?.url ?? ''}`, `${exchange.request.method} ${exchange.request.path}`)
  t.same(seen?.rawHeaders.filter(name => /^x-prompt-/i.test(name)), [])
}

/** @returns what the call adds to the sums; null for what is no call */
function checkRow (t: Test, exchange: Exchange, index: number, row: LogRow, mode: Mode): Partial<Totals> | null {
  const answered = mode === 'inject' && lacksUsage(exchange) ? withUsage(exchange).body : exchange.response.body
  const entry = expectedEntry(exchange, answered)
  const estimated = entry.metered && entry.success && entry.tokens === null
  const tokens = estimated ? tokensIn(row) : entry.tokens
  const cost = expectedCost(entry, tokens)
  t.equal(estimated, mode === 'estimate' && lacksUsage(exchange), 'upstream\'s own count wherever there is one')
  if (tokens !== null) {
    t.ok(cost !== null && cost > 0n, `${exchange.id} has a price`)
    if (estimated) {
      t.ok(
        tokens.input > 0 && tokens.cached === 0 && tokens.reasoning === 0,
        'an estimate knows of neither cache nor reasoning'
      )
    }
  }
  t.match(row, {
    prompt_type: promptTypes[index % promptTypes.length] ?? 'untyped',
    user_name: users[index % users.length] ?? entry.user,
    provider: 'openai',
    endpoint: entry.endpoint,
    request_model: entry.requestModel,
    response_model: entry.metered ? entry.responseModel : row['response_model'],
    service_tier: entry.metered ? entry.serviceTier : row['service_tier'],
    stream: String(entry.stream),
    status_code: String(exchange.response.status),
    success: String(entry.success),
    error_message: entry.errorMessage,
    input_tokens: textOf(tokens?.input),
    cached_input_tokens: textOf(tokens?.cached),
    output_tokens: textOf(tokens?.output),
    reasoning_tokens: textOf(tokens?.reasoning),
    usage_source: estimated ? 'estimated' : tokens === null ? 'none' : 'upstream',
    cost: cost === null ? null : usdText(cost),
    cost_reason: cost !== null ? null : entry.metered ? 'no_usage' : 'not_metered',
    upstream_request_id: entry.requestId,
    request_bytes: String(Buffer.byteLength(exchange.request.body)),
    response_bytes: String(Buffer.byteLength(exchange.response.body))
  }, exchange.id)
  if (!entry.isCall) return null
  return {
    calls: 1n,
    failed: entry.success ? 0n : 1n,
    input: BigInt(tokens?.input ?? 0),
    cached: BigInt(tokens?.cached ?? 0),
    output: BigInt(tokens?.output ?? 0),
    reasoning: BigInt(tokens?.reasoning ?? 0),
    cost: cost ?? 0n
  }
}

const textOf = (count: number | undefined): string | null => count === undefined ? null : String(count)

const tokensIn = (row: LogRow): Tokens => ({
  input: Number(row['input_tokens']),
  cached: Number(row['cached_input_tokens']),
  output: Number(row['output_tokens']),
  reasoning: Number(row['reasoning_tokens'])
})

async function checkConfigs (t: Test, gateway: TestGateway, types: ReadonlyMap<string, Totals>): Promise<void> {
  const { body } = await gateway.admin('GET', '/prompt-configs')
  const { items } = body as { items: Array<{ prompt_type: string, total_calls: number, total_cost: number }> }
  t.same(items.map(item => [item.prompt_type, item.total_calls, item.total_cost]).sort(),
    [...types].map(([type, sums]) => [type, Number(sums.calls), Number(usdText(sums.cost))])
      .sort(), 'operators see the same')
}

const sorted = <Value>(map: ReadonlyMap<string, Value>): Map<string, Value> =>
  new Map([...map].sort(([a], [b]) => a < b ? -1 : 1))
