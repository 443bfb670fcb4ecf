import { sql } from 'drizzle-orm'
import t from 'tap'
import { openDatabase } from '../../src/db/open-database.js'
import { alertDeliveries, budgetAlerts, budgets, usageRollups } from '../../src/db/schema/index.js'
import type { Outcome } from '../../src/alerts/alert-attempt.js'
import { deliverDue, scheduleAlerts } from '../../src/alerts/alerts.js'
import { emailDelivery } from '../../src/alerts/alert-email.js'
import { webhookDelivery } from '../../src/alerts/alert-webhook.js'
import { forEachDatabase, silentLog, temporaryFolder, testDatabaseOptions } from '../helpers/database.js'
import { until } from '../helpers/until.js'
import { addDelivery, alertDeps, deliveryRow, deliveryRows, logLines, never, secret, startMailServer, startReceiver } from './alert-scene.js'

const start = Date.parse('2026-11-22T12:00:00Z')
const seconds = (ms: number): number => Math.round(ms / 1000)

forEachDatabase(t, 'a receiver that fails and comes back gets the alert once, with the same id at every attempt', async (t, database) => {
  const receiver = await startReceiver(t)
  let now = start
  const deps = alertDeps(database, () => now)
  const id = await addDelivery(database, 1, { channel: 'webhook', target: receiver.url })
  receiver.answer = response => { response.writeHead(500).end() }
  const waits: number[] = []
  for (let attempts = 0; attempts < 7; attempts++) {
    t.equal(await deliverDue(deps, never, never), 1)
    const row = await deliveryRow(database, id)
    t.equal(row.state, 'pending')
    waits.push(seconds(Date.parse(row.next_attempt_at) - now))
    now = Date.parse(row.next_attempt_at) - 1
    t.equal(await deliverDue(deps, never, never), 0, 'not before it is due')
    now++
  }
  t.strictSame(waits, [5, 30, 120, 600, 1800, 3600, 3600])
  receiver.answer = response => { response.end() }
  t.equal(await deliverDue(deps, never, never), 1)
  t.equal(await deliverDue(deps, never, never), 0)
  const row = await deliveryRow(database, id)
  t.match(row, { state: 'delivered', attempt_count: 8, delivered_at: String })
  t.equal(Date.parse(row.delivered_at ?? ''), now)
  t.equal(row.attempts.length, 8)
  t.match(row.attempts[0], { at: '2026-11-22T12:00:00.000Z', duration_ms: 0, status_code: 500, error: 'answered 500' })
  t.match(row.attempts[7], { status_code: 200, error: null })
  t.equal(receiver.received.length, 8)
  t.strictSame(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])), new Set([id]))
  t.equal(new Set(receiver.received.map(({ body }) => body)).size, 1)
})

forEachDatabase(t, 'after a day it is given up, and what can never work at once', async (t, database) => {
  const receiver = await startReceiver(t)
  let now = start
  const log = logLines()
  const results: string[] = []
  const deps = alertDeps(database, () => now, { log, observe: (channel, result) => { results.push(`${channel} ${result}`) } })
  const slow = await addDelivery(database, 1, { channel: 'webhook', target: receiver.url })
  receiver.answer = response => { response.writeHead(503).end() }
  while ((await deliveryRow(database, slow)).state === 'pending') {
    await deliverDue(deps, never, never)
    now = Math.max(now, Date.parse((await deliveryRow(database, slow)).next_attempt_at))
  }
  const { attempts } = await deliveryRow(database, slow)
  t.equal(attempts.length, 29)
  t.same(results.splice(0), [...Array.from({ length: 28 }, () => 'webhook retried'), 'webhook failed'])
  const lastedMs = Date.parse(attempts.at(-1)?.at ?? '') - start
  t.ok(lastedMs > 23 * 3_600_000 && lastedMs <= 24 * 3_600_000, String(lastedMs))
  receiver.answer = response => { response.writeHead(410).end() }
  const gone = await addDelivery(database, 2, { channel: 'webhook', target: receiver.url })
  const refused = await addDelivery(database, 3, { channel: 'webhook', target: 'http://10.0.0.1/s3cret' })
  await deliverDue({ ...deps, webhook: webhookDelivery({ secret, allowPrivate: false, now: () => now }) }, never, never)
  t.match(await deliveryRow(database, refused), { state: 'failed', attempts: [{ error: /^not sent: '10\.0\.0\.1'/ }] })
  t.match(await deliveryRow(database, gone), { state: 'failed', attempts: [{ error: /^not sent: '127\.0\.0\.1'/ }] })
  const last = await addDelivery(database, 4, { channel: 'webhook', target: receiver.url })
  await deliverDue(deps, never, never)
  t.match(await deliveryRow(database, last), { state: 'failed', attempt_count: 1, attempts: [{ status_code: 410 }] })
  t.same(results, ['webhook failed', 'webhook failed', 'webhook failed'])
  t.notMatch(log.lines.join('\n'), 's3cret')
  t.notMatch(JSON.stringify(await deliveryRows(database).then(rows => rows.map(({ attempts }) => attempts))), 's3cret')
})

forEachDatabase(t, 'Retry-After puts the next attempt off, and one beyond the day is the end', async (t, database) => {
  const receiver = await startReceiver(t)
  let now = start
  const id = await addDelivery(database, 1, { channel: 'webhook', target: receiver.url })
  receiver.answer = response => { response.writeHead(429, { 'retry-after': '7200' }).end() }
  await deliverDue(alertDeps(database, () => now), never, never)
  t.equal(Date.parse((await deliveryRow(database, id)).next_attempt_at), start + 7_200_000)
  now += 7_200_000
  receiver.answer = response => { response.writeHead(503, { 'retry-after': '86400' }).end() }
  await deliverDue(alertDeps(database, () => now), never, never)
  t.match(await deliveryRow(database, id), { state: 'failed', attempt_count: 2 })
})

forEachDatabase(t, 'a claim that nobody ends is taken up again after its lease, an attempt that was late after all is kept', async (t, database) => {
  const receiver = await startReceiver(t)
  let now = start
  const id = await addDelivery(database, 1, { channel: 'webhook', target: receiver.url })
  const under: ((outcome: Outcome) => void)[] = []
  const webhook = async (): Promise<Outcome> => await new Promise(resolve => { under.push(resolve) })
  const dying = deliverDue(alertDeps(database, () => now, { webhook }), never, never)
  await until(() => under.length === 1)
  t.match(await deliveryRow(database, id), { state: 'pending', attempt_count: 1, attempts: [] })
  t.equal(await deliverDue(alertDeps(database, () => now), never, never), 0)
  now += 119_999
  t.equal(await deliverDue(alertDeps(database, () => now), never, never), 0)
  now += 1
  t.equal(await deliverDue(alertDeps(database, () => now), never, never), 1)
  t.match(await deliveryRow(database, id), { state: 'delivered', attempt_count: 2 })
  under[0]?.({ statusCode: null, error: 'too late' })
  await dying
  t.match(await deliveryRow(database, id), { state: 'delivered', attempt_count: 2, attempts: [{ error: null }, { error: 'too late' }] })
  t.equal(receiver.received.length, 1)
})

forEachDatabase(t, 'one that was never attempted is due, whatever the clocks say', async (t, database) => {
  const receiver = await startReceiver(t)
  await addDelivery(database, 1, { channel: 'webhook', target: receiver.url }, { created_at: '2999-01-01T00:00:00Z' })
  t.equal(await deliverDue(alertDeps(database, () => start), never, never), 1)
})

t.test('five instances deliver each of a hundred alerts once', async t => {
  const receiver = await startReceiver(t)
  const { databaseUrl } = await testDatabaseOptions(t, 'postgres')
  const databases = await Promise.all(Array.from({ length: 5 }, async () => {
    const database = await openDatabase({ databaseUrl, dataDir: temporaryFolder(t), log: silentLog })
    t.teardown(async () => await database.close())
    return database
  }))
  const [first] = databases
  if (first === undefined) throw new Error('no database')
  const ids = new Set<string>()
  for (let number = 0; number < 100; number++) ids.add(await addDelivery(first, number, { channel: 'webhook', target: receiver.url }))
  const counts = await Promise.all(databases.map(async database => await deliverDue(alertDeps(database, () => start), never, never)))
  t.equal(counts.reduce((sum, count) => sum + count), 100)
  t.equal(receiver.received.length, 100)
  t.strictSame(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])), ids)
  t.ok((await deliveryRows(first)).every(({ state, attempt_count: count }) => state === 'delivered' && count === 1))
})

t.test('five instances that recount a budget at once fire each threshold once, and send each alert once', async t => {
  const receiver = await startReceiver(t)
  const { databaseUrl } = await testDatabaseOptions(t, 'postgres')
  const scene = await Promise.all(Array.from({ length: 5 }, async () => {
    const database = await openDatabase({ databaseUrl, dataDir: temporaryFolder(t), log: silentLog })
    t.teardown(async () => await database.close())
    const job = scheduleAlerts(alertDeps(database, Date.now))
    t.teardown(async () => await job.close())
    return { database, job }
  }))
  const database = scene[0]?.database
  if (database === undefined) throw new Error('no database')
  const id = '00000003-0000-4000-8000-000000000001'
  await database.operator.insert(budgets).values({ id, name: 'all', period: 'day', limit_usd: '10', thresholds: [50, 80, 100, 200], action: 'alert', webhook_url: receiver.url })
  await database.operator.insert(usageRollups).values({
    hour: '2026-11-22T10:00:00Z', prompt_type: 'a', model: 'm', user_name: '', calls: 1, failed_calls: 0, blocked_calls: 0, unpriced_calls: 0, input_tokens: 1, cached_input_tokens: 0, output_tokens: 1, reasoning_tokens: 0, cost: '12', duration_ms: 1
  })
  await Promise.all(scene.map(async ({ database }) => {
    await database.operator.execute(sql`select recount_budget(${id}, ${new Date(start).toISOString()}::timestamptz)`)
  }))
  // They hear of it: nobody polls within the time that this test may take.
  await until(() => receiver.received.length >= 3)
  await Promise.all(scene.map(async ({ job }) => await job.close()))
  t.strictSame((await database.operator.select().from(budgetAlerts).orderBy(budgetAlerts.threshold)).map(({ threshold }) => threshold), [50, 80, 100])
  t.equal(receiver.received.length, 3)
  t.ok((await deliveryRows(database)).every(({ state }) => state === 'delivered'))
})

forEachDatabase(t, 'what waited over a restart is delivered at the start, and again when it is due', async (t, database) => {
  const receiver = await startReceiver(t)
  await addDelivery(database, 1, { channel: 'webhook', target: receiver.url })
  const first = scheduleAlerts(alertDeps(database, Date.now))
  await first.firstRun
  await first.close()
  t.equal(receiver.received.length, 1)
  await addDelivery(database, 2, { channel: 'webhook', target: receiver.url })
  receiver.answer = response => { response.writeHead(500).end() }
  const failing = scheduleAlerts(alertDeps(database, Date.now))
  await failing.firstRun
  await failing.close()
  t.equal(receiver.received.length, 2)
  receiver.answer = response => { response.end() }
  await database.operator.update(alertDeliveries).set({ next_attempt_at: new Date(Date.now() + 200).toISOString() }).where(sql`state = 'pending'`)
  const later = scheduleAlerts(alertDeps(database, Date.now))
  t.teardown(async () => await later.close())
  await until(() => receiver.received.length === 3)
})

forEachDatabase(t, 'closing lets an attempt end, and begins no other', async (t, database) => {
  const receiver = await startReceiver(t)
  for (let number = 0; number < 11; number++) await addDelivery(database, number, { channel: 'webhook', target: receiver.url })
  const answers: (() => void)[] = []
  receiver.answer = response => { answers.push(() => { response.end() }) }
  const job = scheduleAlerts(alertDeps(database, Date.now))
  await until(() => answers.length === 10)
  const closed = job.close()
  for (const answer of answers) answer()
  await closed
  const states = (await deliveryRows(database)).map(({ state }) => state)
  t.strictSame([states.filter(state => state === 'delivered').length, states.filter(state => state === 'pending').length], [10, 1])
})

t.test('closing does not wait for a database that does not answer', async t => {
  const { databaseUrl } = await testDatabaseOptions(t, 'postgres')
  const database = await openDatabase({ databaseUrl, dataDir: temporaryFolder(t), log: silentLog })
  t.teardown(async () => await database.close())
  let asked = 0
  const execute = async (): Promise<never> => await new Promise(() => { asked++ })
  const operator = Object.assign(Object.create(database.operator) as typeof database.operator, { execute })
  const job = scheduleAlerts(alertDeps({ ...database, operator }, Date.now))
  await job.close()
  t.equal(asked, 1)
})

t.test('without its database the job says so and goes on', async t => {
  const log = logLines()
  const { databaseUrl } = await testDatabaseOptions(t, 'postgres')
  const database = await openDatabase({ databaseUrl, dataDir: temporaryFolder(t), log: silentLog })
  await database.operator.execute(sql`alter table alert_deliveries rename to elsewhere`)
  const job = scheduleAlerts(alertDeps(database, Date.now, { log }))
  await job.firstRun
  await job.close()
  await database.close()
  t.match(log.lines.join('\n'), 'alerts could not be delivered; trying again in a minute')
})

t.test('an e-mail says what, how much of what, since when and what happens now', async t => {
  const { port, mails } = await startMailServer(t)
  const { databaseUrl } = await testDatabaseOptions(t, 'postgres')
  const database = await openDatabase({ databaseUrl, dataDir: temporaryFolder(t), log: silentLog })
  t.teardown(async () => await database.close())
  const email = emailDelivery({ smtpUrl: `smtp://me:hunter2%20p%40ss@127.0.0.1:${port}`, from: 'Alërts <alerts@example.com>' })
  const id = await addDelivery(database, 1, { channel: 'email', target: 'ops@example.org' }, {
    budget_name: 'Bücher\r\nBcc: victim@example.com', threshold: 100, period: 'total', period_start: '1970-01-01T00:00:00Z', limit_usd: '0.001', spent_usd: '0.0010000001', prompt_type: null
  })
  const injected = await addDelivery(database, 2, { channel: 'email', target: 'ops@example.org, victim@example.com' }, { action: 'alert' })
  const unknown = await addDelivery(database, 3, { channel: 'email', target: 'who@gone.example.com' })
  await deliverDue(alertDeps(database, Date.now, { email }), never, never)
  t.match(await deliveryRow(database, id), { state: 'delivered', attempts: [{ status_code: 250, error: null }] })
  t.match(await deliveryRow(database, unknown), { state: 'failed', attempts: [{ status_code: 550, error: /no such user here/ }] })
  t.not((await deliveryRow(database, injected)).state, 'delivered')
  t.equal(mails.length, 1)
  const mail = mails[0] ?? { from: '', to: [], data: '' }
  t.strictSame([mail.from, mail.to], ['alerts@example.com', ['ops@example.org']])
  t.match(mail.data, `Message-ID: <${id}@example.com>`)
  const [head = '', body = ''] = mail.data.replace(/\r\n[ \t]/g, ' ').split('\r\n\r\n')
  t.notMatch(head, /^Bcc:/m)
  t.match(head, /^To: ops@example\.org$/m)
  t.match(head, /^Auto-Submitted: auto-generated$/m)
  t.match(head, /^Content-Type: text\/plain; charset=utf-8$/m)
  t.match(decodeURIComponent(body.replace(/=\r\n/g, '').replace(/%/g, '%25').replace(/=([\dA-F]{2})/g, '%$1')),
    /has reached 100 %: \$0\.0010000001 of \$0\.001 spent by all traffic in total\. All calls are rejected now, until the limit is raised or an operator lifts the block\./)
})

t.test('an SMTP server that fails is tried again, and no password is in what is kept or logged', async t => {
  const { port } = await startMailServer(t)
  const { databaseUrl } = await testDatabaseOptions(t, 'postgres')
  const database = await openDatabase({ databaseUrl, dataDir: temporaryFolder(t), log: silentLog })
  t.teardown(async () => await database.close())
  const from = 'alerts@example.com'
  const log = logLines()
  let number = 0
  const failed = async (deps: Parameters<typeof emailDelivery>[0] | null): Promise<unknown> => {
    const id = await addDelivery(database, ++number, { channel: 'email', target: 'ops@example.org' })
    await deliverDue(alertDeps(database, Date.now, { email: deps === null ? null : emailDelivery(deps), log }), never, never)
    const { state, attempts } = await deliveryRow(database, id)
    t.equal(state, 'pending')
    return attempts[0]?.error
  }
  t.equal(await failed({ smtpUrl: `smtp://me:s3cret@127.0.0.1:${port}`, from }), 'the SMTP server rejected the login of SMTP_URL')
  t.match(await failed({ smtpUrl: 'smtp://me:s3cret@127.0.0.1:1', from }), /ECONNREFUSED/)
  t.equal(await failed(null), 'SMTP_URL is not set')
  const silent = await startReceiver(t)
  t.equal(await failed({ smtpUrl: `smtp://me:s3cret@127.0.0.1:${silent.port}`, from, timeoutMs: 50 }), 'no answer within 0.05 s')
  t.notMatch(log.lines.join('\n'), 's3cret')
})
