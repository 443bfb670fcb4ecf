import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { RawCaller, ask, flat, logRows, requestText } from '../proxy/raw-caller.js'
import { startGateway } from '../helpers/gateway.js'

const chat = 'POST /v1/chat/completions'
const plain = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}'
const streamed = plain.replace('{', '{"stream":true,"stream_options":{"include_usage":true},')
const usage = '{"model":"gpt-4o-mini","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}'
const KIB = 1024

/** Lines that add up to so many bytes on the wire, line ends included. */
function headerLines (totalBytes: number, lines: number): string[] {
  return Array.from({ length: lines }, (_, i) => {
    const sizeBytes = Math.floor(totalBytes * (i + 1) / lines) - Math.floor(totalBytes * i / lines)
    return `x-large-${i}: `.padEnd(sizeBytes - 2, 'abcdefghij')
  })
}

/**
 * An upstream that answers with the `x-large` headers it was sent, however many; Node's server would drop those past a
 * thousand.
 */
async function startEcho (t: Test): Promise<{ url: string, seen: Array<{ rawHeaders: string[], body: string }> }> {
  const seen: Array<{ rawHeaders: string[], body: string }> = []
  const server = createServer({ maxHeaderSize: 256 * KIB }, (request, response) => {
    void text(request).then(body => {
      const { rawHeaders } = request
      seen.push({ rawHeaders, body })
      const isStream = body.includes('"stream":true')
      const echoed = rawHeaders.flatMap((name, i) =>
        i % 2 === 0 && name.startsWith('x-large') ? [name, rawHeaders[i + 1] ?? ''] : [])
      response.sendDate = false
      response.writeHead(200, [...echoed, 'content-type', isStream ? 'text/event-stream' : 'application/json'])
      response.end(isStream ? `data: ${usage}\n\ndata: [DONE]\n\n` : usage)
    })
  })
  server.maxHeadersCount = 0
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, seen }
}

for (const count of [1, 10, 4000]) {
  t.test(`request and response headers of 100 KiB in ${count} lines pass as they are`, async t => {
    const upstream = await startEcho(t)
    const gateway = await startGateway(t, { upstreamUrl: upstream.url })
    const lines = headerLines(100 * KIB, count)
    for (const [i, body] of [plain, streamed].entries()) {
      // What matters to the gateway comes behind the bulk.
      const answer = await ask(
        t, gateway, chat, [...lines, 'x-prompt-type: large', 'authorization: Bearer sk-behind'], body
      )
      t.same([answer.status, answer.complete], [200, true])
      // Compared whole, but not printed: a difference would fill the screen.
      t.ok(
        upstream.seen[i]?.rawHeaders.join('\n').includes(flat(lines).join('\n')),
        'all of them come upstream, in their order'
      )
      t.ok(answer.headers.join('\n').includes(lines.join('\n')), 'and back')
      t.ok(
        upstream.seen[i]?.rawHeaders.join('\n')
          .endsWith(`authorization\nBearer sk-behind\ncontent-length\n${body.length}`)
      )
      t.equal(upstream.seen[i]?.body, body)
      t.match((await logRows(gateway)).at(-1), {
        prompt_type: 'large', success: true, input_tokens: '1', request_bytes: String(body.length)
      })
    }
    t.equal((await logRows(gateway)).length, 2)
  })
}

t.test('request headers past every limit get 431, which their caller can read, and other calls go on', async t => {
  const upstream = await startEcho(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  const answer = await new RawCaller(t, gateway.origin).send(requestText(chat, headerLines(200 * KIB, 20), plain))
    .answer()
  t.equal(answer.status, 431)
  t.match(JSON.parse(answer.body), { error: { type: 'invalid_request_error', param: null, message: /header/i } })
  t.equal(upstream.seen.length, 0)
  t.equal((await ask(t, gateway, chat, [], plain)).status, 200)
})
