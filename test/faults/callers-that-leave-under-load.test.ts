import { once } from 'node:events'
import t from 'tap'
import { RawCaller, logRowsOnce, requestText, statsOf } from '../proxy/raw-caller.js'
import { databaseKinds } from '../helpers/database.js'
import { startGateway } from '../helpers/gateway.js'
import { inParallel } from '../helpers/http-call.js'
import { type HttpReply, type Reply, events, json, silence, startUpstream } from '../helpers/upstream.js'

const CALLERS = 100
const ROUNDS = 40
const plain = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}'
const streamed = plain.replace('{', '{"stream":true,')
const usage = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 }
const delta = (
  content: string
): string => `data: {"model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":"${content}"}}]}\n\n`
const forever = (): Promise<never> => new Promise(() => undefined)

/** An endless answer after these events: only its caller's leaving ends it. */
const endless = (type: string, ...pieces: string[]): HttpReply => ({
  headers: ['content-type', type], body: [...pieces, forever]
})

interface Fate {
  readonly name: string
  readonly body: string
  readonly reply: Reply
  /** Leaves once this has come; null: stays to the end. The empty text has come as soon as upstream has the call. */
  readonly leavesAt: string | null
  /** Upstream hears of the call. */
  readonly reachesUpstream: boolean
}

const fates: readonly Fate[] = [
  {
    name: 'stays for an answer',
    body: plain,
    reply: json({ model: 'gpt-4o-mini', usage }),
    leavesAt: null,
    reachesUpstream: true
  },
  {
    name: 'stays for a stream',
    body: streamed,
    reply: events({ model: 'gpt-4o-mini', choices: [], usage }),
    leavesAt: null,
    reachesUpstream: true
  },
  { name: 'leaves in its upload', body: plain, reply: silence, leavesAt: '', reachesUpstream: false },
  { name: 'leaves before the answer', body: plain, reply: silence, leavesAt: '', reachesUpstream: true },
  {
    name: 'leaves behind the headers',
    body: streamed,
    reply: endless('text/event-stream'),
    leavesAt: '\r\n\r\n',
    reachesUpstream: true
  },
  {
    name: 'leaves in mid-stream',
    body: streamed,
    reply: endless('text/event-stream', delta('one'), delta('two')),
    leavesAt: 'two',
    reachesUpstream: true
  },
  {
    name: 'leaves in the body',
    body: plain,
    reply: endless('audio/wav', 'RIFF', 'data'),
    leavesAt: 'RIFF',
    reachesUpstream: true
  }
]

function fateOf (number: number): Fate {
  const fate = fates[number % fates.length]
  if (fate === undefined) throw new Error('every number has a fate')
  return fate
}

const isRow = (number: number, row: Readonly<Record<string, unknown>> | undefined): boolean => {
  const { leavesAt } = fateOf(number)
  return leavesAt === null
    ? row?.['success'] === true && row['status_code'] === 200 && row['input_tokens'] === '11'
    : row?.['success'] === false && row['error_type'] === 'caller_gone' &&
      row['status_code'] === (leavesAt === '' ? 499 : 200)
}

for (const kind of databaseKinds) {
  t.test(`of 100 callers some leave at every point: upstream stops, the others get their answers, each call is recorded once (${kind})`, async t => {
    const upstream = await startUpstream(t)
    const arrivals = new Map<number, () => void>()
    upstream.reply(request => {
      const number = Number(request.headers('x-call')[0])
      arrivals.get(number)?.()
      return fateOf(number).reply
    })
    const gateway = await startGateway(t, { upstreamUrl: upstream.url, kind, env: { RECORD_WAIT_MS: '60000' } })
    const calls = Array.from({ length: fates.length * ROUNDS }, (_, number) => number)
    const unexpected: string[] = []
    await inParallel(CALLERS, calls, async number => {
      const { leavesAt, reachesUpstream, body, name } = fateOf(number)
      const text = requestText(
        'POST /v1/chat/completions', [`x-call: ${number}`, `x-prompt-user: ${number}`, 'x-prompt-type: left'], body
      )
      const caller = new RawCaller(t, gateway.origin)
      if (leavesAt === null) {
        const answer = await caller.send(text).answer()
        if (answer.status !== 200 || !answer.complete) unexpected.push(`${name}: ${JSON.stringify(answer)}`)
        caller.socket.destroy()
        return
      }
      if (reachesUpstream) {
        const arrived = new Promise<void>(resolve => arrivals.set(number, resolve))
        caller.send(text)
        await arrived
        await caller.until(leavesAt)
      } else {
        // Closed in order, not reset: what was sent before is read before the end.
        await new Promise<void>(resolve => caller.socket.write(text.slice(0, -10), () => resolve()))
      }
      if (number % 2 === 0 && reachesUpstream) caller.socket.resetAndDestroy()
      else caller.socket.destroy()
      await once(caller.socket, 'close')
    })
    t.same(unexpected, [])

    const rows = await logRowsOnce(gateway, calls.length)
    const byCall = new Map(rows.map(row => [Number(row['user_name']), row]))
    t.equal(rows.length, calls.length)
    t.equal(byCall.size, calls.length, 'one record each')
    t.same(calls.filter(number => !isRow(number, byCall.get(number)))
      .map(number => [fateOf(number).name, byCall.get(number)]), [])
    t.match(await statsOf(gateway, 'left'), {
      total_calls: String(calls.length), failed_calls: String(5 * ROUNDS), total_input_tokens: /^[1-9]/
    })
    t.equal(upstream.requests.length, 6 * ROUNDS, 'an upload that broke off is not sent on')
    const ends = await Promise.all(upstream.requests.map(request => request.closed))
    t.equal(ends.filter(how => how === 'aborted').length, 4 * ROUNDS, 'upstream is told of each that left')
    t.same(gateway.logged.filter(line => Number(line['level']) >= 50), [])
  })
}
