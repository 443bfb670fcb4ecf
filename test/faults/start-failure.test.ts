import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import postgres from 'postgres'
import t, { type Test } from 'tap'
import { ListenError, startFailure } from '../../src/start-failure.js'
import {
  createDatabase, databaseKinds, sharedPostgres, temporaryFolder, testDatabaseOptions
} from '../helpers/database.js'
import { startGatewayProcess } from '../helpers/gateway-process.js'

const settings = { host: '127.0.0.1', port: 80, secrets: ['', 'abc', 'hush-hush'] }

interface Place { readonly databaseUrl: string | null, readonly dataDir: string }

/** Starts a gateway that must fail, with 1, and answers with the last line that it wrote. */
async function lastLine (t: Test, location: Place, env: Record<string, string> = {}): Promise<string> {
  const failure: unknown = await startGatewayProcess(t, { upstreamUrl: 'http://127.0.0.1:9/v1', location, env })
    .catch((error: unknown) => error)
  const message = failure instanceof Error ? failure.message : 'it started'
  t.match(message, /ended before it listened \(1\)/)
  return message.replace(/^the gateway ended before it listened \(1\): /, '').split('\n').at(-1) ?? ''
}

const did = 'promptmeter did not start: '

for (const kind of databaseKinds) {
  t.test(`a port that cannot be opened is the last line (${kind})`, async t => {
    const location = await testDatabaseOptions(t, kind)
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as AddressInfo
    t.equal(await lastLine(t, location, {
      PORT: String(port)
    }), `${did}port ${port} on 127.0.0.1 is in use (EADDRINUSE). Stop what listens there, or set PORT to another.`)
    t.match(await lastLine(t, location, {
      HOST: '192.0.2.1'
    }), `${did}HOST '192.0.2.1' is not an address of this machine (EADDRNOTAVAIL). Set HOST to one that is`)
    t.match(
      await lastLine(t, location, { HOST: 'nowhere.invalid' }),
      /^promptmeter did not start: HOST 'nowhere\.invalid' has no address \((ENOTFOUND|EAI_AGAIN)\)\. Set HOST/
    )
    taken.close()
    const gateway = await startGatewayProcess(t, {
      upstreamUrl: 'http://127.0.0.1:9/v1', location, env: { PORT: String(port) }
    })
    t.same(await gateway.stop(), { code: 0, signal: null }, 'what failed has left nothing that stands in the way')
  })

  t.test(`what lies in the data folder and cannot be used is the last line (${kind})`, async t => {
    const { databaseUrl } = await testDatabaseOptions(t, kind)
    const folderWith = (name: string, type: 'file' | 'folder'): string => {
      const dataDir = temporaryFolder(t)
      if (type === 'file') writeFileSync(join(dataDir, name), 'x')
      else mkdirSync(join(dataDir, name))
      return dataDir
    }
    const journal = folderWith('journal', 'file')
    t.match(await lastLine(t, {
      databaseUrl, dataDir: journal
    }), `${did}${journal}/journal must be a folder, but is something else (EEXIST).`)
    const secret = folderWith('webhook-secret', 'folder')
    t.match(await lastLine(t, {
      databaseUrl, dataDir: secret
    }), `${did}${secret}/webhook-secret must be a file, but is a folder (EISDIR).`)
    const password = folderWith('admin-password', 'folder')
    t.match(await lastLine(t, {
      databaseUrl, dataDir: password
    }, { ADMIN_PASSWORD: '' }), `${did}${password}/admin-password must be a file`)
    const here = temporaryFolder(t)
    writeFileSync(join(here, 'file'), '')
    for (const [name, line] of [
      ['file', /must be a folder/], ['file/below', /must be a folder/], ['/proc/here', /\/proc\/here/]
    ] as const) {
      t.match(await lastLine(t, { databaseUrl, dataDir: here }, { DATA_DIR: name }), line)
    }
  })

  t.test(`a data folder that another process has is the last line (${kind})`, async t => {
    const location = await testDatabaseOptions(t, kind)
    await startGatewayProcess(t, { upstreamUrl: 'http://127.0.0.1:9/v1', location })
    t.match(
      await lastLine(t, location), /^promptmeter did not start: The data folder .* is in use by another promptmeter/
    )
  })
}

t.test('an embedded database that is damaged is the last line', async t => {
  const dataDir = temporaryFolder(t)
  mkdirSync(join(dataDir, 'db'))
  writeFileSync(join(dataDir, 'db', 'PG_VERSION'), 'junk')
  t.match(await lastLine(t, {
    databaseUrl: null, dataDir
  }), `${did}The embedded database in ${dataDir}/db cannot be opened`)
})

t.test('a PostgreSQL that cannot be used is the last line, without its password', async t => {
  const { port } = await sharedPostgres()
  const empty = await createDatabase('empty')
  const client = postgres(empty, { max: 1 })
  await client`create role poor login password 'hush-hush'`
  await client.end()
  const dataDir = temporaryFolder(t)
  // As a balancer without a server behind it.
  const closing = createServer(socket => { socket.once('data', () => socket.end()) }).listen(0, '127.0.0.1')
  await once(closing, 'listening')
  t.teardown(() => closing.close())
  const closingPort = (closing.address() as AddressInfo).port
  for (const [databaseUrl, line] of [
    [`postgres://me:hush-hush@127.0.0.1:${closingPort}/books?connect_timeout=1`, /no PostgreSQL answered within 11 s/],
    ['postgres://me:hush-hush@127.0.0.1:1/books', /the database 'books' at 127\.0\.0\.1:1 \(ECONNREFUSED/],
    ['postgres://me:hush-hush@nowhere.invalid/books', /nowhere\.invalid:5432 \((ENOTFOUND|EAI_AGAIN)/],
    [`postgres://nobody:hush-hush@127.0.0.1:${port}/books`, /\(28000: role "nobody" does not exist\)/],
    [`postgres://postgres:hush-hush@127.0.0.1:${port}/no_books`, /\(3D000: database "no_books" does not exist\)/],
    [
      empty.replace('postgres@', 'poor:hush-hush@'),
      /PostgreSQL says: permission denied for .+ \(SQLSTATE 42501\)\. The role in DATABASE_URL needs CREATE/
    ],
    [`postgres://postgres:hush-hush@127.0.0.1:${port}/books?sslmode=require`, /Cannot open the database 'books'/],
    [
      `postgres://postgres:hush-hush@127.0.0.1:${port}/books?channel_binding=require`,
      /DATABASE_URL has channel_binding, which must be disable or prefer/
    ]
  ] as const) {
    const last = await lastLine(t, { databaseUrl, dataDir })
    t.match(last, /^promptmeter did not start: /)
    t.match(last, line)
    t.notMatch(last, /hush/)
  }
})

t.test('a setting that is impossible is the last line', async t => {
  t.equal(await lastLine(t, {
    databaseUrl: null, dataDir: temporaryFolder(t)
  }, { PORT: 'x' }), `${did}PORT is 'x', but must be a whole number from 0 to 65535`)
})

t.test('a failure is one line that says what to do, and shows no secret', t => {
  const system = (code: string, more: object = {}): Error =>
    Object.assign(new Error(`${code}: it failed\n    at there`), { code, ...more })
  for (const [error, line] of [
    [
      new ListenError('', { cause: system('EACCES') }),
      'this user may not listen on port 80 (EACCES). Set PORT to 1024 or more, or give the process CAP_NET_BIND_SERVICE.'
    ],
    [
      new ListenError('', { cause: system('EOTHER') }),
      'it cannot listen on 127.0.0.1, port 80 (EOTHER: it failed at there). Set another HOST or PORT.'
    ],
    [
      system('EACCES', { path: '/data' }),
      '/data is not accessible (EACCES). Make the user that promptmeter runs as its owner, or set DATA_DIR to another folder.'
    ],
    [
      system('EROFS', { path: '/data' }),
      '/data is on a read-only file system (EROFS). Set DATA_DIR to a folder elsewhere.'
    ],
    [
      system('ENOSPC', { path: '/data' }),
      'there is no space left for /data (ENOSPC). Free some space, or set DATA_DIR to a folder elsewhere.'
    ],
    [
      system('EACCES', { address: '/data/db-1.lock', syscall: 'listen' }),
      '/data/db-1.lock is not accessible (EACCES). Make the user that promptmeter runs as its owner, or set DATA_DIR to another folder.'
    ],
    [new Error('Failed query: select 1\nparams: ', { cause: new Error('no room') }), 'no room'],
    [new Error('sent hush-hush\r\n to\u2028 abc'), 'sent … to abc'],
    ['a word', 'a word'],
    [undefined, 'undefined']
  ] as const) t.equal(startFailure(error, settings), `${did}${line}\n`)
  t.end()
})
