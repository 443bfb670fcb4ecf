import { Webhook } from 'standardwebhooks'
import t from 'tap'
import { databaseKinds, temporaryFolder, testDatabaseOptions } from '../helpers/database.js'
import { startGateway, type TestGateway } from '../helpers/gateway.js'
import { until } from '../helpers/until.js'
import { json, startUpstream } from '../helpers/upstream.js'
import { parseExposition } from '../metrics/exposition.js'
import { samplesOf, sumOf } from '../metrics/scrape.js'
import { secret, startMailServer, startReceiver } from './alert-scene.js'

/** A call costs 0.15 USD: gpt-4o-mini's price of a million tokens. */
const answer = json({
  model: 'gpt-4o-mini', choices: [], usage: { prompt_tokens: 1_000_000, completion_tokens: 0, total_tokens: 1_000_000 }
})

async function call (gateway: TestGateway): Promise<number> {
  const response = await fetch(`${gateway.origin}/prompt-types/a/v1/chat/completions`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json'
    },
    body: JSON.stringify({ model: 'gpt-4o-mini', messages: [] })
  })
  await response.arrayBuffer()
  return response.status
}

/** How many attempts to deliver an alert ended so, by the gateway's metrics. */
async function attemptsOf (gateway: TestGateway): Promise<Record<'delivered' | 'retried' | 'failed', number>> {
  const families = parseExposition(await (await fetch(`${gateway.origin}/metrics`)).text())
  const ended = (result: string): number =>
    sumOf(samplesOf(families, 'promptmeter_alert_attempts_total').filter(({ labels }) => labels['result'] === result))
  return { delivered: ended('delivered'), retried: ended('retried'), failed: ended('failed') }
}

for (const kind of databaseKinds) {
  t.test(`a budget that is spent through a gateway alerts by webhook and e-mail, once, and blocks until it is lifted (${kind})`, async t => {
    const upstream = await startUpstream(t)
    upstream.reply(answer)
    const receiver = await startReceiver(t)
    const mailServer = await startMailServer(t)
    const location = await testDatabaseOptions(t, kind)
    const options = {
      upstreamUrl: upstream.url,
      env: {
        WEBHOOK_ALLOW_PRIVATE: 'true',
        WEBHOOK_SECRET: secret,
        SMTP_URL: `smtp://me:hunter2%20p%40ss@127.0.0.1:${mailServer.port}`,
        ALERT_EMAIL_FROM: 'alerts@example.com'
      }
    }
    const gateway = await startGateway(t, { ...options, location })
    // The embedded database has one process; on PostgreSQL another instance goes by the same budget, and delivers too.
    const other = kind === 'embedded'
      ? gateway
      : await startGateway(t, { ...options, location: { ...location, dataDir: temporaryFolder(t) } })
    const { status, body } = await gateway.admin('POST', '/budgets', {
      name: 'all of a',
      prompt_type: 'a',
      period: 'total',
      limit_usd: 0.3,
      thresholds: [
        50, 100
      ],
      action: 'block',
      webhook_url: receiver.url,
      email: 'ops@example.org'
    })
    t.equal(status, 201)
    const { id } = body as { id: string }
    t.equal(await call(gateway), 200)
    await until(() => receiver.received.length === 1 && mailServer.mails.length === 1)
    t.equal(await call(other), 200)
    await until(() => receiver.received.length === 2 && mailServer.mails.length === 2)
    const messages = receiver.received.map(({ body, headers }) =>
      new Webhook(secret).verify(body, headers as Record<string, string>))
    t.match(messages, [
      { data: { budget_id: id, threshold: 50, spent_usd: 0.15, blocked: false } },
      { data: { threshold: 100, spent_usd: 0.3, blocked: true } }
    ])

    await until(async () => await call(gateway) === 429 && await call(other) === 429)
    const config = async (): Promise<unknown> => (await other.admin('GET', '/prompt-configs/a')).body
    t.match(await config(), { blocked: { budget_id: id, until: null } })
    const alerts = async (): Promise<unknown> => (await other.admin('GET', '/budget-alerts')).body
    await until(async () => JSON.stringify(await alerts()).match(/"state":"delivered"/g)?.length === 4)
    const attempts = await Promise.all([...new Set([gateway, other])].map(attemptsOf))
    t.equal(attempts.reduce((sum, { delivered }) => sum + delivered, 0), 4)
    t.match(attempts[0], { retried: 0, failed: 0 })
    t.match(await alerts(), {
      total: 2,
      items: [
        {
          threshold: 100,
          deliveries: [
            { channel: 'email', state: 'delivered' },
            { channel: 'webhook', target: `http://127.0.0.1:${receiver.port}`, attempt_count: 1 }
          ]
        },
        { threshold: 50 }
      ]
    })
    t.match((await gateway.admin('POST', '/prompt-configs/a/unblock')).body, { blocked: null })
    t.equal(await call(gateway), 200, 'this instance at once')
    await until(async () => await call(other) === 200)
    await gateway.close()
    await other.close()
    const again = await startGateway(t, { ...options, location })
    t.equal(await call(again), 200)
    t.match((await again.admin('GET', `/budgets/${id}`)).body, { state: 'exceeded', webhook_url: receiver.url })
    await again.close()
    t.equal(receiver.received.length, 2)
    t.equal(mailServer.mails.length, 2)
    t.notMatch(JSON.stringify([gateway.logged, other.logged, again.logged]), /s3cret|hunter2|p%40ss/)
  })
}
