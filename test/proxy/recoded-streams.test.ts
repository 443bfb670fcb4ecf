import { once } from 'node:events'
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import { type AddressInfo, type Socket, connect } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { brotliCompressSync, constants, deflateSync, gunzipSync, gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { Relay } from '../../src/proxy/relay.js'
import { storedZstd } from '../helpers/codings.js'
import { startGateway } from '../helpers/gateway.js'
import { startUpstream } from '../helpers/upstream.js'
import { ask, logRows } from './raw-caller.js'

// A stream that was asked for usage and comes coded: the gateway decodes it, strips it and codes it again.

const streamed = '{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"hi"}]}'
const event = (content: string): string =>
  `data: {"id":"c","model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":"${content}"}}]}\n\n`
const done = 'data: [DONE]\n\n'

interface Scene {
  readonly relay: Relay
  /** The caller, which reads nothing yet. */
  readonly caller: Socket
  readonly exchange: { isPaused: boolean, aborted: Error | null }
}

async function openRelay (t: Test, contentType: string, coding: string): Promise<Scene> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const caller = connect((server.address() as AddressInfo).port, '127.0.0.1').pause()
  t.teardown(() => {
    caller.destroy()
    server.close()
  })
  caller.write('GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')
  const [, res] = await once(server, 'request') as [IncomingMessage, ServerResponse]
  const limits = { payloadMaxBytes: 65_536, unreadBytes: () => 65_536 }
  const relay = new Relay({ res, strip: true, expectsStream: true, limits, monotonicMs: () => 0 })
  const exchange = { isPaused: false, aborted: null as Error | null }
  relay.attach({
    pause: () => { exchange.isPaused = true },
    resume: () => { exchange.isPaused = false },
    abort: reason => { exchange.aborted = reason }
  })
  relay.onHeaders(200, 'OK', ['content-type', contentType, 'content-encoding', coding])
  return { relay, caller, exchange }
}

/** Feeds the body as the gateway takes it, until all is fed or nothing was for so many turns. @returns how far */
async function feed (
  { relay, exchange }: Scene, body: Buffer, from: number, maxIdleTurns: number
): Promise<number> {
  let at = from
  let idleTurns = 0
  const untilIdle = maxIdleTurns !== Infinity
  for (;;) {
    if (idleTurns >= maxIdleTurns || (at >= body.length && !untilIdle)) return at
    if (exchange.isPaused || at >= body.length) idleTurns++
    else {
      idleTurns = 0
      relay.onData(body.subarray(at, at + 16_384))
      at += 16_384
    }
    await nextTurn()
  }
}

const events = 1000
const isStored = { level: 0 }
for (const [name, coding, code] of [
  ['of few bytes', 'deflate, gzip', (text: Buffer) => gzipSync(deflateSync(text))],
  ['of many bytes', 'deflate, gzip', (text: Buffer) => gzipSync(deflateSync(text, isStored), isStored)],
  ['of many bytes', 'zstd', (text: Buffer) => storedZstd(text)]
] as const) {
  t.test(`a caller that does not read holds up a stream ${name} that goes on decoded (${coding})`, async t => {
    const text = Buffer.from(event('a'.repeat(60_000)).repeat(events) + done)
    const body = code(text)
    const scene = await openRelay(t, 'text/event-stream', coding)
    const at = await feed(scene, body, 0, 5000)
    t.equal(at < body.length, name === 'of many bytes', 'the upstream waits where there is more')
    // Most of it is in the sockets' buffers.
    t.ok(scene.relay.sizeBytes < 16_000_000, `decoded ${scene.relay.sizeBytes} bytes, of ${text.length}`)

    let found = 0
    let tail = ''
    scene.caller.on('data', (chunk: Buffer) => {
      const text = tail + chunk.toString('latin1')
      found += text.split('"content":"').length - 1
      tail = text.slice(-10)
    })
    const isOver = once(scene.caller, 'close')
    scene.caller.resume()
    await feed(scene, body, at, Infinity)
    scene.relay.onEnd([])
    t.same(await scene.relay.outcome, { kind: 'answered' })
    scene.relay.release()
    await isOver
    t.equal(found, events, 'and then it has all of it')
    t.match(tail, /\r\n0\r\n\r\n$/)
  })
}

t.test('a body that is not known yet when its caller leaves is read as far as it came', async t => {
  for (const coding of ['gzip', 'br']) {
    const code = coding === 'gzip' ? gzipSync : brotliCompressSync
    const flush = coding === 'gzip' ? { flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH } : {}
    const scene = await openRelay(t, 'application/json', coding)
    scene.relay.onData(code('{', flush))
    scene.relay.callerGone(new Error('gone'))
    t.same(await scene.relay.outcome, { kind: 'caller_gone' })
    t.equal(scene.exchange.aborted?.message, 'gone')
    t.equal(scene.relay.reader?.isModelOutput, true, `${coding}: it counts`)
    t.equal(scene.relay.reader?.text(), '{')
  }
})

t.test('a coded stream that ends before its coding does is cut for the caller', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env: { RECORD_WAIT_MS: '60000' } })
  const text = Buffer.from(Array.from({ length: 200 }, (_, i) => event(`word ${i * 7919}`)).join(''))
  const bodies = [
    ['gzip', gzipSync(text)], ['deflate', deflateSync(text)], ['br', brotliCompressSync(text)],
    ['zstd', storedZstd(text)]
  ] as const
  for (const [name, body] of bodies) {
    for (const cutBytes of name === 'gzip' ? [1, 8, 9, 200] : [5, 200]) {
      upstream.reply({
        headers: ['content-type', 'text/event-stream', 'content-encoding', name],
        body: [body.subarray(0, 200), body.subarray(200, -cutBytes)]
      })
      const answer = await ask(t, gateway, 'POST /v1/chat/completions', [`accept-encoding: ${name}`], streamed)
      t.same([answer.status, answer.complete], [200, false], `${name}, ${cutBytes} bytes short`)
      t.match((await logRows(gateway)).at(-1), { success: false, error_type: 'upstream_aborted' }, name)
      if (name !== 'gzip') continue
      const got = gunzipSync(Buffer.from(answer.body, 'latin1'), { finishFlush: constants.Z_SYNC_FLUSH }).toString()
      t.ok(got.length > 1000 && text.toString().startsWith(got), 'and has all that came')
    }
    upstream.reply({
      headers: ['content-type', 'text/event-stream', 'content-encoding', name],
      body: [body.subarray(0, 200), body.subarray(200)]
    })
    const whole = await ask(t, gateway, 'POST /v1/chat/completions', [`accept-encoding: ${name}`], streamed)
    t.same([whole.status, whole.complete], [200, true], `${name}, whole`)
  }
})
