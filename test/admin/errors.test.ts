import { Writable } from 'node:stream'
import { sql } from 'drizzle-orm'
import Fastify from 'fastify'
import t from 'tap'
import { answerError } from '../../src/admin/error-handler.js'
import { openTestDatabase } from '../helpers/database.js'
import { errorOf, startAdmin } from './start-admin.js'

/** Answers what a route throws, and what was logged of it. */
async function answerTo (failure: () => Promise<unknown>): Promise<{ status: number, text: string, log: string }> {
  let log = ''
  const stream = new Writable({
    write (chunk: Buffer, _encoding, done) {
      log += chunk.toString()
      done()
    }
  })
  const app = Fastify({ logger: { level: 'error', stream } })
  app.setErrorHandler(answerError)
  app.get('/', failure)
  const { statusCode, body } = await app.inject('/')
  await app.close()
  return { status: statusCode, text: body, log }
}

// The embedded database knows no statement time-out: as WebAssembly it has no timer that could end a query.
t.test('a query that takes too long is 503 query_timeout', async t => {
  const database = await openTestDatabase(t, 'postgres')
  const { status, text } = await answerTo(async () => await database.operator.transaction(async transaction => {
    await transaction.execute(sql`set local statement_timeout = 20`)
    await transaction.execute(sql`select pg_sleep(5)`)
  }))
  t.equal(status, 503)
  t.match(text, '"code":"query_timeout"')
})

t.test('rows that calls were writing to are 503 database_busy', async t => {
  const database = await openTestDatabase(t, 'postgres')
  for (const code of ['40P01', '40001', '55P03']) {
    const { status, text } = await answerTo(async () => await database.operator.execute(
      sql.raw(`do $$ begin raise exception 'in the way' using errcode = '${code}'; end $$`)))
    t.equal(status, 503)
    t.match(text, '"code":"database_busy"')
  }
})

t.test('a database that is gone is 503 database_unavailable', async t => {
  const database = await openTestDatabase(t, 'postgres')
  const { call } = await startAdmin(t, database)
  await database.close()
  t.equal(errorOf(await call('GET', '/admin/api/prompt-configs')), '503 database_unavailable')
  t.equal(errorOf(await call('POST', '/admin/api/prompt-configs', { prompt_type: 'a' })), '503 database_unavailable')
})

t.test('another failure is 500, whose reason is in the log, without the parameters of the statement, and not in the answer', async t => {
  const database = await openTestDatabase(t, 'postgres')
  const secret = 'a parameter'
  const { status, text, log } = await answerTo(async () => await database.operator.execute(
    sql`select ${secret}::text from no_such_table`
  ))
  t.equal(status, 500)
  t.match(text, '"code":"internal_error"')
  t.notMatch(text, 'no_such_table')
  t.match(log, 'no_such_table')
  t.notMatch(log, secret)
})

t.test('a change whose announcement fails is not made', async t => {
  const database = await openTestDatabase(t, 'postgres')
  const { call, policyChanges } = await startAdmin(t, database)
  await database.operator.execute(sql`alter table gateway_settings add constraint broken check (policy_version < 2)`)
  t.equal(errorOf(await call('POST', '/admin/api/prompt-configs', { prompt_type: 'a' })), '500 internal_error')
  t.match((await call('GET', '/admin/api/prompt-configs')).body, { total: 0 })
  t.equal(policyChanges(), 0)
})
