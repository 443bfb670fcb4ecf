import { sql } from 'drizzle-orm'
import postgres from 'postgres'
import t, { type Test } from 'tap'
import { openDatabase } from '../../src/db/open-database.js'
import type { Database } from '../../src/db/database.js'
import { createPartitions, dropPartitionBefore, monthOf } from '../../src/db/partitions.js'
import { createDatabase, silentLog, temporaryFolder } from '../helpers/database.js'
import { startGateway } from '../helpers/gateway.js'
import { call } from '../helpers/http-call.js'
import { until } from '../helpers/until.js'
import { json, startUpstream } from '../helpers/upstream.js'

// What docs/operating.md says of the rights that a database role needs, and of the connections that an instance opens.

const JUNE = Date.UTC(2026, 5)
const plain = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}'
const usage = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 }
let roles = 0

interface Setting {
  readonly role: string
  /** Of the database, as that role. */
  readonly url: string
  /** Runs statements as the superuser; `{role}` and `{db}` stand for the names. */
  readonly grant: (...statements: string[]) => Promise<void>
}

/** An empty database, and a role that may do with it what everybody may. */
async function newRole (t: Test): Promise<Setting> {
  const direct = new URL(await createDatabase('empty'))
  const owner = postgres(direct.href, { max: 1, onnotice: () => {} })
  t.teardown(async () => await owner.end())
  const role = `app_${roles++}`
  const database = direct.pathname.slice(1)
  const grant = async (...statements: string[]): Promise<void> => {
    for (const statement of statements) await owner.unsafe(statement.replace('{role}', role).replace('{db}', database))
  }
  await owner.unsafe(`create role ${role} login nosuperuser nocreatedb nocreaterole`)
  return { role, url: Object.assign(new URL(direct), { username: role }).href, grant }
}

const open = async (t: Test, databaseUrl: string): Promise<Database> => {
  const database = await openDatabase({ databaseUrl, dataDir: temporaryFolder(t), log: silentLog })
  t.teardown(async () => await database.close())
  return database
}

/** Why it rejects: the error's own words and those of what it comes from. */
async function refusal (attempt: Promise<unknown>): Promise<string> {
  const words = (error: unknown): string => error instanceof Error ? `${error.message} ${words(error.cause)}` : ''
  return await attempt.then(() => 'it did not reject', words)
}

t.test('a role with CREATE on the database and on the schema public is enough for all that a gateway does', async t => {
  const { url, grant } = await newRole(t)
  await grant('grant create on database {db} to {role}', 'grant create on schema public to {role}')
  const upstream = await startUpstream(t)
  upstream.reply(json({ model: 'gpt-4o-mini', usage }))
  const gateway = await startGateway(t, {
    upstreamUrl: upstream.url, location: { databaseUrl: url, dataDir: temporaryFolder(t) }
  })
  t.equal((await call(`${gateway.origin}/prompt-types/a/v1/chat/completions`, { body: plain })).status, 200)
  t.match((await gateway.admin('GET', '/usage-logs')).body, { total: 1 })
  t.equal((await gateway.admin('POST', '/budgets', { name: 'a', period: 'day', limit_usd: 1 })).status, 201)
  t.equal((await gateway.admin('POST', '/usage-logs/reprice', { only_unpriced: false })).status, 200)
  t.equal((await createPartitions(gateway.database.recording, [JUNE])).length, 1)
  t.match(await dropPartitionBefore(gateway.database.operator, monthOf(JUNE, 1)), 'usage_logs_2026_06')
})

t.test('CREATE on the database is for the first start alone, CREATE on the schema for every month', async t => {
  const { url, grant } = await newRole(t)
  await grant('grant create on schema public to {role}')
  t.match(await refusal(open(t, url)), /permission denied for database/)
  await grant('grant create on database {db} to {role}')
  await (await open(t, url)).close()
  await grant('revoke create on database {db} from {role}')
  const database = await open(t, url)
  t.equal((await createPartitions(database.recording, [JUNE])).length, 1)
  await grant('revoke create on schema public from {role}')
  t.match(await refusal(createPartitions(database.recording, [monthOf(JUNE, 1)])), /permission denied for schema/)
})

t.test('the role has to own the tables: one that may only write them can make no partition', async t => {
  const { role, url, grant } = await newRole(t)
  await grant('grant create on database {db} to {role}', 'grant create on schema public to {role}')
  await (await open(t, url)).close()
  const other = `${role}_other`
  await grant(`create role ${other} login`, `grant usage on schema drizzle to ${other}`, `grant create on schema public to ${other}`,
    `grant all on all tables in schema public to ${other}`, `grant all on all tables in schema drizzle to ${other}`)
  const as = Object.assign(new URL(url), { username: other }).href
  const database = await open(t, as)
  t.match(await refusal(createPartitions(database.recording, [JUNE])), /must be owner of table usage_logs/)
  await grant(`grant ${role} to ${other}`)
  t.equal((await createPartitions(database.recording, [JUNE])).length, 1, 'as a member of the owner it can')
})

t.test('an instance opens nine connections at most: four for recording, four for operators, one that listens', async t => {
  const url = await createDatabase()
  const database = await open(t, url)
  await database.listen('policy', () => {})
  const busy = sql`select pg_sleep(0.3)`
  const all = Array.from({ length: 20 }, async () => await Promise.all([
    database.recording.execute(busy), database.operator.execute(busy)
  ]))
  const watch = postgres(url, { max: 1, connection: { application_name: 'watch' } })
  t.teardown(async () => await watch.end())
  const count = async (): Promise<unknown> => (await watch`select count(*)::int as n from pg_stat_activity
    where datname = current_database() and application_name like 'promptmeter%'`)[0]?.['n']
  await until(async () => {
    const connections = Number(await count())
    t.ok(connections <= 9)
    return connections === 9
  })
  await Promise.all(all)
  t.equal(await count(), 9)
})
