import { Agent } from 'node:http'
import t from 'tap'
import { promptTotals, rollupTotals, usageLogs } from '../helpers/books.js'
import { CORPUS_ID, corpusMissing, corpusUpstream, loadCorpus } from '../helpers/corpus.js'
import { expectedCost, expectedEntry } from '../helpers/corpus-books.js'
import { databaseKinds } from '../helpers/database.js'
import { type TestGateway, startGateway } from '../helpers/gateway.js'
import { call, inParallel } from '../helpers/http-call.js'
import { pricesMissing, usdText } from '../helpers/independent-cost.js'

const exchanges = loadCorpus() ?? []
const books = async (gateway: TestGateway): Promise<unknown> => ({
  logs: await usageLogs(gateway), types: await promptTotals(gateway), rollups: await rollupTotals(gateway)
})

for (const kind of databaseKinds) {
  t.test(`recorded calls that are priced again cost what an independent sum says, and what they cost when they were made (${kind})`,
    { skip: corpusMissing || pricesMissing }, async t => {
      const upstream = await corpusUpstream(t, exchanges)
      const gateway = await startGateway(t, { upstreamUrl: upstream.url, kind, env: { RECORD_WAIT_MS: '60000' } })
      const agent = new Agent({ keepAlive: true })
      t.teardown(() => agent.destroy())
      await inParallel(8, exchanges, async ({ id, request }, index) => {
        await call(gateway.origin + request.path, {
          method: request.method,
          body: request.body,
          headers: {
            [CORPUS_ID]: id,
            'X-Prompt-Metadata': JSON.stringify({ exchange: id }),
            'X-Prompt-Type': `type-${index % 5}`,
            ...(request.content_type === '' ? {} : { 'content-type': request.content_type })
          },
          agent
        })
      })
      const reprice = async (): Promise<unknown> => (await gateway.admin('POST', '/usage-logs/reprice', {
        only_unpriced: false
      })).body
      const recorded = await books(gateway)
      t.same(await reprice(), { rows: 0, cost_before: 0, cost_after: 0 }, 'nothing changes while no price does')

      const models = new Set(
        (await usageLogs(gateway)).flatMap(row =>
          row['cost'] == null || row['input_tokens'] == null ? [] : row['response_model'] ?? [])
      )
      t.ok(models.size > 3)
      const path = (model: string): string => `/prices/${encodeURIComponent(model)}`
      for (const model of models) {
        await gateway.admin('PUT', path(model), {
          input: 1_000, output: 999.999999, effective_from: '2020-01-01T00:00:00Z'
        })
      }
      const { rows } = await reprice() as { rows: number }
      t.ok(rows > 300, `${rows} calls cost something else`)
      t.notSame(await books(gateway), recorded)
      for (const model of models) await gateway.admin('DELETE', path(model))
      t.match(await reprice(), { rows })
      t.same(await books(gateway), recorded)

      const costs = new Map(
        (await usageLogs(gateway)).map(row =>
          [(JSON.parse(row['metadata'] ?? '{}') as { exchange: string }).exchange, row['cost']])
      )
      const billed = exchanges.flatMap(exchange => {
        const cost = expectedCost(expectedEntry(exchange))
        return cost === null ? [] : [{ id: exchange.id, cost }]
      })
      t.ok(billed.length > 200)
      t.same(billed.filter(({ id, cost }) => costs.get(id) !== usdText(cost)), [])
    })
}
