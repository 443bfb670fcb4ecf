import { spawnSync } from 'node:child_process'
import { chownSync, chmodSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import postgres from 'postgres'
import t, { type Test } from 'tap'
import { openDatabase } from '../../src/db/open-database.js'
import { createDatabase, sharedPostgres, silentLog, temporaryFolder } from '../helpers/database.js'
import { type PostgresServer, startPostgres } from '../helpers/postgres-server.js'
import { until } from '../helpers/until.js'

const openssl = spawnSync('openssl', ['version']).status === 0
const skip = openssl ? false : 'openssl is not installed on this machine'

/** The first row that the recording pool and the operator pool of a gateway's database answer. */
async function ask (t: Test, databaseUrl: string, question: string): Promise<unknown[]> {
  const database = await openDatabase({ databaseUrl, dataDir: temporaryFolder(t), log: silentLog })
  try {
    const ask = sql.raw(question)
    return [(await database.recording.execute(ask))[0], (await database.operator.execute(ask))[0]]
  } finally {
    await database.close()
  }
}

const twice = (row: object): unknown[] => [row, row]

/** The folder of the test server's Unix socket. */
async function socketFolder (databaseUrl: string): Promise<string> {
  const client = postgres(databaseUrl, { max: 1 })
  const [row] = await client<{ folder: string }[]>`select current_setting('unix_socket_directories') as folder`
  await client.end()
  if (row === undefined) throw new Error('no folder')
  return row.folder
}

t.test('a Unix socket is reached by host= and by %2F', async t => {
  const databaseUrl = await createDatabase()
  const folder = await socketFolder(databaseUrl)
  const { port } = await sharedPostgres()
  const database = new URL(databaseUrl).pathname.slice(1)
  for (const uri of [
    `postgres://postgres@/${database}?host=${folder}&port=${port}`,
    `postgres:///${database}?host=${encodeURIComponent(folder)}&port=${port}&user=postgres`,
    `postgres://postgres@${encodeURIComponent(folder)}:${port}/${database}`,
    `postgres://?host=${folder}&port=${port}&user=postgres&dbname=${database}&sslmode=require`
  ]) {
    t.same(
      await ask(t, uri, 'select inet_server_addr() is null as socket, current_database() as database'),
      twice({ socket: true, database }),
      uri
    )
  }
  await t.rejects(ask(
    t, `postgres://postgres@/${database}?host=${folder}&port=1`, 'select 1'
  ), { message: `at ${folder}/.s.PGSQL.1 (ENOENT` })
})

t.test('hosts are tried in turn, and what the URI sets is set', async t => {
  const databaseUrl = await createDatabase()
  const { port } = await sharedPostgres()
  const database = new URL(databaseUrl).pathname.slice(1)
  const question =
    'select current_setting(\'application_name\') as name, current_setting(\'work_mem\') as memory, inet_server_port() as port'
  const row = { name: 'books', memory: '5MB', port }
  const parameters =
    'application_name=books&options=-c%20work_mem%3D5MB&connect_timeout=5&keepalives_idle=30&channel_binding=prefer'
  t.same(
    await ask(t, `postgres://postgres@127.0.0.1:1,127.0.0.1:${port}/${database}?${parameters}`, question), twice(row)
  )
  t.same(
    await ask(
      t, `postgres://postgres@127.0.0.1:${port}/${database}?${parameters}&target_session_attrs=read-write`, question
    ),
    twice(row)
  )
})

t.test('with target_session_attrs a server that only reads is passed over', async t => {
  const databaseUrl = await createDatabase()
  const { port } = await sharedPostgres()
  const standby = await startPostgres({ config: ['default_transaction_read_only = on'] })
  t.teardown(async () => await standby.remove())
  const database = new URL(databaseUrl).pathname.slice(1)
  const client = postgres(`${standby.url()}?options=-c%20default_transaction_read_only%3Doff`, { max: 1 })
  await client.unsafe(`create database ${database}`)
  await client.end()
  t.same(await ask(t, `postgres://postgres@127.0.0.1:${standby.port},127.0.0.1:${port}/${database}?target_session_attrs=read-write`,
    'select inet_server_port() as port'), twice({ port }))
})

t.test('TLS is what sslmode says, and no less', { skip }, async t => {
  const server = await startPostgres()
  t.teardown(async () => await server.remove())
  const plain = `postgres://postgres@127.0.0.1:${server.port}/postgres`
  const encrypted = 'select ssl from pg_stat_ssl where pid = pg_backend_pid()'
  await t.rejects(ask(t, `${plain}?sslmode=require`, encrypted), 'a server without TLS')
  t.same(await ask(t, `${plain}?sslmode=prefer`, encrypted), twice({ ssl: false }), 'a server without TLS')
  const { ca, other } = await startTls(t, server)
  const named = plain.replace('127.0.0.1', 'localhost')
  for (const [uri, ssl] of [
    [plain, false],
    [`${plain}?sslmode=disable`, false],
    [`${plain}?sslmode=allow`, true],
    [`${plain}?sslmode=prefer`, true],
    [`${plain}?sslmode=require`, true],
    [`${plain}?sslmode=require&ssl_min_protocol_version=TLSv1.3`, true],
    [`${plain}?sslmode=verify-ca&sslrootcert=${ca}`, true],
    [`${plain}?sslmode=require&sslrootcert=${ca}`, true],
    [`${named}?sslmode=verify-full&sslrootcert=${ca}`, true]
  ] as const) t.same(await ask(t, uri, encrypted), twice({ ssl }), uri)
  for (const [uri, why] of [
    [`${plain}?sslmode=verify-full&sslrootcert=${ca}`, /127\.0\.0\.1/],
    [`${plain}?sslmode=verify-ca&sslrootcert=${other}`, /certificate/],
    [`${named}?sslmode=verify-full&sslrootcert=${other}`, /certificate/],
    [`${named}?sslmode=verify-full`, /certificate/],
    [`${named}?sslrootcert=system`, /certificate/],
    [
      `${plain}?sslmode=verify-ca&sslrootcert=/nowhere/ca.pem`,
      /^DATABASE_URL has sslrootcert, a file that cannot be read \(ENOENT\): \/nowhere\/ca\.pem$/
    ]
  ] as const) await t.rejects(ask(t, uri, encrypted), { message: why }, uri)
})

/**
 * The server takes TLS from here on, with a certificate for `localhost` by an authority that is returned, beside
 * another one.
 */
async function startTls (t: Test, server: PostgresServer): Promise<{ ca: string, other: string }> {
  const client = postgres(server.url(), { max: 1 })
  const [row] = await client<{ folder: string }[]>`select current_setting('data_directory') as folder`
  if (row === undefined) throw new Error('no folder')
  const folder = temporaryFolder(t)
  const file = (name: string): string => join(folder, name)
  const run = (...words: string[]): void => {
    const { status, stderr } = spawnSync('openssl', words, { cwd: folder, encoding: 'utf8' })
    if (status !== 0) throw new Error(stderr)
  }
  for (const authority of ['ca', 'other']) {
    run('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '3650', '-subj', `/CN=${authority}`, '-keyout', `${authority}.key`, '-out', `${authority}.pem`)
  }
  run('req', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=localhost', '-keyout', 'server.key', '-out', 'server.csr')
  writeFileSync(file('names'), 'subjectAltName=DNS:localhost\n')
  run(
    'x509',
    '-req',
    '-in',
    'server.csr',
    '-CA',
    'ca.pem',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-days',
    '3650',
    '-extfile',
    'names',
    '-out',
    'server.pem'
  )
  // The server reads them as the user that it runs as.
  const { uid, gid } = statSync(row.folder)
  chmodSync(folder, 0o755)
  chmodSync(file('server.key'), 0o600)
  for (const name of ['server.key', 'server.pem']) chownSync(file(name), uid, gid)
  for (const [name, value] of [
    ['ssl_cert_file', file('server.pem')], ['ssl_key_file', file('server.key')], ['ssl', 'on']
  ] as const) {
    await client.unsafe(`alter system set ${name} = '${value}'`)
  }
  await client`select pg_reload_conf()`
  await until(async () => (await client`select current_setting('ssl') as ssl`)[0]?.['ssl'] === 'on', 20)
  await client.end()
  return { ca: file('ca.pem'), other: file('other.pem') }
}
