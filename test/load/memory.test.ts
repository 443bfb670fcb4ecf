import { once } from 'node:events'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { startGateway } from '../helpers/gateway.js'
import { startUpstream } from '../helpers/upstream.js'
import { RawCaller, ask, logRowsOnce } from '../proxy/raw-caller.js'

// By the process's resident memory: so they run in one of their own.

t.test('a body sent byte by byte costs memory as any other, and none is looked through in one go', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  const size = 2_000_000
  const before = process.memoryUsage().rss
  const caller = new RawCaller(t, gateway.origin).send('POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n')
  const tiny = Buffer.from('1\r\n[\r\n'.repeat(20_000))
  for (let sent = 0; sent < size; sent += 20_000) {
    if (!caller.socket.write(tiny)) await once(caller.socket, 'drain')
  }
  caller.send('0\r\n\r\n')
  t.equal((await caller.answer()).status, 200)
  t.equal((await upstream.requests[0]?.received)?.length, size)
  t.ok(process.memoryUsage().rss - before < 200 * 1024 * 1024, `${process.memoryUsage().rss - before}`)
  t.match(await logRowsOnce(gateway, 1), [{ request_bytes: `${size}` }])
})

t.test('a decompression bomb keeps memory in bounds and reaches the caller as it is', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  const bomb = gzipSync(Buffer.alloc(256 * 1024 * 1024, 'a'))
  upstream.reply({ headers: ['content-type', 'application/json', 'content-encoding', 'gzip'], body: bomb })
  const before = process.memoryUsage().rss
  const answer = await ask(t, gateway, 'POST /v1/chat/completions', ['accept-encoding: gzip'], '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}')
  t.equal(answer.body.length, bomb.length)
  t.ok(process.memoryUsage().rss - before < 150 * 1024 * 1024, `${process.memoryUsage().rss - before}`)
})
