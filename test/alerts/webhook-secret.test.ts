import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Webhook } from 'standardwebhooks'
import t from 'tap'
import { loadWebhookSecret } from '../../src/alerts/webhook-secret.js'

t.test('a configured secret is used', async t => {
  t.equal(await loadWebhookSecret('whsec_mine', t.testdir()), 'whsec_mine')
})

t.test('the first start makes a secret for its owner\'s eyes only, later ones find it', async t => {
  const dataDir = join(t.testdir(), 'not', 'yet')
  const secret = await loadWebhookSecret(null, dataDir)
  t.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/)
  t.ok(new Webhook(secret).sign('msg_1', new Date(), '{}'))
  t.equal(statSync(join(dataDir, 'webhook-secret')).mode & 0o777, 0o600)
  t.equal(readFileSync(join(dataDir, 'webhook-secret'), 'utf8'), `${secret}\n`)
  t.equal(await loadWebhookSecret(null, dataDir), secret)
  t.not(await loadWebhookSecret(null, t.testdir()), secret)
})

t.test('a file with anything else is an error that says what to do, and not what it holds', async t => {
  for (const text of ['', 'hunter2', 'whsec_short']) {
    const dataDir = t.testdir({ 'webhook-secret': text })
    await t.rejects(loadWebhookSecret(null, dataDir), {
      message: `${join(dataDir, 'webhook-secret')} holds no webhook secret (whsec_…). Delete it to have one made, or set WEBHOOK_SECRET.`
    })
  }
})
