import type { Test } from 'tap'
import { type LogRow, usageLogs } from '../helpers/books.js'
import { EMBEDDED, USED, fakeOpenAI } from '../helpers/fake-openai.js'
import { gate } from '../helpers/gate.js'
import { type TestGateway, startGateway } from '../helpers/gateway.js'
import { until } from '../helpers/until.js'
import { type Step, type Upstream, type UpstreamRequest, startUpstream } from '../helpers/upstream.js'

/** What a client's call is made of besides what it says. */
export interface Where {
  readonly baseURL: string
  readonly promptType: string
}

export interface ClientBench {
  readonly gateway: TestGateway
  readonly upstream: Upstream
  /**
   * Makes the call twice, straight to the upstream and through the gateway, holds that the client sees no difference,
   * and that its row in the books has the given fields. Answers with what the client got.
   */
  readonly same: <Result>(t: Test, promptType: string, call: (where: Where) => Promise<Result>, row?: LogRow) => Promise<Result>
  /** Has the call begin a stream that does not end, and holds that its abort reaches the upstream and the books. */
  readonly aborted: (t: Test, promptType: string, call: (where: Where) => Promise<unknown>) => Promise<void>
}

export const CHAT: LogRow = {
  endpoint: 'chat/completions', ...usedText(USED), usage_source: 'upstream', status_code: '200', success: 'true'
}
export const RESPONSES: LogRow = { ...CHAT, endpoint: 'responses' }
export const EMBEDDINGS: LogRow = {
  ...CHAT,
  endpoint: 'embeddings',
  ...usedText({ ...EMBEDDED, cached: 0, output: 0, reasoning: 0 }),
  cost: '0.000000180000'
}

/** gpt-4o-mini: 0.15, cached 0.075, and 0.60 USD per million tokens. */
function usedText ({ input, cached, output, reasoning }: typeof USED): LogRow {
  return {
    input_tokens: String(input),
    cached_input_tokens: String(cached),
    output_tokens: String(output),
    reasoning_tokens: String(reasoning),
    cost: '0.000139200000'
  }
}

/** A gateway in front of an upstream that answers as OpenAI would. */
export async function startClientBench (t: Test): Promise<ClientBench> {
  const upstream = await startUpstream(t)
  upstream.reply(fakeOpenAI)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env: { RECORD_WAIT_MS: '60000' } })
  const throughGateway = (promptType: string): Where => ({ baseURL: `${gateway.origin}/v1`, promptType })
  const rowsOf = async (promptType: string): Promise<LogRow[]> =>
    (await usageLogs(gateway)).filter(row => row['prompt_type'] === promptType)

  return {
    gateway,
    upstream,
    async same (t, promptType, call, row = CHAT) {
      const direct = await call({ baseURL: upstream.url, promptType })
      const sent = upstream.requests.at(-1)
      const result = await call(throughGateway(promptType))
      t.strictSame(result, direct, 'the client sees no difference')
      t.strictSame(requestOf(upstream.requests.at(-1)), requestOf(sent), 'nor does the upstream')
      const rows = await rowsOf(promptType)
      t.equal(rows.length, 1, 'one row, as soon as the client has its answer')
      t.match(rows[0], row)
      return result
    },
    async aborted (t, promptType, call) {
      const seen = upstream.requests.length
      const never = gate()
      upstream.reply(async request => {
        const reply = await fakeOpenAI(request)
        const events = [...reply.body as Iterable<Step>]
        return { ...reply, body: [...events.slice(0, -3), never.passed] }
      })
      await t.rejects(call(throughGateway(promptType)), 'the client says that it was aborted')
      t.equal(await (await upstream.nth(seen)).closed, 'aborted', 'the upstream sees it')
      upstream.reply(fakeOpenAI)
      // Nobody is left to wait for this record: it comes when it comes.
      const rows = await until(async () => {
        const rows = await rowsOf(promptType)
        return rows.length > 0 && rows
      })
      t.match(rows, [
        { status_code: '200', success: 'false', error_type: 'caller_gone', usage_source: 'estimated', stream: 'true' }
      ])
      t.equal(rows.length, 1)
      t.equal(upstream.requests.length, seen + 1, 'it went upstream once')
    }
  }
}

/** A request less what differs from call to call, and what the gateway may ask for itself. */
function requestOf (request: UpstreamRequest | undefined): object {
  const own = /^(host|connection|content-length|x-prompt-.*|traceparent)$/i
  const headers = request?.rawHeaders.flatMap((name, i) =>
    i % 2 === 0 && !own.test(name) ? [`${name}: ${request.rawHeaders[i + 1] ?? ''}`] : [])
  const asks = '"stream_options":{"include_usage":true},'
  return { url: request?.url, headers, body: request?.body.toString().replace(`{${asks}`, '{') }
}
