import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { createDatabase } from '../helpers/database.js'
import { untilCaughtUp } from '../helpers/fault-books.js'
import { promptTypeOf, startFaultLoad } from '../helpers/fault-load.js'
import { administer, checkScene, startScene } from '../helpers/fault-scene.js'
import { plannedCall, requestBody } from '../helpers/planned-calls.js'
import { startTcpProxy } from '../helpers/tcp-proxy.js'

/** The statement that writes a batch. */
const BATCH = /write_batch/

/**
 * One call in forty belongs to the type that the database is made to refuse: most batches have one, all have others.
 */
const promptType = (call: number): string => call % 40 === 7 ? 'unlucky' : promptTypeOf(call)

const refusals: ReadonlyArray<{ readonly name: string, readonly statements: string, readonly error: RegExp }> = [
  {
    name: 'a check that somebody added',
    statements: "alter table usage_logs add constraint no_unlucky check (prompt_type <> 'unlucky')",
    error: /no_unlucky/
  },
  {
    name: 'a total that grows too large',
    statements: `insert into prompt_configs (prompt_type) values ('unlucky');
      insert into prompt_stats (prompt_type, total_input_tokens) values ('unlucky', ${2n ** 63n - 1n})`,
    error: /out of range/
  },
  {
    name: 'a trigger of somebody’s that raises an exception',
    statements: `create function refuse() returns trigger language plpgsql as $$ begin raise exception 'not this one'; end $$;
      create trigger refuse before insert on usage_logs for each row when (new.prompt_type = 'unlucky') execute function refuse()`,
    error: /not this one/
  }
]

for (const { name, statements, error } of refusals) {
  t.test(`one row of a batch refused by ${name}: the others go in, it is kept with its error, and nothing loops`, async t => {
    const databaseUrl = await createDatabase()
    await administer(databaseUrl, statements)
    const proxy = await startTcpProxy(t, databaseUrl)
    const scene = await startScene(t, { databaseUrl, gatewayUrl: proxy.withPort(databaseUrl), promptType })
    await scene.load.answers(400)
    await scene.load.stop()
    // A record that is rejected alone waits for others to go in: the last call is not such a one.
    if (promptType(scene.tally.started) === 'unlucky') scene.tally.started++
    const last = startFaultLoad(t, scene.gateway.origin, { tally: scene.tally, callers: 1, pauseMs: 500 })
    await last.answers(1)
    await last.stop()
    await untilCaughtUp(scene.gateway)
    const unlucky = new Set([...scene.tally.answered].filter(call => promptType(call) === 'unlucky'))
    const refused = rejected(scene.location.dataDir)
    t.same(
      refused.map(({ call }) => call).sort((a, b) => a - b),
      [...unlucky].sort((a, b) => a - b),
      'each is kept once, and no other is'
    )
    t.same(refused.filter(line => !error.test(line.error)), [], 'with the database\'s error')
    t.equal((await scene.gateway.metrics()).get('promptmeter_records_rejected_total'), unlucky.size)
    const logLines = scene.gateway.log.length
    t.ok(logLines < 2 * unlucky.size + 20, `${logLines} log lines for ${unlucky.size} records`)
    // A record is found in nine halvings, each of two tries, and some errors are worth a few tries each.
    const tries = proxy.runs(BATCH)
    t.ok(tries < 100 * unlucky.size, `${tries} statements for ${unlucky.size} records`)
    // Longer than the longest pause of anything that would try again.
    await sleep(2500)
    t.equal(scene.gateway.log.length, logLines, 'no more is said of it')
    t.equal(proxy.runs(BATCH), tries, 'nothing is tried again')
    if (name.includes('total')) {
      await administer(
        databaseUrl, "delete from prompt_configs where prompt_type = 'unlucky'"
      )
    }
    await checkScene(t, scene, { promptType, missing: unlucky })
  })
}

t.test('NUL in names and texts, and numbers too large, go into the books like anything else', async t => {
  const scene = await startScene(t, { databaseUrl: await createDatabase() })
  await scene.load.stop()
  const call = scene.tally.started++
  const { model } = plannedCall(call)
  const { status } = await fetch(`${scene.gateway.origin}/v1/chat/completions`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-prompt-type': promptTypeOf(call),
      'x-prompt-metadata': JSON.stringify({ call, number: 1e300 })
    },
    body: JSON.stringify({
      ...JSON.parse(requestBody(call)) as object, model: `${model}\0`, max_tokens: 1e300, note: '\0'
    })
  })
  t.equal(status, 200)
  scene.tally.answered.add(call)
  await checkScene(t, scene)
  t.notOk(existsSync(join(scene.location.dataDir, 'rejected.jsonl')))
})

/** What DATA_DIR/rejected.jsonl holds. */
function rejected (dataDir: string): Array<{ readonly call: number, readonly error: string }> {
  return readFileSync(join(dataDir, 'rejected.jsonl'), 'utf8').trimEnd().split('\n').map(line => {
    const { error, record } = JSON.parse(line) as { error: string, record: { metadata: string } }
    return { call: (JSON.parse(record.metadata) as { call: number }).call, error }
  })
}
