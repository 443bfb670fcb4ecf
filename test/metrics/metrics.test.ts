import fc from 'fast-check'
import t from 'tap'
import { callRecord } from '../helpers/batches.js'
import { histograms } from './exposition.js'
import { newMetrics, samplesOf, scrape, sumOf, valueOf } from './scrape.js'

t.test('before the first call, every counter without labels is there and 0', async t => {
  const families = await scrape(newMetrics(t))
  for (const name of ['committed', 'journaled', 'replayed', 'lost', 'rejected']) {
    t.equal(
      valueOf(families, `promptmeter_records_${name}_total`), 0, name
    )
  }
  t.equal(valueOf(families, 'promptmeter_unpriced_calls_total'), 0)
  t.equal(sumOf(samplesOf(families, 'promptmeter_batch_records')), 0)
  t.equal(sumOf(samplesOf(families, 'promptmeter_commit_duration_seconds')), 0)
  t.same(samplesOf(families, 'promptmeter_calls_total'), [])
  t.equal(valueOf(families, 'promptmeter_build_info', { version: '1.2.3' }), 1)
})

t.test('a call is counted under its prompt type, model and status, with its tokens and its cost', async t => {
  const metrics = newMetrics(t)
  for (let i = 0; i < 3; i++) metrics.observeCall(callRecord({ reasoningTokens: 4 }))
  metrics.observeCall(
    callRecord({
      statusCode: 500,
      success: false,
      responseModel: null,
      inputTokens: null,
      cachedInputTokens: null,
      outputTokens: null,
      reasoningTokens: null,
      costPicoUsd: null,
      costReason: 'no_usage'
    })
  )
  metrics.observeCall(
    callRecord({
      promptType: 'list', requestModel: null, responseModel: null, costPicoUsd: null, costReason: 'not_metered'
    })
  )
  const families = await scrape(metrics)

  const good = { prompt_type: 'summarize', model: 'gpt-4o-mini-2024-07-18', status: '200' }
  const failed = { prompt_type: 'summarize', model: 'gpt-4o-mini', status: '500' }
  t.same(samplesOf(families, 'promptmeter_calls_total').map(({ labels, value }) => ({ labels, value })), [
    { labels: good, value: 3 },
    { labels: failed, value: 1 },
    { labels: { prompt_type: 'list', model: '_none', status: '200' }, value: 1 }
  ])
  for (const [type, value] of [['input', 300], ['cached_input', 60], ['output', 30], ['reasoning', 12]] as const) {
    t.equal(valueOf(families, 'promptmeter_tokens_total', { ...good, type }), value, type)
    t.equal(valueOf(families, 'promptmeter_tokens_total', { ...failed, type }), 0)
  }
  t.equal(valueOf(families, 'promptmeter_cost_usd_total', good), 0.0000585)
  t.equal(valueOf(families, 'promptmeter_cost_usd_total', failed), 0)
})

t.test('cost is summed exactly and rounded once', async t => {
  const metrics = newMetrics(t)
  // 0.1 USD ten times is 0.9999999999999999 in floating point; a millionth of a millionth beside 4,000 USD would be
  // gone.
  for (let i = 0; i < 10; i++) metrics.observeCall(callRecord({ costPicoUsd: 100_000_000_000n }))
  metrics.observeCall(callRecord({ promptType: 'dear', costPicoUsd: 4_000_000_000_000_000n }))
  for (let i = 0; i < 10_000; i++) metrics.observeCall(callRecord({ promptType: 'dear', costPicoUsd: 1n }))
  const families = await scrape(metrics)
  t.equal(valueOf(families, 'promptmeter_cost_usd_total', { prompt_type: 'summarize' }), 1)
  t.equal(valueOf(families, 'promptmeter_cost_usd_total', { prompt_type: 'dear' }), 4000.00000001)
})

t.test('calls that should have a cost and have none are counted', async t => {
  const metrics = newMetrics(t)
  metrics.observeCall(callRecord({ costPicoUsd: null, costReason: 'unknown_model' }))
  metrics.observeCall(callRecord({ costPicoUsd: null, costReason: 'no_usage' }))
  metrics.observeCall(callRecord({ costPicoUsd: null, costReason: 'not_metered' }))
  metrics.observeCall(callRecord({ costPicoUsd: 0n }))
  t.equal(valueOf(await scrape(metrics), 'promptmeter_unpriced_calls_total'), 2)
})

t.test('an upstream\'s impossible numbers are bounded as in the books', async t => {
  const metrics = newMetrics(t)
  metrics.observeCall(
    callRecord({
      inputTokens: 1e300,
      cachedInputTokens: NaN,
      outputTokens: -5,
      reasoningTokens: -Infinity,
      costPicoUsd: -1n,
      durationMs: -3,
      timeToFirstByteMs: NaN
    })
  )
  const families = await scrape(metrics)
  t.same(samplesOf(families, 'promptmeter_tokens_total').map(({ value }) => value), [0x7fff_ffff, 0, 0, 0])
  t.equal(valueOf(families, 'promptmeter_cost_usd_total'), 0)
})

t.test('durations are in the bucket that ends at or above them, in seconds', async t => {
  const metrics = newMetrics(t)
  for (const durationMs of [0, 250, 251, 1000, 7000, 120_000, 500_000]) metrics.observeCall(callRecord({ durationMs }))
  const [series] = histograms(
    'promptmeter_call_duration_seconds', samplesOf(await scrape(metrics), 'promptmeter_call_duration_seconds')
  )
    .values()
  t.same(series, {
    buckets: [
      [0.25, 2], [1, 4], [2.5, 4], [5, 4], [10, 5], [30, 5], [120, 6], [Infinity, 7]
    ].map(([le, count]) => ({ le, count })),
    sum: 628.501,
    count: 7
  })
})

t.test('histograms hold every value, whatever comes', async t => {
  await fc.assert(fc.asyncProperty(fc.array(fc.record({
    promptType: fc.constantFrom('a', 'b'),
    statusCode: fc.constantFrom(200, 429),
    stream: fc.boolean(),
    durationMs: fc.integer({ min: 0, max: 1_000_000 }),
    timeToFirstByteMs: fc.option(fc.integer({ min: 0, max: 100_000 }))
  }), { maxLength: 30 }), async calls => {
    const metrics = newMetrics(t)
    for (const call of calls) metrics.observeCall(callRecord(call))
    const families = await scrape(metrics)
    const sums = (name: string): { count: number, sum: number } =>
      [...histograms(name, samplesOf(families, name)).values()]
        .reduce(
          (sums, series) => ({ count: sums.count + (series.count ?? NaN), sum: sums.sum + (series.sum ?? NaN) }),
          { count: 0, sum: 0 }
        )
    const near = (a: number, b: number): boolean => Math.abs(a - b) < 1e-6
    const first = calls.flatMap(call => call.timeToFirstByteMs ?? [])
    const durations = sums('promptmeter_call_duration_seconds')
    const firstBytes = sums('promptmeter_time_to_first_byte_seconds')
    metrics.close()
    return durations.count === calls.length &&
      near(durations.sum, calls.reduce((sum, call) => sum + call.durationMs / 1000, 0)) &&
      firstBytes.count === first.length && near(firstBytes.sum, first.reduce((sum, ms) => sum + ms / 1000, 0))
  }), { numRuns: 50 })
})

t.test('time to first byte is kept by model, streams apart', async t => {
  const metrics = newMetrics(t)
  metrics.observeCall(callRecord({ timeToFirstByteMs: 300 }))
  metrics.observeCall(callRecord({ promptType: 'other', stream: true, timeToFirstByteMs: 20 }))
  metrics.observeCall(callRecord({ promptType: 'third', stream: true, timeToFirstByteMs: 30 }))
  metrics.observeCall(callRecord({ timeToFirstByteMs: null }))
  const name = 'promptmeter_time_to_first_byte_seconds'
  const counts = [
    ...histograms(name, samplesOf(await scrape(metrics), name))
  ].map(([labels, { count, sum }]) => ({ labels: JSON.parse(labels) as unknown, count, sum }))
  t.same(counts, [
    { labels: { model: 'gpt-4o-mini-2024-07-18', stream: 'false' }, count: 1, sum: 0.3 },
    { labels: { model: 'gpt-4o-mini-2024-07-18', stream: 'true' }, count: 2, sum: 0.05 }
  ])
})

t.test('what becomes of records is counted', async t => {
  const metrics = newMetrics(t)
  metrics.recorder.committed(1, 0.4)
  metrics.recorder.committed(512, 30)
  metrics.recorder.journaled(7)
  metrics.recorder.replayed(6)
  metrics.recorder.lost(5)
  metrics.recorder.rejected(4)
  const families = await scrape(metrics)
  for (const [name, value] of [
    ['committed', 513], ['journaled', 7], ['replayed', 6], ['lost', 5], ['rejected', 4]
  ] as const) {
    t.equal(valueOf(families, `promptmeter_records_${name}_total`), value, name)
  }
  const histogram = (name: string): unknown => [...histograms(name, samplesOf(families, name)).values()]
  t.match(histogram('promptmeter_batch_records'), [{ count: 2, sum: 513, buckets: [{ le: 1, count: 1 }] }])
  t.match(histogram('promptmeter_commit_duration_seconds'), [
    { count: 2, sum: 0.0304, buckets: [{ le: 0.0005, count: 1 }] }
  ])
})

t.test('gauges say what is so at the scrape', async t => {
  let state = {
    pending: 3,
    journal: { sizeBytes: 4096, oldestAgeMs: 1500 as number | null },
    upstream: { connected: 10, free: 4, running: 6, queued: 2 }
  }
  const metrics = newMetrics(t, {
    pending: () => state.pending, journal: () => state.journal, upstream: () => state.upstream
  })
  const gauges = async (): Promise<unknown> => {
    const families = await scrape(metrics)
    return {
      pending: valueOf(families, 'promptmeter_records_pending'),
      journal: [
        valueOf(families, 'promptmeter_journal_bytes'), valueOf(families, 'promptmeter_journal_oldest_seconds')
      ],
      connections: [
        valueOf(families, 'promptmeter_upstream_connections', { state: 'busy' }),
        valueOf(families, 'promptmeter_upstream_connections', { state: 'free' })
      ],
      requests: [
        valueOf(families, 'promptmeter_upstream_requests', { state: 'running' }),
        valueOf(families, 'promptmeter_upstream_requests', { state: 'queued' })
      ]
    }
  }
  t.same(await gauges(), { pending: 3, journal: [4096, 1.5], connections: [6, 4], requests: [6, 2] })
  state = {
    pending: 0, journal: { sizeBytes: 0, oldestAgeMs: null }, upstream: { connected: 1, free: 1, running: 0, queued: 0 }
  }
  t.same(await gauges(), { pending: 0, journal: [0, 0], connections: [0, 1], requests: [0, 0] })
})

t.test('two gateways in one process count apart', async t => {
  const [one, two] = [newMetrics(t), newMetrics(t)]
  one.observeCall(callRecord())
  one.recorder.lost(1)
  const families = await scrape(two)
  t.same(samplesOf(families, 'promptmeter_calls_total'), [])
  t.equal(valueOf(families, 'promptmeter_records_lost_total'), 0)
})

t.test('an event loop that was held shows it, once', async t => {
  const metrics = newMetrics(t)
  const longest = async (): Promise<number> => valueOf(await scrape(metrics), 'promptmeter_event_loop_delay_seconds', {
    quantile: '1'
  }) ?? NaN
  const turn = async (): Promise<void> => { await new Promise(resolve => setTimeout(resolve, 30)) }
  await turn()
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2000)
  await turn()
  const held = await longest()
  t.ok(held >= 1.9, 'held for two seconds')
  t.ok(await longest() < held, 'only what came since the last scrape')
})

t.test('the process is shown', async t => {
  const families = await scrape(newMetrics(t))
  t.ok(Math.abs((valueOf(families, 'process_start_time_seconds') ?? 0) - (Date.now() / 1000 - process.uptime())) < 5)
  t.ok((valueOf(families, 'process_resident_memory_bytes') ?? 0) > 10_000_000)
  t.ok((valueOf(families, 'process_cpu_seconds_total') ?? 0) > 0)
  if (process.platform === 'linux') t.ok((valueOf(families, 'process_open_fds') ?? 0) > 2)
})
