import fc from 'fast-check'
import t, { type Test } from 'tap'
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib'
import type { TestGateway } from '../helpers/gateway.js'
import { startGateway } from '../helpers/gateway.js'
import { readable } from '../helpers/codings.js'
import { events, json, startUpstream } from '../helpers/upstream.js'
import { type RawAnswer, RawCaller, ask, logRows, statsOf } from './raw-caller.js'

/** No answer overtakes its record, however slow the machine: what is asked of the books after it is there. */
const env = { RECORD_WAIT_MS: '60000' }
const usage = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 }
const answer = json({ model: 'gpt-4o-mini', choices: [], usage })
const chunk = (more: object): object => ({
  id: 'c', model: 'gpt-4o-mini', choices: [{ index: 0, delta: { content: 'hi' } }], ...more
})
const asked = events(chunk({ usage: null }), { id: 'c', model: 'gpt-4o-mini', choices: [], usage })
const unasked = events(chunk({}))
const textOf = (reply: typeof asked): string => Array.from(reply.body as Iterable<string>).join('')

const chat = (more: object = {}): string =>
  JSON.stringify({
    model: 'gpt-4o-mini',
    messages: [{ role: 'user', content: 'Grüße 👋 '.repeat(300) }],
    user: 'ada',
    metadata: { team: 'é' },
    ...more
  })

/** Sends a body in chunks of these sizes, the rest as one. */
async function send (
  t: Test, gateway: TestGateway, path: string, headers: readonly string[], body: Buffer, sizes: readonly number[] = []
): Promise<RawAnswer> {
  const caller = new RawCaller(t, gateway.origin).send(
    [`POST /v1/${path} HTTP/1.1`, 'host: gateway', 'transfer-encoding: chunked', ...headers, '', ''].join('\r\n')
  )
  let at = 0
  for (const size of [...sizes, body.length]) {
    const part = body.subarray(at, at + size)
    at += size
    if (part.length > 0) {
      caller.send(
        Buffer.concat([Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n')])
      )
    }
  }
  return await caller.send('0\r\n\r\n').answer()
}

const last = <T>(list: readonly T[]): T | undefined => list.at(-1)

t.test('a request in any coding is in the books like any other, and goes upstream as it came', async t => {
  const upstream = await startUpstream(t)
  upstream.reply(answer)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env })
  const paths = fc.constantFrom('chat/completions', 'completions', 'responses', 'embeddings')
  const sizes = fc.array(fc.integer({ min: 1, max: 200 }), { maxLength: 5 })
  const type = fc.constantFrom('application/json', 'text/plain', 'application/octet-stream', '')
  await fc.assert(fc.asyncProperty(fc.constantFrom(...readable), paths, sizes, type, async (
    { name, code }, path, sizes, type
  ) => {
    const text = chat()
    const body = code(Buffer.from(text))
    const { status } = await send(
      t,
      gateway,
      path,
      [`Content-Encoding:${name}`, ...(type === '' ? [] : [`content-type: ${type}`]), 'x-prompt-type: any'],
      body,
      sizes
    )
    const request = last(upstream.requests)
    const row = last(await logRows(gateway))
    t.equal(status, 200)
    t.ok(request?.body.equals(body), `${name} ${path}`)
    t.same(request?.headers('content-encoding'), [name.trim()])
    t.same(request?.headers('content-length'), [`${body.length}`])
    t.match(row, {
      request_model: 'gpt-4o-mini',
      user_name: 'ada',
      metadata: '{"team":"é"}',
      stream: false,
      request_bytes: `${body.length}`,
      input_tokens: '11',
      usage_source: 'upstream'
    }, `${name} ${path} ${type}`)
    t.equal((await statsOf(gateway, 'any'))?.['last_prompt'], text)
  }), { numRuns: 80 })
})

t.test('codings may stand in headers of their own', async t => {
  const upstream = await startUpstream(t)
  upstream.reply(answer)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env })
  const body = brotliCompressSync(gzipSync(chat()))
  await send(
    t,
    gateway,
    'chat/completions',
    ['Content-Encoding: identity', 'content-encoding: gzip', 'Content-Encoding: br'],
    body
  )
  t.same(upstream.requests[0]?.headers('content-encoding'), ['identity', 'gzip', 'br'])
  t.ok(upstream.requests[0]?.body.equals(body))
  t.match(await logRows(gateway), [{ request_model: 'gpt-4o-mini', user_name: 'ada' }])
})

t.test('a compressed stream whose caller did not ask for usage goes up decoded and asking; the caller gets what it would have', async t => {
  const upstream = await startUpstream(t)
  upstream.reply(asked)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env })
  for (const { name, code } of readable) {
    const body = code(Buffer.from(chat({ stream: true })))
    const { body: got } = await send(
      t, gateway, 'chat/completions', [`content-encoding: ${name}`, 'content-type: application/json'], body
    )
    t.equal(got, textOf(unasked), name)
    const request = last(upstream.requests)
    const isCoded = name !== 'identity'
    t.same(request?.headers('content-encoding'), isCoded ? [] : ['identity'], name)
    t.same(request?.headers('content-length'), [`${request?.body.length}`])
    t.equal(request?.body.toString(), chat({ stream: true }).replace('{', '{"stream_options":{"include_usage":true},'))
    t.match(
      last(await logRows(gateway)),
      {
        stream: true, usage_source: 'upstream', input_tokens: '11', output_tokens: '7', request_bytes: `${body.length}`
      },
      name
    )
  }
})

t.test('a compressed stream goes up as it came where there is nothing to ask', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env })
  const estimating = await startGateway(t, { upstreamUrl: upstream.url, env: { ...env, STREAM_USAGE: 'estimate' } })
  for (const { name, code } of readable) {
    const own = code(Buffer.from(chat({ stream: true, stream_options: { include_usage: true } })))
    upstream.reply(asked)
    t.equal((await send(t, gateway, 'chat/completions', [`content-encoding: ${name}`], own)).body, textOf(asked), name)
    t.ok(last(upstream.requests)?.body.equals(own), name)
    const body = code(Buffer.from(chat({ stream: true })))
    upstream.reply(unasked)
    await send(t, estimating, 'chat/completions', [`content-encoding: ${name}`], body)
    t.ok(last(upstream.requests)?.body.equals(body), name)
  }
  const rows = await logRows(estimating)
  // Not one figure: where the tokenizer is late, its bytes are what is gone by.
  t.equal(
    rows.filter(row => row['usage_source'] === 'estimated' && Number(row['input_tokens']) > 500).length,
    readable.length,
    'estimated from the decoded text'
  )
})

t.test('a caller that takes the answer in nothing that can be changed is not asked for', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env })
  const body = gzipSync(chat({ stream: true }))
  upstream.reply(unasked)
  await send(t, gateway, 'chat/completions', ['content-encoding: gzip', 'accept-encoding: zstd, identity;q=0'], body)
  t.ok(upstream.requests[0]?.body.equals(body))
  t.same(upstream.requests[0]?.headers('accept-encoding'), ['zstd, identity;q=0'])
  upstream.reply(asked)
  await send(t, gateway, 'chat/completions', ['content-encoding: gzip', 'accept-encoding: zstd'], body)
  t.same(upstream.requests[1]?.headers('accept-encoding'), ['identity'])
  t.match(await logRows(gateway), [{ usage_source: 'estimated' }, { usage_source: 'upstream' }])
})

t.test('an upstream that refuses the question is asked again, with what came', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env })
  const body = zstdCompressSync(Buffer.from(chat({ stream: true })))
  upstream.reply(json({ error: { message: 'Unknown parameter: stream_options' } }, 400), unasked)
  t.equal((await send(t, gateway, 'chat/completions', ['content-encoding: zstd'], body)).body, textOf(unasked))
  t.ok(upstream.requests[1]?.body.equals(body))
  t.same(upstream.requests[1]?.headers('content-encoding'), ['zstd'])
})

t.test('what is not in its coding, or in one that is not known, goes on as it came; its input is no free one', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env })
  const text = chat({ stream: true })
  const gzip = gzipSync(text)
  const bodies: Array<[string, Buffer]> = [
    [
      'compress', Buffer.from(text)
    ], ['gzip, dcb', gzip], ['aes128gcm', gzip], ['gzip', Buffer.from(text)], ['gzip', gzip.subarray(0, -5)],
    [
      'gzip', Buffer.concat([gzip, Buffer.from('junk')])
    ], ['gzip', Buffer.concat([gzip, Buffer.from([0])])], ['br', gzip], ['deflate', gzip], ['zstd', gzip],
    ['zstd', Buffer.concat([zstdCompressSync(Buffer.from(text)), Buffer.from('junk')])], ['br, gzip', gzip], [
      'gzip', Buffer.from([...gzip].map((byte, i) => i === gzip.length - 6 ? byte ^ 1 : byte))
    ]
  ]
  for (const [name, body] of bodies) {
    upstream.reply(unasked)
    t.equal(
      (await send(t, gateway, 'chat/completions', [`content-encoding: ${name}`, 'x-prompt-type: unread'], body)).body,
      textOf(unasked),
      name
    )
    t.ok(last(upstream.requests)?.body.equals(body), name)
    t.same(last(upstream.requests)?.headers('content-encoding'), [name])
    const row = last(await logRows(gateway))
    t.match(
      row,
      {
        success: true,
        request_model: null,
        usage_source: 'estimated',
        request_bytes: `${body.length}`,
        input_tokens: `${body.length}`
      },
      name
    )
    t.match((await statsOf(gateway, 'unread'))?.['last_prompt'], /^\[elided/)
    upstream.reply(answer)
    await send(t, gateway, 'chat/completions', [`content-encoding: ${name}`], body)
    t.match(last(await logRows(gateway)), {
      usage_source: 'upstream', input_tokens: '11'
    }, `${name}, where the answer says what it used`)
  }
})

t.test('a byte order mark before the body is no obstacle', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env })
  upstream.reply(asked)
  t.equal(
    (await ask(t, gateway, 'POST /v1/chat/completions', [
      'content-type: application/json'
    ], `\xef\xbb\xbf${JSON.stringify({ model: 'gpt-4o-mini', stream: true, messages: [] })}`)).body,
    textOf(unasked)
  )
  t.match(upstream.requests[0]?.body.toString(), /^\ufeff{"stream_options":/)
  t.match(await logRows(gateway), [{ request_model: 'gpt-4o-mini', stream: true, usage_source: 'upstream' }])
})
