import { once } from 'node:events'
import { type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import postgres from 'postgres'
import t, { type Test } from 'tap'
import { Pool } from 'undici'
import { testDatabaseOptions } from '../helpers/database.js'
import { type GatewayProcess, startGatewayProcess } from '../helpers/gateway-process.js'
import { inParallel } from '../helpers/http-call.js'

// Each side holds 4,000 sockets: Node raises its soft limit of open files to the hard one by itself.
const STREAMS = 2000
const KIB = 1024
/** Of each stream, 256 KiB pass. */
const EVENTS = 16
const EVENT_BYTES = 16 * KIB
const PAYLOAD_MAX_BYTES = 4 * KIB
/**
 * What a stream may cost, however much passes: two sockets with their parsers and the call's own state, 60 KiB, and on
 * Node 24, whose young generation is larger, 32 more (204 to 231 in all were seen there); the
 * events that nobody has read yet, 64 KiB in a buffer that grows by doubling, so 128; what is kept of its text; the
 * event under way in both directions. A gateway that kept what passes would need 256 KiB on top of the first.
 */
const STREAM_BYTES = 92 * KIB + 128 * KIB + PAYLOAD_MAX_BYTES + 2 * EVENT_BYTES

const event = (
  i: number
): string => `data: {"model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":"${String(i).padEnd(EVENT_BYTES - 78, 'x')}"}}]}\n\n`
const usage =
  'data: {"model":"gpt-4o-mini","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}}\n\n'
const done = 'data: [DONE]\n\n'
const all = Array.from({ length: EVENTS }, (_, i) => event(i))
const answer = all.join('') + done

/** An upstream whose streams stand still until the test sends on them. */
async function startStreams (t: Test): Promise<{ url: string, open: ServerResponse[] }> {
  const open: ServerResponse[] = []
  const server = createServer((request, response) => {
    void text(request).then(() => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(all[0])
      open.push(response)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, open }
}

async function send (response: ServerResponse, piece: string): Promise<void> {
  if (!response.write(piece)) await once(response, 'drain')
}

/** The most that a process held at any time (Linux). */
async function whileWatched<Result> (
  gateway: GatewayProcess, work: () => Promise<Result>
): Promise<{ result: Result, highestBytes: number }> {
  let highestBytes = 0
  const look = (): void => { highestBytes = Math.max(highestBytes, gateway.residentBytes()) }
  const timer = setInterval(look, 100)
  try {
    const result = await work()
    look()
    return { result, highestBytes }
  } finally {
    clearInterval(timer)
  }
}

t.test('two thousand streams open at once are all finished and recorded, in memory that does not grow with what passes', async t => {
  const upstream = await startStreams(t)
  const location = await testDatabaseOptions(t, 'postgres')
  const gateway = await startGatewayProcess(t, {
    upstreamUrl: upstream.url, location, env: { RECORD_WAIT_MS: '60000', PAYLOAD_MAX_BYTES: String(PAYLOAD_MAX_BYTES) }
  })
  const pool = new Pool(gateway.origin, { connections: STREAMS, pipelining: 1 })
  t.teardown(() => pool.destroy())
  const beforeBytes = gateway.residentBytes()
  let begun = 0
  const calls: Promise<string>[] = []
  const { highestBytes } = await whileWatched(gateway, async () => {
    // A hundred at a time come in, so that no queue of connections overflows; none of them ends before all are there.
    await inParallel(100, Array.from({ length: STREAMS }, (_, number) => number), async number => {
      const { statusCode, body } = await pool.request({
        method: 'POST',
        path: '/v1/chat/completions',
        headers: {
          'content-type': 'application/json', 'x-prompt-type': `type-${number % 5}`, 'x-prompt-user': String(number)
        },
        body: '{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"hi"}]}'
      })
      if (statusCode === 200) begun++
      calls.push(body.text())
    })
    t.equal(begun, STREAMS, 'all have begun')
    t.equal(upstream.open.length, STREAMS, 'and none has ended')
    for (const piece of all.slice(1)) {
      await inParallel(100, upstream.open, async response => await send(response, piece))
      await sleep(1) // The callers, in this same process, read.
    }
  })
  const perStream = (highestBytes - beforeBytes) / STREAMS
  t.comment(`${mebibytes(beforeBytes)} at rest, at most ${mebibytes(highestBytes)} with ${STREAMS} streams`)
  t.ok(perStream < STREAM_BYTES, `${Math.round(perStream / KIB)} KiB a stream, of ${EVENTS * EVENT_BYTES / KIB} that passed`)
  for (const response of upstream.open) response.end(usage + done)
  const answers = await Promise.all(calls)
  t.equal(answers.filter(got => got === answer).length, STREAMS, 'all are whole')
  await checkBooks(t, location.databaseUrl ?? '')
  t.same(gateway.log.filter(line => Number(line['level']) >= 40), [])
})

const mebibytes = (bytes: number): string => `${(bytes / KIB / KIB).toFixed()} MiB`

async function checkBooks (t: Test, databaseUrl: string): Promise<void> {
  const sql = postgres(databaseUrl, { max: 1 })
  t.teardown(() => sql.end())
  const [log] = await sql`
    select count(*)::int as rows, count(distinct user_name)::int as callers, bool_and(success and stream and status_code = 200) as good,
      sum(input_tokens)::int as input, sum(output_tokens)::int as output, sum(response_bytes)::int as bytes from usage_logs`
  t.same(log, {
    rows: STREAMS,
    callers: STREAMS,
    good: true,
    input: 11 * STREAMS,
    output: 7 * STREAMS,
    bytes: answer.length * STREAMS
  })
  const [stats] =
    await sql`select sum(total_calls)::int as calls, sum(failed_calls)::int as failed, sum(total_output_tokens)::int as output from prompt_stats`
  t.same(stats, { calls: STREAMS, failed: 0, output: 7 * STREAMS })
}
