import t from 'tap'
import { eq, sql } from 'drizzle-orm'
import type { Database } from '../../src/db/database.js'
import { createPartitions, monthOf } from '../../src/db/partitions.js'
import { auditLog, promptConfigs, promptStats, usageLogs } from '../../src/db/schema/index.js'
import { onEachDatabase } from './each-database.js'
import { usageLogRow, uuidv7 } from './rows.js'
import { type Admin, login, startAdmin } from './start-admin.js'

// Rows that an older version wrote, or another hand: what cannot be shown is a placeholder, and the rows beside it
// stay.

const now = (): number => Date.parse('2026-11-23T10:30:00Z')
const createdAt = '2026-11-22T10:00:00Z'

const deep = (levels: number): string => `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`
const unreadable = [
  deep(500), deep(5000), deep(30_000), '{"a":', '', 'null', '7', '"text"', '[{"a":1}]', '{"a":\u0007}', ']'.repeat(9),
  '{"a":'.repeat(9000)
]
const odd = [
  '{}', '{"__proto__":{"a":1},"constructor":null,"toJSON":1}',
  '{"a":1e400,"b":-0,"c":123456789012345678901234567890}',
  '{"a":"\\ud800","\\udc00":"\\u0000"}', '{"a":1,"a":2}', deep(32), `{"a":"${'é'.repeat(40_000)}"}`
]

async function get (admin: Admin, path: string): Promise<string> {
  const response = await fetch(`${admin.url}/admin/api/${path}`, { headers: { authorization: login } })
  const text = await response.text()
  return response.status === 200 ? text : `${response.status} ${text}`
}

async function fill (database: Database, values: readonly string[]): Promise<void> {
  await createPartitions(database.operator, [monthOf(now())])
  for (const [i, value] of ['{"page":"7"}', ...values].entries()) {
    const type = `type-${i}`
    await database.operator.insert(promptConfigs).values({ prompt_type: type, description: '' })
    await database.operator.insert(promptStats).values({ prompt_type: type, total_calls: 1, last_metadata: value })
    const details = i === 0 ? null : value
    await database.operator.insert(usageLogs)
      .values(usageLogRow({ created_at: createdAt, prompt_type: type, metadata: value, usage_details: details }))
    const change = { username: 'a', action: 'b', target: type, before: value, after: value }
    await database.operator.insert(auditLog).values({ id: uuidv7(createdAt, i), created_at: createdAt, ...change })
  }
}

onEachDatabase(t, 'no stored value makes a list, a detail or an export fail, or hides another row', async (
  t, database
) => {
  const admin = await startAdmin(t, database, now)
  const values = [...unreadable, ...odd]
  await fill(database, values)
  type Rows = { items: Array<Record<string, unknown>> }
  const configs = JSON.parse(await get(admin, 'prompt-configs?limit=500')) as Rows
  const logs = JSON.parse(await get(admin, 'usage-logs?limit=500')) as Rows
  const audit = JSON.parse(await get(admin, 'audit-log?limit=500')) as Rows
  t.equal(configs.items.length, values.length + 1)
  t.equal(logs.items.length, values.length + 1)
  t.equal(audit.items.length, values.length + 1)
  t.same(configs.items.find(row => row.prompt_type === 'type-0')?.last_metadata, { page: '7' })
  t.same(logs.items.find(row => row.prompt_type === 'type-0')?.metadata, { page: '7' })
  t.same(audit.items.find(row => row.target === 'type-0')?.after, { page: '7' })
  for (const [i, value] of values.entries()) {
    const type = `type-${i + 1}`
    const config = configs.items.find(row => row.prompt_type === type)
    const log = logs.items.find(row => row.prompt_type === type)
    if (unreadable.includes(value)) {
      t.match(
        config?.last_metadata, { promptmeter_not_stored: String }, value.slice(0, 20)
      )
    } else t.same(log?.metadata, JSON.parse(JSON.stringify(JSON.parse(value))), value.slice(0, 20))
    t.same(log?.metadata, config?.last_metadata)
    t.match(JSON.parse(await get(admin, `prompt-configs/${type}`)), { prompt_type: type })
    t.match(JSON.parse(await get(admin, `usage-logs/${String(log?.id)}`)), { prompt_type: type })
  }
  t.equal((JSON.parse(await get(admin, 'prompt-configs/export?format=json')) as unknown[]).length, values.length + 1)
  const lines = (await get(admin, 'usage-logs/export?format=ndjson')).trim().split('\n')
  t.equal(lines.map(line => JSON.parse(line) as unknown).length, values.length + 1)
  for (const csv of ['prompt-configs', 'usage-logs']) {
    const text = await get(admin, `${csv}/export?format=csv`)
    t.equal(text.match(/^type-|,type-\d/gm)?.length, values.length + 1, csv)
    t.match(text, '"{""page"":""7""}"')
  }
})

onEachDatabase(t, 'repricing leaves the cost of a row whose usage cannot be read, and goes on', async (t, database) => {
  const admin = await startAdmin(t, database, now)
  await fill(database, ['{"a":', '7', '{"audioInputTokens":"many"}', '{"audioInputTokens":1e400}', '{"strange":1}'])
  await database.operator.update(usageLogs).set({ cost: '0.5', input_tokens: 1000, output_tokens: 0 })
  const month = { from: '2026-11-01T00:00:00Z', to: '2026-12-01T00:00:00Z' }
  t.equal((await admin.call('POST', '/admin/api/usage-logs/reprice', { only_unpriced: false, ...month })).status, 200)
  const costs = await database.operator.select({ cost: sql<string>`${usageLogs.cost}::float8::text` }).from(usageLogs)
  t.same(costs.map(row => row.cost).sort(), ['0.0025', '0.5', '0.5', '0.5', '0.5', '0.5'])
  t.equal((await database.operator.select().from(promptStats).where(eq(promptStats.prompt_type, 'type-1'))).length, 1)
})
