import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { finished } from 'node:stream/promises'
import postgres from 'postgres'
import t, { type Test } from 'tap'
import { testDatabaseOptions } from '../helpers/database.js'
import { startGatewayProcess } from '../helpers/gateway-process.js'
import { call, inParallel } from '../helpers/http-call.js'
import { until } from '../helpers/until.js'
import { type HttpReply, type Step, type UpstreamRequest, json, stalled, startUpstream } from '../helpers/upstream.js'

const SLOW = 20
const OTHERS = 400
const MIB = 1024 * 1024
/** More than the sockets' buffers on the way can hold: who sends this much was not held up. */
const FLOOD_BYTES = 64 * MIB
const READ_EVERY_MS = 50

const event =
  Buffer.from(`data: {"model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":"${'x'.repeat(64 * 1024)}"}}]}\n\n`)
const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 }
const streamed = '{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"hi"}]}'

t.test('callers that read a byte now and then hold up their own upstream and nobody else, in bounded memory', async t => {
  const upstream = await startUpstream(t)
  const flooding = new AbortController()
  function * flood (): Generator<Step> {
    for (let sent = 0; !flooding.signal.aborted && sent < FLOOD_BYTES; sent += event.length) yield event
  }
  const isSlow = (request: UpstreamRequest): boolean => request.headers('x-slow').length > 0
  upstream.reply((request): HttpReply => {
    if (!isSlow(request)) return json({ model: 'gpt-4o-mini', usage })
    return { headers: ['content-type', request.headers('x-slow')[0] ?? ''], body: flood() }
  })
  const location = await testDatabaseOptions(t, 'postgres')
  const gateway = await startGatewayProcess(t, {
    upstreamUrl: upstream.url, location, env: { RECORD_WAIT_MS: '60000' }
  })
  const before = gateway.residentBytes()

  const slow = await Promise.all(Array.from({ length: SLOW }, async (_, i) =>
    await readSlowly(gateway.origin, i % 2 === 0 ? 'text/event-stream' : 'audio/wav')))
  const floods = upstream.requests.filter(isSlow)
  t.equal(floods.length, SLOW)
  const stalledAt = await stalled(() => floods.reduce((sum, { sentBytes }) => sum + sentBytes, 0))
  t.ok(floods.every(({ sentBytes }) =>
    sentBytes < FLOOD_BYTES / 2), `upstream is held at ${Math.round(stalledAt / SLOW / MIB)} MiB each`)

  const failed: string[] = []
  await inParallel(20, Array.from({ length: OTHERS }), async () => {
    const answer = await call(`${gateway.origin}/v1/chat/completions`, { body: streamed.replace('"stream":true,', '') })
    if (answer.status !== 200) failed.push(String(answer.status))
  })
  t.same(failed, [], 'the others are served')
  t.ok(slow.every(({ bytes }) => bytes() > 0 && bytes() < 10_000), 'all the while the slow ones read their bytes')
  const grownMiB = (gateway.residentBytes() - before) / MIB
  // Of each, the gateway holds the chunk that its caller's socket did not take, and 128 KiB of events not read yet: a
  // few MiB for all of them; the rest is what 400 calls leave to the garbage collector: up to 131 MiB seen on Node
  // 24, whose young generation is larger. What upstream has in store is 1.2 GiB.
  t.ok(grownMiB < 192, `${grownMiB.toFixed()} MiB more`)

  flooding.abort()
  const left = slow.slice(0, SLOW / 2)
  const stayed = slow.slice(SLOW / 2)
  for (const { leave } of left) leave()
  const read = await Promise.all(stayed.map(async ({ readOn }) => await readOn()))
  const ends = await Promise.all(floods.map(async ({ closed, sentBytes }) => ({ how: await closed, sentBytes })))
  t.equal(ends.filter(({ how }) => how === 'aborted').length, left.length, 'upstream hears of those that leave')
  const whole = new Set(floods.filter(({ aborted }) => !aborted).map(({ sentBytes }) => sentBytes))
  t.same(read.filter(bytes => !whole.has(bytes)), [], 'those that stay get every byte')
  await checkBooks(t, location.databaseUrl ?? '', stayed.length, left.length)
  t.same(gateway.log.filter(line => Number(line['level']) >= 40), [])
})

interface SlowCaller {
  readonly bytes: () => number
  readonly leave: () => void
  /** Reads the rest at full speed; the bytes of the whole body. */
  readonly readOn: () => Promise<number>
}

/** Asks for a body of this type, and takes a byte of it now and then. */
async function readSlowly (origin: string, type: string): Promise<SlowCaller> {
  const outgoing = request(`${origin}/v1/chat/completions`, {
    method: 'POST', headers: { 'x-slow': type, 'x-prompt-user': 'slow' }
  })
  outgoing.end(streamed)
  const [response] = await once(outgoing, 'response') as [IncomingMessage]
  response.on('error', () => undefined) // It left itself.
  let bytes = 0
  // Without this, nothing is read before it is asked for.
  response.on('readable', () => undefined)
  const timer = setInterval(() => { if (response.read(1) !== null) bytes++ }, READ_EVERY_MS)
  return {
    bytes: () => bytes,
    leave: () => {
      clearInterval(timer)
      outgoing.destroy()
    },
    readOn: async () => {
      clearInterval(timer)
      response.removeAllListeners('readable')
      response.on('data', (chunk: Buffer) => { bytes += chunk.length })
      response.resume()
      await finished(response)
      return bytes
    }
  }
}

async function checkBooks (t: Test, databaseUrl: string, stayed: number, left: number): Promise<void> {
  const sql = postgres(databaseUrl, { max: 1 })
  t.teardown(() => sql.end())
  const query = sql`
    select user_name = 'slow' as slow, success, error_type, count(*)::int as calls from usage_logs
    group by 1, 2, 3 order by 1 nulls first, 2`
  const total = OTHERS + stayed + left
  await until(async () => (await sql`select count(*)::int as calls from usage_logs`)[0]?.['calls'] === total, 20)
  t.same(Array.from(await query), [
    { slow: null, success: true, error_type: null, calls: OTHERS },
    { slow: true, success: false, error_type: 'caller_gone', calls: left },
    { slow: true, success: true, error_type: null, calls: stayed }
  ])
}
