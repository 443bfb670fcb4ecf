import { once } from 'node:events'
import { createServer as createTcpServer, type AddressInfo, type LookupFunction } from 'node:net'
import { Webhook } from 'standardwebhooks'
import t from 'tap'
import type { Outcome } from '../../src/alerts/alert-attempt.js'
import { type Claim } from '../../src/alerts/alert-outbox.js'
import { webhookDelivery, type WebhookOptions } from '../../src/alerts/alert-webhook.js'
import { never, secret, startReceiver } from './alert-scene.js'

const claim: Claim = {
  id: '00000002-0000-4000-8000-000000000001',
  channel: 'webhook',
  target: '',
  attempt: 1,
  firstAttemptAtMs: null,
  alertId: '00000001-0000-4000-8000-000000000001',
  budgetId: '00000003-0000-4000-8000-000000000001',
  budgetName: 'Images <monthly> & more',
  promptType: 'generate_image_metadata',
  period: 'month',
  periodStart: '2028-02-01T00:00:00.000Z',
  threshold: 100,
  action: 'block',
  limitUsd: '250.000000000000',
  spentUsd: '250.004000000001',
  createdAt: '2028-02-29T12:00:00.000Z'
}

async function deliver (target: string, options: Partial<WebhookOptions> = {}, signal = never): Promise<Outcome> {
  return await webhookDelivery({ secret, allowPrivate: true, now: Date.now, ...options })({ ...claim, target }, signal)
}

/** Answers every name with these addresses. */
const resolveTo = (...addresses: string[]): LookupFunction => (_hostname, options, callback) => {
  const found = addresses.map(address => ({ address, family: address.includes(':') ? 6 : 4 }))
  if (options.all === true) callback(null, found)
  else callback(null, found[0]?.address ?? '', found[0]?.family)
}

t.test('a webhook is signed as Standard Webhooks has it, and its text reads well in Slack', async t => {
  const receiver = await startReceiver(t)
  t.strictSame(await deliver(receiver.url), { statusCode: 200, error: null })
  const { url, headers, body } = receiver.received[0] ?? { url: '', headers: {}, body: '' }
  t.equal(url, '/hook/s3cret')
  t.equal(headers['content-type'], 'application/json')
  t.equal(headers['webhook-id'], claim.id)
  t.strictSame(new Webhook(secret).verify(body, headers as Record<string, string>), {
    type: 'budget.threshold_reached',
    timestamp: '2028-02-29T12:00:00.000Z',
    text: 'Budget "Images &lt;monthly&gt; &amp; more" has reached 100 %: $250.00 of $250.00 spent by prompt type generate_image_metadata this month (since 2028-02-01, UTC). ' +
      'Calls of this prompt type are rejected now, until 2028-03-01 00:00 UTC or until the limit is raised or an operator lifts the block.',
    data: {
      alert_id: claim.alertId,
      budget_id: claim.budgetId,
      budget_name: 'Images <monthly> & more',
      prompt_type: 'generate_image_metadata',
      period: 'month',
      period_start: '2028-02-01T00:00:00.000Z',
      period_end: '2028-03-01T00:00:00.000Z',
      threshold: 100,
      action: 'block',
      limit_usd: 250,
      spent_usd: 250.004000000001,
      blocked: true
    }
  })
  t.throws(() => new Webhook(secret).verify(body.replace('250', '251'), headers as Record<string, string>))
})

t.test('a redirect is not followed, 410 is the last word, Retry-After is heard', async t => {
  const receiver = await startReceiver(t)
  const other = await startReceiver(t)
  const answered = async (status: number, headers: Record<string, string> = {}): Promise<Outcome> => {
    receiver.answer = response => { response.writeHead(status, headers).end('never mind /hook/s3cret') }
    return await deliver(receiver.url, { now: () => Date.parse('2028-02-29T12:00:00Z') })
  }
  for (const status of [301, 302, 307, 308]) {
    const outcome = await answered(status, { location: other.url })
    t.match(outcome, { statusCode: status, error: `answered ${status}: redirects are not followed` })
    t.notOk(outcome.isFinal)
  }
  t.equal(other.received.length, 0)
  t.strictSame(await answered(204), { statusCode: 204, error: null })
  t.match(await answered(410), { statusCode: 410, isFinal: true })
  t.match(await answered(429, { 'retry-after': '90' }), { error: 'answered 429', retryAfterMs: 90_000 })
  t.match(await answered(503, { 'retry-after': 'Tue, 29 Feb 2028 12:01:00 GMT' }), { retryAfterMs: 60_000 })
  for (const wrong of ['soon', '-5', 'Tue, 29 Feb 2028 11:00:00 GMT']) {
    t.match(
      await answered(503, { 'retry-after': wrong }), { retryAfterMs: 0 }, wrong
    )
  }
  t.match(await answered(500, { 'retry-after': '90' }), { statusCode: 500, error: 'answered 500', retryAfterMs: 0 })
  t.match(await answered(404), { statusCode: 404, error: 'answered 404' })
})

t.test('a receiver that says nothing, breaks off or is not there is a failure in words without the path', async t => {
  const receiver = await startReceiver(t)
  receiver.answer = () => {}
  t.strictSame(await deliver(receiver.url, { timeoutMs: 50 }), { statusCode: null, error: 'no answer within 0.05 s' })
  const closing = new AbortController()
  receiver.answer = () => closing.abort()
  t.strictSame(await deliver(receiver.url, {}, closing.signal), {
    statusCode: null, error: 'aborted: the gateway stopped'
  })
  receiver.answer = response => response.destroy()
  t.strictSame(await deliver(receiver.url), { statusCode: null, error: 'socket hang up' })
  const noise = createTcpServer(socket => socket.resume().end('SSH-2.0-OpenSSH_9\r\n')).listen(0, '127.0.0.1')
  await once(noise, 'listening')
  t.match(await deliver(`http://127.0.0.1:${(noise.address() as AddressInfo).port}/s3cret`), {
    statusCode: null, error: /^Parse Error/
  })
  t.match(await deliver(`https://127.0.0.1:${receiver.port}/s3cret`), { statusCode: null, error: /SSL|EPROTO/ })
  const { port } = noise.address() as AddressInfo
  noise.close()
  await once(noise, 'close')
  t.strictSame(await deliver(`http://127.0.0.1:${port}/s3cret`), {
    statusCode: null, error: `connect ECONNREFUSED 127.0.0.1:${port}`
  })
  t.match(await deliver(`http://nobody.example.com:${port}/s3cret`, {
    lookup: resolveTo('127.0.0.1', '127.0.0.2')
  }), { error: /^connect ECONNREFUSED 127/ })
})

t.test('a body without end delays nothing and is not read to its end', async t => {
  const receiver = await startReceiver(t)
  let sentBytes = 0
  const isCut = new Promise<void>(resolve => {
    receiver.answer = response => {
      const chunk = Buffer.alloc(16_384)
      const more = (): void => {
        while (!response.destroyed && response.write(chunk)) sentBytes += chunk.length
      }
      response.on('drain', more).on('close', resolve).writeHead(200)
      more()
    }
  })
  t.strictSame(await deliver(receiver.url), { statusCode: 200, error: null })
  await isCut
  t.ok(sentBytes < 50_000_000, `${sentBytes} bytes`)
})

t.test('a body that stops half-way is a delivery all the same', async t => {
  const receiver = await startReceiver(t)
  receiver.answer = response => { response.writeHead(200, { 'content-length': '10' }).write('half') }
  t.strictSame(await deliver(receiver.url, { timeoutMs: 2000 }), { statusCode: 200, error: null })
})

t.test('a private target is refused by the address that would be connected to, and nothing is sent', async t => {
  const receiver = await startReceiver(t)
  const refused = async (host: string, lookup?: LookupFunction): Promise<Outcome> =>
    await deliver(`http://${host}:${receiver.port}/s3cret`, {
      allowPrivate: false, timeoutMs: 500, ...lookup === undefined ? {} : { lookup }
    })
  for (const host of [
    '127.0.0.1', '2130706433', '[::1]', '[::ffff:127.0.0.1]', '10.0.0.1', '0.0.0.0', '169.254.169.254'
  ]) {
    t.match(
      await refused(host),
      {
        statusCode: null,
        isFinal: true,
        error: /^not sent: .* is not a public address; set WEBHOOK_ALLOW_PRIVATE=true to allow it$/
      },
      host
    )
  }
  t.match(
    await refused('localhost'),
    { isFinal: true, error: /^not sent: 'localhost' leads to (127\.0\.0\.1|::1)/ },
    'by the system\'s resolver'
  )
  for (const address of ['127.0.0.1', '::1', '64:ff9b::7f00:1', '100.64.1.1', 'fd00::1']) {
    t.match(
      await refused('hooks.example.com', resolveTo(address)),
      { isFinal: true, error: `not sent: 'hooks.example.com' leads to ${address}, which is not a public address` },
      address
    )
  }
  t.equal(receiver.received.length, 0)
})

t.test('a name is looked up once for the check and the connection, so that it cannot change in between', async t => {
  const receiver = await startReceiver(t)
  let lookups = 0
  const rebinding: LookupFunction = (hostname, options, callback) => {
    lookups++
    // A public answer first, and loopback for whoever asks again.
    resolveTo(lookups === 1 ? '192.0.2.1' : '127.0.0.1')(hostname, options, callback)
  }
  t.match(await deliver(`http://rebind.example.com:${receiver.port}/`, {
    allowPrivate: false, lookup: rebinding
  }), { isFinal: true })
  t.equal(lookups, 1)
  // Of several addresses only the public ones are tried: this machine reaches none of them.
  const outcome = await deliver(`http://mixed.example.com:${receiver.port}/`, {
    allowPrivate: false, lookup: resolveTo('127.0.0.1', '1.1.1.1'), timeoutMs: 200
  })
  t.equal(outcome.statusCode, null)
  t.notMatch(outcome.error, 'not sent:')
  t.equal(receiver.received.length, 0)
  t.match(await deliver(`http://nowhere.example.com:${receiver.port}/`, {
    allowPrivate: false,
    lookup: (_hostname, _options, callback) =>
      callback(Object.assign(new Error('getaddrinfo ENOTFOUND nowhere.example.com'), { code: 'ENOTFOUND' }), [])
  }), { error: 'getaddrinfo ENOTFOUND nowhere.example.com' })
})
