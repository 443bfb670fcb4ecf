import t, { type Test } from 'tap'
import { openDatabase } from '../../src/db/open-database.js'
import { RawCaller, requestText } from '../proxy/raw-caller.js'
import { databaseKinds, silentLog, temporaryFolder, testDatabaseOptions } from '../helpers/database.js'
import { untilCaughtUp } from '../helpers/fault-books.js'
import { gate } from '../helpers/gate.js'
import { startGatewayProcess } from '../helpers/gateway-process.js'
import { type HttpReply, events, json, silence, stalled, startUpstream } from '../helpers/upstream.js'
import { startTcpProxy } from '../helpers/tcp-proxy.js'
import { untilRefused } from '../helpers/until-refused.js'

const plain = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}'
const streamed = plain.replace('{', '{"stream":true,')
const usage = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 }
const delta = (
  content: string
): string => `data: {"model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":"${content}"}}]}\n\n`
/** On a busy machine too, what can be committed does not go to the journal instead. */
const patient = { RECORD_WAIT_MS: '60000' }
const ended = { code: 0, signal: null }

/** A call whose record bears this name. */
const chat = (user: string, body: string): string =>
  requestText('POST /v1/chat/completions', [`x-prompt-user: ${user}`], body)

type Rows = Record<string, Readonly<Record<string, unknown>>>

/** The usage log of a gateway that has ended, a row for each caller. */
async function booksOf (
  t: Test, { databaseUrl, dataDir }: { readonly databaseUrl: string | null, readonly dataDir: string }
): Promise<Rows> {
  const database = await openDatabase({
    databaseUrl, dataDir: databaseUrl === null ? dataDir : temporaryFolder(t), log: silentLog
  })
  try {
    const rows = await database.operator.$client.unsafe<Array<Record<string, unknown>>>('select * from usage_logs')
    const books = Object.fromEntries(rows.map(row => [String(row['user_name']), row]))
    t.equal(rows.length, Object.keys(books).length, 'a row for each caller')
    return books
  } finally {
    await database.close()
  }
}

for (const kind of databaseKinds) {
  t.test(`SIGTERM waits for open streams and calls, which end whole, while no connection is taken (${kind})`, async t => {
    const upstream = await startUpstream(t)
    const location = await testDatabaseOptions(t, kind)
    const gateway = await startGatewayProcess(t, {
      upstreamUrl: upstream.url, location, env: { ...patient, SHUTDOWN_GRACE_MS: '3600000' }
    })
    const { passed, open } = gate()
    const last = events({ model: 'gpt-4o-mini', choices: [], usage }).body as string[]
    const stream: HttpReply = {
      headers: ['content-type', 'text/event-stream'], body: [delta('one'), passed, delta('two'), ...last]
    }
    upstream.reply(stream, async () => {
      await passed()
      return json({ model: 'gpt-4o-mini', usage })
    })
    const idle = new RawCaller(t, gateway.origin)
    const streaming = await new RawCaller(t, gateway.origin).send(chat('streaming', streamed)).until('one')
    const waiting = new RawCaller(t, gateway.origin).send(chat('waiting', plain))
    await (await upstream.nth(1)).received

    gateway.kill('SIGTERM')
    await untilRefused(gateway.origin)
    t.equal(await idle.ended, 'end', 'a connection without a call is closed')
    open()
    t.match(await streaming.answer(), {
      status: 200, complete: true, body: delta('one') + delta('two') + 'data: [DONE]\n\n'
    })
    t.match(await waiting.answer(), { status: 200, complete: true, body: /usage/ })
    t.same(await gateway.exited, ended)
    const used = { success: true, usage_source: 'upstream', input_tokens: '11', output_tokens: '7' }
    t.match(await booksOf(t, location), { streaming: used, waiting: used })
  })

  t.test(`what is open when SHUTDOWN_GRACE_MS is over is cut, and recorded with what was seen of it (${kind})`, async t => {
    const upstream = await startUpstream(t)
    const location = await testDatabaseOptions(t, kind)
    const gateway = await startGatewayProcess(t, {
      upstreamUrl: upstream.url, location, env: { ...patient, SHUTDOWN_GRACE_MS: '300' }
    })
    await cutAtTheLimit(t, upstream, gateway)
    checkCut(t, await booksOf(t, location))
  })
}

t.test('what is cut while the database is away is in the journal, and in the books after the next start', async t => {
  const upstream = await startUpstream(t)
  const location = await testDatabaseOptions(t, 'postgres')
  const proxy = await startTcpProxy(t, location.databaseUrl ?? '')
  const through = { ...location, databaseUrl: proxy.withPort(location.databaseUrl ?? '') }
  const gateway = await startGatewayProcess(t, {
    upstreamUrl: upstream.url, location: through, env: { SHUTDOWN_GRACE_MS: '300' }
  })
  proxy.refuse()
  proxy.cut('all')
  await cutAtTheLimit(t, upstream, gateway)
  proxy.restore()
  const next = await startGatewayProcess(t, { upstreamUrl: upstream.url, location: through })
  await untilCaughtUp(next)
  t.same(await next.stop(), ended)
  checkCut(t, await booksOf(t, location))
})

/**
 * An endless stream, one whose caller does not read, an upstream that never answers, and an upload that does not end.
 */
async function cutAtTheLimit (
  t: Test, upstream: Awaited<ReturnType<typeof startUpstream>>, gateway: Awaited<ReturnType<typeof startGatewayProcess>>
): Promise<void> {
  const forever = (): Promise<never> => new Promise(() => undefined)
  const flood = Array.from({ length: 1024 }, () => delta('x'.repeat(16_384)))
  upstream.reply(
    { headers: ['content-type', 'text/event-stream'], body: [delta('hello world'), forever] },
    { headers: ['content-type', 'text/event-stream'], body: flood },
    silence)
  const endless = await new RawCaller(t, gateway.origin).send(chat('endless', streamed)).until('hello world')
  const unread = new RawCaller(t, gateway.origin)
  unread.socket.pause()
  unread.send(chat('unread', streamed))
  const flooding = await upstream.nth(1)
  await stalled(() => flooding.sentBytes)
  const silent = new RawCaller(t, gateway.origin).send(chat('silent', plain))
  await upstream.nth(2)
  // Asked for its body, it knows that its call was taken.
  const uploading = await new RawCaller(t, gateway.origin)
    .send(
      chat('uploading', plain).replace('host:', 'expect: 100-continue\r\nhost:').slice(0, -10)
    ).until('100 Continue')
  t.same(await gateway.stop(), ended)
  t.match(await endless.answer(), { status: 200, complete: false, body: delta('hello world') })
  t.equal((await silent.answer()).status, 0, 'no answer')
  t.equal((await uploading.answer()).status, 0)
  const ends = await Promise.all([0, 1, 2].map(async i => await upstream.requests[i]?.closed))
  t.same(ends, ['aborted', 'aborted', 'aborted'], 'and upstream is told')
}

function checkCut (t: Test, books: Rows): void {
  t.match(books, {
    endless: { status_code: 200, success: false, usage_source: 'estimated', output_tokens: /^[1-9]/ },
    unread: { status_code: 200, success: false, usage_source: 'estimated' },
    silent: { status_code: 499, success: false, usage_source: 'none' },
    uploading: { status_code: 499, success: false, usage_source: 'none' }
  })
}
