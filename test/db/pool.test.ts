import { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import postgres from 'postgres'
import t from 'tap'
import { openPool } from '../../src/db/pool.js'
import { createDatabase, openTestDatabase } from '../helpers/database.js'
import { gate } from '../helpers/gate.js'
import { startTcpProxy } from '../helpers/tcp-proxy.js'

const ownProcess = sql`select pg_backend_pid() as pid`
const count = sql`select count(*)::int as count from lines`

t.test('a server that closes the connection under a statement ends its transaction, and only that', async t => {
  const database = await openTestDatabase(t, 'postgres')
  for (let round = 0; round < 3; round++) {
    const asleep = database.operator.transaction(async tx => {
      const [row] = await tx.execute<{ pid: number }>(ownProcess)
      void sleep(20)
        .then(async () => await database.recording.execute(sql`select pg_terminate_backend(${row?.pid ?? 0}::int)`))
      await tx.execute(sql`select pg_sleep(10)`)
    })
    await t.rejects(asleep, /CONNECTION_CLOSED/)
    t.same(await database.recording.execute(sql`select 1 as one`), [{ one: 1 }])
  }
})

t.test('a transaction that is at something else when its connection is lost sends nothing more, and is not committed', async t => {
  const database = await openTestDatabase(t, 'postgres')
  await database.recording.execute(sql`create table lines (line int)`)
  // A transaction is told of its loss before its body is done.
  const bodies: Array<Promise<void>> = []
  const lose = (pid: number | undefined): Promise<void> => {
    const lost = loseAndGoOn(pid)
    bodies.push(lost)
    return lost
  }
  const loseAndGoOn = async (pid: number | undefined): Promise<void> => {
    await database.recording.execute(sql`select pg_terminate_backend(${pid ?? 0}::int)`)
    // Time for another statement, which gets a connection in the lost one's place.
    for (let i = 0; i < 10; i++) {
      await Promise.all(
        [1, 2, 3, 4].map(async () => await database.operator.execute(sql`select pg_sleep(0.01)`))
      )
    }
  }
  await t.rejects(database.operator.transaction(async tx => {
    const [row] = await tx.execute<{ pid: number }>(ownProcess)
    await tx.execute(sql`insert into lines values (1)`)
    await lose(row?.pid)
    await tx.execute(sql`insert into lines values (2)`)
  }), 'with a statement after it')
  await t.rejects(database.operator.transaction(async tx => {
    const [row] = await tx.execute<{ pid: number }>(ownProcess)
    await tx.execute(sql`insert into lines values (3)`)
    await lose(row?.pid)
  }), 'with none')
  await Promise.all(bodies)
  t.same(await database.operator.execute(count), [{ count: 0 }])
})

t.test('a transaction whose body fails is rolled back, and its connection goes on', async t => {
  const database = await openTestDatabase(t, 'postgres')
  await database.recording.execute(sql`create table lines (line int)`)
  await t.rejects(database.operator.transaction(async tx => {
    await tx.execute(sql`insert into lines values (1)`)
    throw new Error('thought better of it')
  }), /thought better of it/)
  await t.rejects(database.operator.transaction(async tx => {
    await tx.execute(sql`insert into lines values (1)`)
    // A code of the class "out of resources", of which a pool that lost its connection would be told too.
    await tx.execute(sql`do $$ begin raise exception 'full' using errcode = '53100'; end $$`)
  }), { cause: { code: '53100' } })
  await t.rejects(database.operator.transaction(async tx => {
    await tx.execute(sql`insert into lines values (1)`)
    // Some other server's: this connection is well.
    throw Object.assign(new Error('nobody is there'), { code: 'ECONNREFUSED' })
  }), /nobody is there/)
  t.same(await database.operator.execute(count), [{ count: 0 }])
  t.same(await database.operator.execute(sql`select count(*)::int as count from pg_stat_activity
    where datname = current_database() and state like 'idle in transaction%'`), [{ count: 0 }])
})

t.test('a statement on a connection whose socket has failed, but is not closed yet, fails with it', async t => {
  const databaseUrl = await createDatabase('empty')
  const proxy = await startTcpProxy(t, databaseUrl)
  const connect = Reflect.get(Socket.prototype, 'connect') as (...target: unknown[]) => Socket
  t.teardown(() => Reflect.set(Socket.prototype, 'connect', connect))
  for (const [name, text, parameters, options] of [
    ['simple', 'select 1 as one', [], {}],
    ['with parameters', 'select $1::int as one', ['1'], {}],
    ['prepared', 'select $1::int as one', ['1'], { prepare: true }],
    ['a transaction', 'begin', [], {}]
  ] as const) {
    const client = postgres(proxy.withPort(databaseUrl), { max: 1, fetch_types: false, backoff: () => 0.05 })
    openPool(client)
    const failed = gate()
    const send = async (): Promise<string> => {
      const answer = text === 'begin'
        ? client.begin(async tx => await tx.unsafe('select 1 as one'))
        : client.unsafe(text, [...parameters], options)
      return await answer.then(rows => `answered ${JSON.stringify(rows)}`, String)
    }
    Reflect.set(Socket.prototype, 'connect', function (this: Socket, ...target: unknown[]): Socket {
      if (target[0] === proxy.port) this.once('error', () => failed.open())
      return Reflect.apply(connect, this, target)
    })
    await client.unsafe('select 0')
    if ('prepare' in options) await client.unsafe(text, [...parameters], options)
    await sleep(50)
    const sent = failed.passed().then(send) // Between the library's 'error' and its 'close'.
    proxy.cut('all')
    t.match(await Promise.race([sent, sleep(2000, 'no answer')]), /CONNECTION_CLOSED/, name)
    t.same(
      Array.from(await client.unsafe('select 7 as seven')), [{ seven: 7 }], 'and the next one gets a new connection'
    )
    await client.end({ timeout: 1 })
  }
})
