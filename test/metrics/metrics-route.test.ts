import Fastify, { type FastifyInstance } from 'fastify'
import t from 'tap'
import { metricsRoute } from '../../src/metrics/metrics-route.js'
import { parseExposition } from './exposition.js'
import { newMetrics } from './scrape.js'

type Test = Parameters<typeof newMetrics>[0]

async function start (
  t: Test, token: string | null, onLog: (line: string) => void = () => {}
): Promise<FastifyInstance> {
  const app = Fastify({ logger: { level: 'trace', stream: { write: onLog } } })
  await app.register(metricsRoute, { metrics: newMetrics(t), token })
  t.teardown(() => { void app.close() })
  return app
}

t.test('without a token set, anyone may read the metrics, as Prometheus\' text', async t => {
  const app = await start(t, null)
  for (const headers of [{}, { authorization: 'Bearer whatever' }]) {
    const response = await app.inject({ url: '/metrics', headers })
    t.equal(response.statusCode, 200)
    t.equal(response.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8')
    t.ok(parseExposition(response.body).has('promptmeter_records_lost_total'))
  }
})

t.test('with a token set, only it opens them', async t => {
  const app = await start(t, 'open/sesame=')
  for (const authorization of ['Bearer open/sesame=', 'bearer open/sesame=', 'Bearer  open/sesame=']) {
    t.equal((await app.inject({ url: '/metrics', headers: { authorization } })).statusCode, 200, authorization)
  }
  for (const authorization of [undefined, '', 'Bearer', 'Bearer ', 'Bearer open', 'Bearer open/sesame', 'Bearer open/sesame=x', 'Bearer OPEN/SESAME=', 'open/sesame=',
    'Basic open/sesame=', 'Bearer open/sesame= x', 'Bearer x, Bearer open/sesame=', `Bearer ${'x'.repeat(8000)}`]) {
    const response = await app.inject({
      url: '/metrics', headers: authorization === undefined ? {} : { authorization }
    })
    t.equal(response.statusCode, 401, authorization ?? 'none')
    t.match(response.headers['www-authenticate'], /^Bearer realm="/)
    t.match(response.json(), { error: { code: 'invalid_metrics_token' } })
    t.notMatch(response.body, /sesame|promptmeter_/)
  }
  t.equal((await app.inject({ url: '/metrics?token=open/sesame=' })).statusCode, 401, 'a URL is no place for a token')
})

t.test('the token is in no log line', async t => {
  const lines: string[] = []
  const app = await start(t, 'open-sesame', line => { lines.push(line) })
  await app.inject({ url: '/metrics', headers: { authorization: 'Bearer open-sesame' } })
  await app.inject({ url: '/metrics', headers: { authorization: 'Bearer wrong' } })
  t.ok(lines.length > 0)
  t.notMatch(lines.join(''), /sesame|wrong/)
})
