import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { BodyRoom, bodyRoomBytes } from '../../src/proxy/body-room.js'
import { gate } from '../helpers/gate.js'
import { type TestGateway, startGateway } from '../helpers/gateway.js'
import { until } from '../helpers/until.js'
import { type Upstream, json, startUpstream } from '../helpers/upstream.js'
import { RawCaller, logRowsOnce } from './raw-caller.js'

const PIECE = 'x'.repeat(100_000)
const overloaded = { error: { code: 'gateway_overloaded', type: 'api_error', message: /memory/ } }

async function scene (t: Test, bodyRoom: BodyRoom): Promise<{ upstream: Upstream, gateway: TestGateway }> {
  const upstream = await startUpstream(t)
  return {
    upstream,
    gateway: await startGateway(t, { upstreamUrl: upstream.url, bodyRoom, env: { MAX_BODY_BYTES: '1000000' } })
  }
}

/** A call whose body begins with the first `pieces` of eight; `rest` sends the others. */
function begin (
  t: Test, gateway: TestGateway, framing: 'length' | 'chunks', pieces: number
): { caller: RawCaller, rest: () => void } {
  const caller = new RawCaller(t, gateway.origin)
  caller.socket.on('error', () => undefined)
  const frame = (text: string): string => framing === 'length' ? text : `${text.length.toString(16)}\r\n${text}\r\n`
  const size = framing === 'length' ? `content-length: ${8 * PIECE.length}` : 'transfer-encoding: chunked'
  caller.send(`POST /v1/responses HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n${size}\r\n\r\n`)
  for (let n = 0; n < pieces; n++) caller.send(frame(PIECE))
  return {
    caller,
    rest: () => {
      for (let n = pieces; n < 8; n++) caller.send(frame(PIECE))
      if (framing === 'chunks') caller.send('0\r\n\r\n')
    }
  }
}

for (const framing of ['length', 'chunks'] as const) {
  t.test(`bodies that are half gathered never wait for each other for ever (${framing})`, async t => {
    const room = new BodyRoom(2_000_000, 300)
    const { gateway } = await scene(t, room)
    const calls = Array.from({ length: 12 }, () => begin(t, gateway, framing, 4))
    await until(() => room.usedBytes >= 1_900_000)
    for (const { rest } of calls) rest()
    const answers = await Promise.all(calls.map(async ({ caller }) => await caller.answer()))
    const statuses = answers.map(({ status }) => status)
    t.ok(statuses.every(status => status === 200 || status === 503), String(statuses))
    t.ok(statuses.includes(200) && statuses.includes(503), String(statuses))
    t.match(JSON.parse(answers.find(({ status }) => status === 503)?.body ?? ''), overloaded)
    t.match(answers.find(({ status }) => status === 503)?.headers, ['content-type: application/json; charset=utf-8'])
    t.equal((await logRowsOnce(gateway, 12)).length, 12, 'each is in the books')
    await until(() => room.usedBytes === 0)
    const next = begin(t, gateway, framing, 8)
    next.rest()
    t.equal((await next.caller.answer()).status, 200)
  })
}

t.test('a body waits for room, and is read on when a call ends', async t => {
  const room = new BodyRoom(1_000_000, 60_000)
  const { gateway, upstream } = await scene(t, room)
  const { passed, open } = gate()
  upstream.reply(async () => {
    await passed()
    return json({})
  })
  const first = begin(t, gateway, 'length', 8)
  await upstream.nth(0)
  const second = begin(t, gateway, 'length', 8)
  await until(() => room.usedBytes >= 900_000)
  await sleep(100)
  t.equal(upstream.requests.length, 1)
  open()
  t.same([(await first.caller.answer()).status, (await second.caller.answer()).status], [200, 200])
})

t.test('callers that leave while they wait for room hold none', async t => {
  const room = new BodyRoom(1_000_000, 500)
  const { gateway } = await scene(t, room)
  const calls = [begin(t, gateway, 'length', 7), begin(t, gateway, 'chunks', 7), begin(t, gateway, 'chunks', 7)]
  await until(() => room.usedBytes >= 900_000)
  for (const { caller } of calls) caller.socket.destroy()
  t.match(
    await logRowsOnce(gateway, 3), Array(3).fill({ success: false, error_type: /^(caller_gone|gateway_overloaded)$/ })
  )
  await until(() => room.usedBytes === 0)
})

t.test('a length that is announced takes no room, and what passes through unread takes none', async t => {
  const room = new BodyRoom(100_000, 200)
  const { gateway } = await scene(t, room)
  const idle = Array.from({ length: 20 }, () => begin(t, gateway, 'length', 0))
  const caller = new RawCaller(t, gateway.origin)
    .send(
      `POST /v1/files HTTP/1.1\r\nhost: a\r\ncontent-type: text/plain\r\ncontent-length: ${8 * PIECE.length}\r\n\r\n`
    )
    .send(PIECE.repeat(8))
  t.equal((await caller.answer()).status, 200)
  t.equal(room.usedBytes, 0)
  for (const { caller } of idle) caller.socket.destroy()
})

t.test('there is room for two of the largest bodies at least', t => {
  t.ok(bodyRoomBytes(1_000_000_000_000) === 2_000_000_000_000)
  t.ok(bodyRoomBytes(1) > 10_000_000)
  t.end()
})
