import { once } from 'node:events'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { startGateway } from '../helpers/gateway.js'
import { heldBytes } from '../helpers/held-bytes.js'
import { startUpstream } from '../helpers/upstream.js'
import { RawCaller, ask, logRowsOnce } from '../proxy/raw-caller.js'

// By what the process holds, so they run in one of their own.

const MB = 1024 * 1024

t.test('a body sent byte by byte takes no more memory than one sent whole', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  const size = 2_000_000
  const before = heldBytes()
  const caller = new RawCaller(t, gateway.origin).send(
    'POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n'
  )
  const tiny = Buffer.from('1\r\n[\r\n'.repeat(20_000))
  for (let sent = 0; sent < size; sent += 20_000) {
    if (!caller.socket.write(tiny)) await once(caller.socket, 'drain')
  }
  const held = heldBytes() - before
  t.ok(held < 30 * MB, `${held}`)
  caller.send('0\r\n\r\n')
  t.equal((await caller.answer()).status, 200)
  t.equal((await upstream.requests[0]?.received)?.length, size)
  t.match(await logRowsOnce(gateway, 1), [{ request_bytes: `${size}` }])
})

t.test('a decompression bomb keeps memory in bounds and reaches the caller as it is', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  const megabyte = gzipSync(Buffer.alloc(MB, 'a'))
  const bomb = Buffer.concat(Array.from({ length: 256 }, () => megabyte)) // RFC 1952 §2.2: a file of many members.
  upstream.reply({ headers: ['content-type', 'application/json', 'content-encoding', 'gzip'], body: bomb })
  const held = [heldBytes()]
  const watch = setInterval(() => { held.push(heldBytes()) }, 100)
  t.teardown(() => { clearInterval(watch) })
  const answer = await ask(
    t,
    gateway,
    'POST /v1/chat/completions',
    ['accept-encoding: gzip'],
    '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}'
  )
  t.equal(answer.body.length, bomb.length)
  t.ok(held.length > 2, `looked at ${held.length} times`)
  t.ok(Math.max(...held) - Math.min(...held) < 100 * MB, held.join(', '))
})
