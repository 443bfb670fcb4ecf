import { performance } from 'node:perf_hooks'
import { drizzle } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import t from 'tap'
import { setLocally } from '../../src/db/local-settings.js'
import { pingUnlessBusy } from '../../src/db/ping.js'
import { createDatabase } from '../helpers/database.js'

t.test('a pool whose connections are all at work is busy, and counts as failing once nothing of it has moved for a minute', async t => {
  let [transactions, nowMs, pings] = [4, 1000, 0]
  const failing = (): Promise<void> => {
    pings++
    return Promise.reject(new Error('no answer'))
  }
  const ping = pingUnlessBusy(failing, 4, { transactions: () => transactions, movedAtMs: () => 1000 }, () => nowMs)
  await ping()
  nowMs += 59_999
  await ping()
  t.equal(pings, 0, 'not asked')
  nowMs += 1
  await t.rejects(ping(), /no answer/)
  nowMs = 1000
  transactions = 3
  await t.rejects(ping(), /no answer/, 'one with a free connection is asked at once')
})

t.test('one that has become busy while it was asked has an excuse', async () => {
  let transactions = 0
  const ping = pingUnlessBusy(() => {
    transactions = 4
    return Promise.reject(new Error('no answer'))
  }, 4, { transactions: () => transactions, movedAtMs: () => 0 }, () => 0)
  await ping()
})

t.test('a pool moves with each statement, alone or in a transaction', async t => {
  const client = postgres(await createDatabase('empty'), { max: 1, onnotice: () => {} })
  t.teardown(async () => await client.end())
  const atWork = setLocally(client, "set local statement_timeout = '15s'")
  const db = drizzle(client)
  let beforeMs = performance.now()
  const check = (transactions: number): void => {
    t.ok(atWork.movedAtMs() > beforeMs)
    t.equal(atWork.transactions(), transactions)
    beforeMs = performance.now()
  }
  await db.execute('select 1')
  check(0)
  await db.transaction(async tx => {
    check(1)
    await tx.execute('select 1')
    check(1)
    await tx.execute('select 2')
    check(1)
  })
  check(0)
})
