import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type TestGateway, startGateway } from '../helpers/gateway.js'
import { until } from '../helpers/until.js'
import { json, startUpstream } from '../helpers/upstream.js'

/** SQLSTATEs that a database may answer a batch with, whatever is in it. */
const everything = [
  '0A000', '21000', '22023', '22P02', '23502', '23514', '2F000', '38000', '39000', '42501', '42883', '44000', '54000',
  'P0001', 'XX000'
]

const usage = {
  id: 'x',
  model: 'gpt-4o-mini',
  choices: [{ index: 0, message: { role: 'assistant', content: 'ok' } }],
  usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 }
}

async function startScene (t: Test): Promise<TestGateway & {
  call: (promptType: string) => Promise<number>, run: (sql: string) => Promise<void>
}> {
  const upstream = await startUpstream(t)
  upstream.reply(() => json(usage))
  const gateway = await startGateway(t, { upstreamUrl: upstream.url })
  return {
    ...gateway,
    run: async sql => { await gateway.database.operator.$client.unsafe(sql) },
    call: async promptType => {
      const response = await fetch(`${gateway.origin}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-prompt-type': promptType },
        body: JSON.stringify({ model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'hi' }] })
      })
      await response.arrayBuffer()
      return response.status
    }
  }
}

/** Rows of the log are refused with this SQLSTATE, where the condition holds of them. */
const trigger = (sqlState: string, condition = 'true'): string => `
  create or replace function refuse() returns trigger language plpgsql as $$ begin raise exception 'not this one' using errcode = '${sqlState}'; end $$;
  create or replace trigger refuse before insert on usage_logs for each row when (${condition}) execute function refuse()`

const rejectedOf = ({ config }: TestGateway): string[] => {
  const path = join(config.dataDir, 'rejected.jsonl')
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : []
}
const ready = async ({ origin }: TestGateway): Promise<unknown> => await (await fetch(`${origin}/readyz`)).json()
const metric = async ({ origin }: TestGateway, name: string): Promise<number> =>
  Number(new RegExp(`^promptmeter_${name} (.+)$`, 'm').exec(await (await fetch(`${origin}/metrics`)).text())?.[1])
const types = async ({ admin }: TestGateway): Promise<Record<string, number>> => {
  const { items } = (await admin('GET', '/prompt-configs')).body as {
    items: Array<{ prompt_type: string, total_calls: number }>
  }
  const counts = items.map(({ prompt_type: type, total_calls: calls }): [string, number] => [type, calls])
  return Object.fromEntries<number>(counts.toSorted())
}
const untilPending = async (gateway: TestGateway, records: number): Promise<void> => {
  await until(async () => await metric(gateway, 'records_pending') === records, 20)
}

for (const sqlState of everything) {
  t.test(`a database that refuses every record with ${sqlState} loses none: they wait in the journal, and it is said loudly`, async t => {
    const gateway = await startScene(t)
    t.equal(await gateway.call('before'), 200)
    await gateway.run(trigger(sqlState))
    const statuses = await Promise.all(Array.from({ length: 40 }, (_, i) => gateway.call(`type${i % 3}`)))
    t.same([...new Set(statuses)], [200])
    await sleep(300)
    t.same(rejectedOf(gateway), [])
    t.match(await ready(gateway), { status: 'degraded', database: 'degraded', journal: 'in_use', records_pending: 40 })
    t.ok(await metric(gateway, 'records_refused_total') > 0)
    t.equal(await metric(gateway, 'records_rejected_total'), 0)
    t.match(gateway.logged.filter(line => line.sqlstate !== undefined), [
      { level: 50, sqlstate: sqlState, msg: /rejects whole batches.*Fix the database/ }
    ])
    await gateway.run('drop trigger refuse on usage_logs')
    await untilPending(gateway, 0)
    t.same(await types(gateway), { before: 1, type0: 14, type1: 13, type2: 13 })
    t.match(await ready(gateway), { status: 'ok', database: 'ok', journal: 'ok', records_pending: 0 })
    t.same(readdirSync(join(gateway.config.dataDir, 'journal')), [])
  })
}

t.test('a lone record that the database refuses waits, and is aside once others went in', async t => {
  const gateway = await startScene(t)
  await gateway.run(trigger('22023', "new.prompt_type = 'unlucky'"))
  t.equal(await gateway.call('unlucky'), 200)
  t.equal(await gateway.call('unlucky'), 200)
  await sleep(300)
  t.same(rejectedOf(gateway), [])
  t.match(await ready(gateway), { database: 'degraded', journal: 'in_use', records_pending: 2 })
  t.equal(await gateway.call('lucky'), 200)
  await untilPending(gateway, 0)
  t.same(rejectedOf(gateway)
    .map(line => (JSON.parse(line) as { record: { promptType: string } }).record.promptType), ['unlucky', 'unlucky'])
  t.match(rejectedOf(gateway).join(), /not this one/)
  t.same(await types(gateway), { lucky: 1 })
  t.match(await ready(gateway), { status: 'ok' })
})

t.test('a lone record that is refused for a statement\'s sake is never aside, and others go in beside it', async t => {
  const gateway = await startScene(t)
  await gateway.run(trigger('0A000', "new.prompt_type = 'unlucky'"))
  t.equal(await gateway.call('unlucky'), 200)
  for (let i = 0; i < 5; i++) t.equal(await gateway.call('lucky'), 200)
  await untilPending(gateway, 1)
  t.same(await types(gateway), { lucky: 5 })
  t.match(await ready(gateway), { database: 'ok', journal: 'in_use', records_pending: 1 })
  t.same(rejectedOf(gateway), [])
  await gateway.run('drop trigger refuse on usage_logs')
  await untilPending(gateway, 0)
  t.same(await types(gateway), { lucky: 5, unlucky: 1 })
})
