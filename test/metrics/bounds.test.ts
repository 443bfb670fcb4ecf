import fc from 'fast-check'
import t from 'tap'
import { callRecord } from '../helpers/batches.js'
import { newMetrics, samplesOf, scrape, sumOf, valueOf } from './scrape.js'

const CALLS = 'promptmeter_calls_total'

t.test('ten thousand prompt types make a thousand series at most, and every call is counted', async t => {
  const metrics = newMetrics(t)
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 10_000; i++) {
      metrics.observeCall(
        callRecord({
          promptType: `type_${i}`, responseModel: i % 2 === 0 ? 'gpt-4o' : 'gpt-5', costPicoUsd: 1_000_000_000_000n
        })
      )
    }
  }
  const families = await scrape(metrics)
  const calls = samplesOf(families, CALLS)
  t.equal(calls.length, 802, 'the first 800 types, and the others by model')
  t.equal(sumOf(calls), 20_000)
  t.equal(sumOf(samplesOf(families, 'promptmeter_cost_usd_total')), 20_000)
  t.equal(valueOf(families, CALLS, { prompt_type: 'type_799' }), 2, 'who came first keeps a series')
  t.equal(valueOf(families, CALLS, { prompt_type: '_other', model: 'gpt-5' }), 9200)
  t.equal(valueOf(families, CALLS, { prompt_type: '_other', model: 'gpt-4o' }), 9200)
})

t.test('a caller that makes up models leaves the prompt types their series', async t => {
  const metrics = newMetrics(t)
  for (let i = 0; i < 5000; i++) {
    metrics.observeCall(
      callRecord({
        promptType: 'guesser', requestModel: `gpt-${i}`, responseModel: null, statusCode: 404, success: false
      })
    )
  }
  metrics.observeCall(callRecord({ promptType: 'late', responseModel: 'gpt-late' }))
  const families = await scrape(metrics)
  t.equal(samplesOf(families, CALLS).length, 102)
  t.equal(valueOf(families, CALLS, { prompt_type: 'guesser', model: '_other' }), 4900)
  t.equal(valueOf(families, CALLS, { prompt_type: 'late', model: '_other' }), 1)
})

t.test('types, models and statuses without end make a thousand series', async t => {
  const metrics = newMetrics(t)
  const seen = new Set<number>()
  for (let i = 0; i < 100_000; i++) {
    const statusCode = 100 + (i * 7919) % 900
    seen.add(statusCode)
    metrics.observeCall(callRecord({ promptType: `type_${i % 10_000}`, responseModel: `model_${i % 777}`, statusCode }))
  }
  const families = await scrape(metrics)
  const calls = samplesOf(families, CALLS)
  t.equal(seen.size, 900)
  t.equal(calls.length, 1000)
  t.equal(sumOf(calls), 100_000)
  t.ok((valueOf(families, CALLS, { prompt_type: '_other', model: '_other', status: '_other' }) ?? 0) > 0)
  t.ok(
    new Set(samplesOf(families, 'promptmeter_time_to_first_byte_seconds').map(({ labels }) => labels.model)).size <= 101
  )
})

t.test('quotes, backslashes and line ends in a name arrive as they were', async t => {
  const metrics = newMetrics(t)
  const names = [
    '"', '\\', '\n', '\\n', '\\"', '"} 1\npromptmeter_records_lost_total 9\n#', '\r\n', '=,{}', 'é中🙂', '', ' ',
    '__proto__', 'constructor'
  ]
  for (const name of names) metrics.observeCall(callRecord({ responseModel: name }))
  const families = await scrape(metrics)
  t.same(samplesOf(families, CALLS).map(({ labels }) => labels.model), names)
  t.equal(valueOf(families, 'promptmeter_records_lost_total'), 0)
})

t.test('names that differ only in what UTF-8 cannot say are one series', async t => {
  const metrics = newMetrics(t)
  for (const name of ['a\ud800', 'a\udc01', 'a\0', 'a\ud800']) metrics.observeCall(callRecord({ responseModel: name }))
  t.equal(valueOf(await scrape(metrics), CALLS, { model: 'a\ufffd' }), 4)
})

t.test('a long name is cut, and names that are then equal are one series', async t => {
  const metrics = newMetrics(t)
  for (const end of ['a', 'b', 'b']) metrics.observeCall(callRecord({ responseModel: 'x'.repeat(100_000) + end }))
  t.equal(valueOf(await scrape(metrics), CALLS, { model: 'x'.repeat(256) }), 3)
})

t.test('whatever the names are, the text is well formed and the calls add up', async t => {
  const name = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.string({ unit: fc.constantFrom('"', '\\', '\n', '\r', 'n', '{', '}', '\ud800', '\0'), maxLength: 5 })
  )
  await fc.assert(fc.asyncProperty(fc.array(fc.tuple(
    name, name, fc.integer({ min: 100, max: 999 })
  ), { maxLength: 20 }), async calls => {
    const metrics = newMetrics(t)
    for (const [promptType, responseModel, statusCode] of calls) {
      metrics.observeCall(
        callRecord({ promptType, responseModel, statusCode })
      )
    }
    const total = sumOf(samplesOf(await scrape(metrics), CALLS))
    metrics.close()
    return total === calls.length
  }), { numRuns: 50 })
})

t.test('no key and no user is in the metrics, wherever a caller put it', async t => {
  const metrics = newMetrics(t)
  const keys = [`sk-proj-${'Ab1'.repeat(20)}`, `pm_${'x'.repeat(43)}`]
  for (const key of keys) {
    metrics.observeCall(
      callRecord({
        promptType: key,
        requestModel: key,
        responseModel: key,
        user: 'ann@example.com',
        keyId: 'key-1',
        endpoint: `files/${key}`,
        errorMessage: key
      })
    )
  }
  const text = await metrics.text()
  for (const secret of [
    ...keys, 'ann@example.com', 'key-1', 'files/', 'req_1'
  ]) t.notOk(text.includes(secret), secret.slice(0, 3))
  t.equal(valueOf(await scrape(metrics), CALLS, { prompt_type: '[redacted key]', model: '[redacted key]' }), 2)
})
