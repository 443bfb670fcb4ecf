import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { RawCaller, logRows, requestText } from '../proxy/raw-caller.js'
import { startGateway } from '../helpers/gateway.js'

/** `MAX_BODY_BYTES` where nothing else is said. */
const LIMIT = 64 * 1024 * 1024
const PIECE = 64 * 1024

/** A chat request of exactly so many bytes: a text, or an image inline. */
function chatBody (sizeBytes: number, content: 'text' | 'image'): Buffer {
  const [before, after] = content === 'text'
    ? ['{"model":"gpt-4o-mini","messages":[{"role":"user","content":"', '"}]}']
    : [
        '{"model":"gpt-4o-mini","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,',
        '"}}]}]}'
      ]
  const body = Buffer.alloc(sizeBytes, 'iVBORw0KGgo')
  body.write(before, 0)
  body.write(after, sizeBytes - after.length)
  return body
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

interface Arrived {
  readonly sizeBytes: number
  readonly sha256: string
}

/** An upstream that keeps of a body its size and its digest, so that the test holds one body at a time. */
async function startMeasuring (t: Test): Promise<{ url: string, arrived: Arrived[] }> {
  const arrived: Arrived[] = []
  const server = createServer((request, response) => {
    const digest = createHash('sha256')
    let sizeBytes = 0
    request.on('data', (chunk: Buffer) => {
      digest.update(chunk)
      sizeBytes += chunk.length
    })
    request.on('error', () => undefined) // Broken off: `arrived` does not get it.
    request.on('end', () => {
      arrived.push({ sizeBytes, sha256: digest.digest('hex') })
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end('{"model":"gpt-4o-mini","usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, arrived }
}

/** Sends a body as fast as the other side takes it. */
async function upload (caller: RawCaller, headers: string, body: Buffer, chunked: boolean): Promise<void> {
  const { socket } = caller.send(headers)
  for (let at = 0; at < body.length; at += PIECE) {
    const piece = body.subarray(at, at + PIECE)
    if (chunked) socket.write(`${piece.length.toString(16)}\r\n`)
    const more = socket.write(piece)
    if (chunked) socket.write('\r\n')
    if (!more) await once(socket, 'drain')
  }
  if (chunked) socket.write('0\r\n\r\n')
}

const kinds = [
  { path: '/v1/chat/completions', type: 'application/json', make: (size: number) => chatBody(size, 'text') },
  { path: '/v1/chat/completions', type: 'application/json', make: (size: number) => chatBody(size, 'image') },
  { path: '/v1/files', type: 'application/octet-stream', make: (size: number) => Buffer.alloc(size, 'octets') }
]

for (const framing of ['content-length', 'chunks'] as const) {
  const head = (path: string, type: string, size: number): string => [
    `POST ${path} HTTP/1.1`, 'host: gateway', `content-type: ${type}`,
    framing === 'chunks' ? 'transfer-encoding: chunked' : `content-length: ${size}`, '', ''
  ].join('\r\n')

  t.test(`a body of exactly 64 MiB goes through whole (${framing})`, async t => {
    const upstream = await startMeasuring(t)
    const gateway = await startGateway(t, { upstreamUrl: upstream.url })
    for (const [i, { path, type, make }] of kinds.entries()) {
      const body = make(LIMIT)
      const caller = new RawCaller(t, gateway.origin)
      await upload(caller, head(path, type, body.length), body, framing === 'chunks')
      t.equal((await caller.answer()).status, 200)
      t.same(upstream.arrived[i], { sizeBytes: LIMIT, sha256: sha256(body) })
      t.match((await logRows(gateway)).at(-1), { status_code: 200, success: true, request_bytes: String(LIMIT) })
    }
    t.equal((await logRows(gateway)).length, kinds.length)
  })

  t.test(`a body of 64 MiB and one byte gets 413 and a record, and never reaches upstream whole (${framing})`, async t => {
    const upstream = await startMeasuring(t)
    const gateway = await startGateway(t, { upstreamUrl: upstream.url })
    for (const { path, type, make } of kinds) {
      const body = make(LIMIT + 1)
      const caller = new RawCaller(t, gateway.origin)
      await upload(caller, head(path, type, body.length), body, framing === 'chunks')
      const answer = await caller.answer()
      t.equal(answer.status, 413)
      t.match(JSON.parse(answer.body), {
        error: { code: 'request_too_large', message: /67108864 bytes \(MAX_BODY_BYTES\)/ }
      })
      t.match((await logRows(gateway)).at(-1), { status_code: 413, success: false, error_type: 'request_too_large' })
      // The connection is still in step: the next call on it is understood.
      await caller.send(requestText('GET /v1/models')).until('HTTP/1.1 200 OK')
    }
    t.same(upstream.arrived.map(({ sizeBytes }) => sizeBytes), kinds.map(() => 0), 'only the calls after')
    t.equal((await logRows(gateway)).length, 2 * kinds.length)
  })
}
