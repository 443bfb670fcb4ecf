import fc from 'fast-check'
import t from 'tap'
import { gzipSync, inflateSync, zstdCompressSync } from 'node:zlib'
import { readable } from '../helpers/codings.js'
import { startGateway } from '../helpers/gateway.js'
import { events, json, startUpstream } from '../helpers/upstream.js'
import { ask, header, logRows } from './raw-caller.js'

const env = { RECORD_WAIT_MS: '60000' }
const usage = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 }
const plain = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}'
const streamed = '{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"hi"}]}'
const asking = streamed.replace('{', '{"stream_options":{"include_usage":true},')
const chunk = (more: object): object => ({
  id: 'c', model: 'gpt-4o-mini', choices: [{ index: 0, delta: { content: 'é'.repeat(200) } }], ...more
})
const textOf = (reply: ReturnType<typeof events>): string => Array.from(reply.body as Iterable<string>).join('')
const withUsage = textOf(
  events(chunk({ usage: null }), chunk({ usage: null }), { id: 'c', model: 'gpt-4o-mini', choices: [], usage })
)
const without = textOf(events(chunk({}), chunk({})))
const completion = JSON.stringify({
  model: 'gpt-4o-mini', choices: [{ message: { content: 'é'.repeat(2000) } }], usage
})
const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')
const booked = { input_tokens: '11', output_tokens: '7', usage_source: 'upstream', success: true }

const cut = (body: Buffer, sizes: readonly number[]): Buffer[] => {
  const chunks: Buffer[] = []
  let at = 0
  for (const size of [...sizes, body.length]) {
    if (at < body.length) chunks.push(body.subarray(at, at + size))
    at += size
  }
  return chunks
}
const sizes = fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 8 })

t.test('an answer in any coding passes byte for byte, and is in the books, however it comes', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env })
  const kinds = fc.constantFrom(['application/json', plain, completion], ['text/event-stream', asking, withUsage])
  const junk = fc.constantFrom('', '', 'junk', '\0\0')
  await fc.assert(fc.asyncProperty(fc.constantFrom(...readable), kinds, sizes, junk, async (
    { name, code }, [type = '', request, text = ''], sizes, junk
  ) => {
    const isPlain = name === 'identity'
    const body = Buffer.concat([code(Buffer.from(text)), Buffer.from(isPlain ? '' : junk)])
    upstream.reply({ headers: ['content-type', type, 'Content-Encoding', name.trim()], body: cut(body, sizes) })
    const answer = await ask(
      t, gateway, 'POST /v1/chat/completions', ['accept-encoding: gzip, deflate, br, zstd'], request
    )
    t.ok(answer.complete && latin1(answer.body).equals(body), `${name} ${type}`)
    t.equal(header(answer.headers, 'content-encoding'), name.trim())
    t.match((await logRows(gateway)).at(-1), booked, `${name} ${type} ${JSON.stringify(junk)}`)
  }), { numRuns: 120 })
})

t.test('codings of an answer may stand in headers of their own', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env })
  upstream.reply({
    headers: ['content-type', 'application/json', 'content-encoding', 'zstd', 'content-encoding', 'gzip'],
    body: gzipSync(zstdCompressSync(Buffer.from(completion)))
  })
  await ask(t, gateway, 'POST /v1/chat/completions', [], plain)
  t.match(await logRows(gateway), [booked])
})

t.test('a stream that was asked for usage and comes in a coding that was not offered goes on decoded, without the question\'s traces', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env })
  await fc.assert(fc.asyncProperty(fc.constantFrom(
    ...readable.filter(({ name }) => /zstd|,/.test(name))
  ), sizes, async ({ name, code }, sizes) => {
    upstream.reply({
      headers: ['content-type', 'text/event-stream', 'content-encoding', name],
      body: cut(code(Buffer.from(withUsage)), sizes)
    })
    const answer = await ask(t, gateway, 'POST /v1/chat/completions', ['accept-encoding: zstd'], streamed)
    t.same(upstream.requests.at(-1)?.headers('accept-encoding'), ['identity'])
    t.equal(header(answer.headers, 'content-encoding'), undefined, name)
    t.equal(latin1(answer.body).toString(), without, name)
    t.match((await logRows(gateway)).at(-1), booked, name)
  }), { numRuns: 30 })
})

t.test('a raw deflate stream that was asked for usage is coded again', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env })
  for (const { name, code } of readable.filter(({ name }) => name === 'deflate')) {
    upstream.reply({
      headers: ['content-type', 'text/event-stream', 'content-encoding', name], body: code(Buffer.from(withUsage))
    })
    const answer = await ask(t, gateway, 'POST /v1/chat/completions', ['accept-encoding: deflate, zstd'], streamed)
    t.equal(header(answer.headers, 'content-encoding'), 'deflate')
    t.equal(inflateSync(latin1(answer.body)).toString(), without)
    t.match((await logRows(gateway)).at(-1), booked)
  }
})

t.test('an answer in a coding that is not known passes as it came, unpriced, and is told once', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env })
  for (const name of ['dcz', 'gzip, dcz', 'br;q=1', 'gzip, gzip, gzip, gzip', 'dcz']) {
    for (const [type, request, body] of [
      ['application/json', plain, completion],
      ['text/event-stream', streamed, withUsage],
      ['text/event-stream', asking, withUsage]
    ] as const) {
      upstream.reply({ headers: ['content-type', type, 'content-encoding', name], body })
      const answer = await ask(t, gateway, 'POST /v1/chat/completions', ['accept-encoding: gzip, dcz'], request)
      t.equal(latin1(answer.body).toString(), body, `${name} ${type}`)
      t.equal(header(answer.headers, 'content-encoding'), name)
      t.match((await logRows(gateway)).at(-1), {
        success: true, usage_source: 'none', input_tokens: null, cost: null, cost_reason: 'no_usage'
      })
    }
  }
  t.same(upstream.requests.map(request => request.headers('accept-encoding')[0])
    .slice(0, 3), ['gzip, dcz', 'gzip', 'gzip, dcz'])
  const told = gateway.logged.filter(line => 'contentEncoding' in line).map(line => line['contentEncoding'])
  t.same(told, ['dcz', 'gzip, dcz', 'br;q=1', 'gzip, gzip, gzip, gzip'])
})

t.test('an answer without a coding may say so', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, env })
  for (const name of ['', 'identity', 'Identity, identity']) {
    upstream.reply({ headers: ['content-type', 'text/event-stream', 'content-encoding', name], body: withUsage })
    t.equal(latin1((await ask(t, gateway, 'POST /v1/chat/completions', [], streamed)).body).toString(), without, name)
    upstream.reply({
      ...json(JSON.parse(completion)), headers: ['content-type', 'application/json', 'content-encoding', name]
    })
    await ask(t, gateway, 'POST /v1/chat/completions', [], plain)
  }
  t.match(await logRows(gateway), Array(6).fill(booked))
})
