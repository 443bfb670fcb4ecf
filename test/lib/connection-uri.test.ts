import fc from 'fast-check'
import t from 'tap'
import { type ConnectionUri, ConnectionUriError, parseConnectionUri } from '../../src/lib/connection-uri.js'

const nothing: ConnectionUri = {
  servers: [{ host: 'localhost', port: 5432 }],
  user: null,
  password: null,
  database: null,
  sslMode: 'disable',
  sslRootCert: null,
  sslCert: null,
  sslKey: null,
  sslPassword: null,
  sslMinVersion: null,
  sslMaxVersion: null,
  sslNegotiation: 'postgres',
  targetSessionAttrs: 'any',
  connectTimeoutSeconds: null,
  keepalivesIdleSeconds: null,
  applicationName: null,
  options: null
}

const at = (...servers: Array<[host: string, port?: number]>): Pick<ConnectionUri, 'servers'> =>
  ({ servers: servers.map(([host, port = 5432]) => ({ host, port })) })

/** The message, without the variable's name; null where it is taken. */
function refusal (uri: string): string | null {
  try {
    parseConnectionUri(uri)
    return null
  } catch (error) {
    if (error instanceof ConnectionUriError) return error.message.replace(/^DATABASE_URL /, '')
    throw error
  }
}

t.test('a URI says what libpq reads in it', t => {
  const cases: Array<[uri: string, says: Partial<ConnectionUri>]> = [
    // From libpq's manual.
    ['postgresql://', {}],
    ['postgresql://localhost', {}],
    ['postgresql://localhost:5433', at(['localhost', 5433])],
    ['postgresql://localhost/mydb', { database: 'mydb' }],
    ['postgresql://user@localhost', { user: 'user' }],
    ['postgresql://user:secret@localhost', { user: 'user', password: 'secret' }],
    [
      'postgresql://other@localhost/otherdb?connect_timeout=10&application_name=myapp',
      { user: 'other', database: 'otherdb', connectTimeoutSeconds: 10, applicationName: 'myapp' }
    ],
    [
      'postgresql://host1:123,host2:456/somedb?target_session_attrs=any&application_name=myapp',
      { ...at(['host1', 123], ['host2', 456]), database: 'somedb', applicationName: 'myapp' }
    ],
    [
      'postgresql://user@localhost:5433/mydb?options=-c%20synchronous_commit%3Doff',
      { ...at(['localhost', 5433]), user: 'user', database: 'mydb', options: '-c synchronous_commit=off' }
    ],
    ['postgresql:///mydb?host=localhost&port=5433', { ...at(['localhost', 5433]), database: 'mydb' }],
    ['postgresql://[2001:db8::1234]/database', { ...at(['2001:db8::1234']), database: 'database' }],
    ['postgresql:///dbname?host=/var/lib/postgresql', { ...at(['/var/lib/postgresql']), database: 'dbname' }],
    ['postgresql://%2Fvar%2Flib%2Fpostgresql/dbname', { ...at(['/var/lib/postgresql']), database: 'dbname' }],
    [
      'postgresql://user:secret@/db?host=%2Frun&port=6432',
      { ...at(['/run', 6432]), user: 'user', password: 'secret', database: 'db' }
    ],
    // Characters.
    [
      'postgres://m%40e:p%3A%2F%3F%23%5B%5D%40%25@db/b%20c',
      { ...at(['db']), user: 'm@e', password: 'p:/?#[]@%', database: 'b c' }
    ],
    ['postgres://me:a@b@db/c', { ...at(['db']), user: 'me', password: 'a@b', database: 'c' }],
    ['postgres://me:a#b:c@db', { ...at(['db']), user: 'me', password: 'a#b:c' }],
    [
      'postgres://db/c?password=a%26b%3Dc+d&user=%C3%A9',
      { ...at(['db']), user: 'é', password: 'a&b=c+d', database: 'c' }
    ],
    // The query wins.
    [
      'postgres://a:b@c:1/d?user=e&password=f&host=g&port=2&dbname=h',
      { ...at(['g', 2]), user: 'e', password: 'f', database: 'h' }
    ],
    ['postgres://?host=a,b&port=1,2', at(['a', 1], ['b', 2])],
    ['postgres://?host=a,b&port=7', at(['a', 7], ['b', 7])],
    ['postgres://a,b:6/', at(['a'], ['b', 6])],
    ['POSTGRES://db', at(['db'])],
    // TLS.
    ['postgres://db?sslmode=allow', { ...at(['db']), sslMode: 'prefer' }],
    ['postgres://db?ssl=true', { ...at(['db']), sslMode: 'require' }],
    [
      'postgres://db?sslmode=require&sslrootcert=ca.pem', { ...at(['db']), sslMode: 'verify-ca', sslRootCert: 'ca.pem' }
    ],
    ['postgres://db?sslrootcert=system', { ...at(['db']), sslMode: 'verify-full', sslRootCert: 'system' }],
    ['postgres://db?sslmode=verify-full&sslcert=a&sslkey=b&sslpassword=c&ssl_min_protocol_version=TLSv1.3&sslnegotiation=direct',
      {
        ...at(['db']),
        sslMode: 'verify-full',
        sslCert: 'a',
        sslKey: 'b',
        sslPassword: 'c',
        sslMinVersion: 'TLSv1.3',
        sslNegotiation: 'direct'
      }],
    ['postgres://db?keepalives=0&keepalives_idle=9', { ...at(['db']), keepalivesIdleSeconds: 0 }],
    [
      'postgres://db?keepalives_idle=9&target_session_attrs=primary',
      { ...at(['db']), keepalivesIdleSeconds: 9, targetSessionAttrs: 'primary' }
    ],
    [
      'postgres://db?channel_binding=prefer&gssencmode=disable&client_encoding=UTF8&load_balance_hosts=disable&sslsni=1&sslcompression=0',
      at(['db'])
    ],
    ['postgres://db?fallback_application_name=x&sslmode=&port=', { ...at(['db']), applicationName: 'x' }]
  ]
  for (const [uri, says] of cases) t.same(parseConnectionUri(uri), { ...nothing, ...says }, uri)
  t.end()
})

t.test('a parameter of libpq that does not work is refused by its name, with what to do', t => {
  for (const [parameter, message] of [
    ['channel_binding=require', 'has channel_binding, which must be disable or prefer: the gateway has no channel binding; use sslmode=verify-full'],
    ['gssencmode=require', 'has gssencmode, which must be disable or prefer'],
    ['sslmode=full', 'has sslmode, which must be disable, allow, prefer, require, verify-ca or verify-full'],
    ['target_session_attrs=standby', 'has target_session_attrs, which must be any, read-write or primary'],
    ['connect_timeout=0', 'has connect_timeout, which must be a whole number from 1 to 600'],
    ['load_balance_hosts=random', 'has load_balance_hosts, which must be disable'],
    ['client_encoding=LATIN1', 'has client_encoding, which must be'],
    ['sslrootcert=ca.pem', 'has sslrootcert, which needs sslmode=verify-full (or verify-ca)'],
    ['sslmode=prefer&sslrootcert=ca.pem', 'has sslrootcert, which needs'],
    ['sslrootcert=system&sslmode=require', 'has sslrootcert=system, which needs sslmode=verify-full'],
    ['sslcert=a&sslkey=b', 'has sslcert, which needs sslmode=require'],
    ['sslmode=require&sslcert=a', 'has only one of sslcert and sslkey; set both'],
    ['statement_timeout=5', "has a parameter 'statement_timeout' that libpq does not have; write settings of the server as options=-c%20name%3Dvalue"],
    ['search_path=a', "has a parameter 'search_path'"],
    ['pgbouncer=true', "has a parameter 'pgbouncer'"],
    ...[
      'service', 'passfile', 'hostaddr', 'keepalives_count', 'tcp_user_timeout', 'sslcrl', 'krbsrvname', 'require_auth',
      'replication'
    ]
      .map(name => [`${name}=x`, `has ${name}, which the gateway does not support: `])
  ] as Array<[string, string]>) {
    t.ok(refusal(`postgres://db/books?${parameter}`)?.startsWith(
      message
    ), `${parameter}: ${refusal(`postgres://db/books?${parameter}`) ?? ''}`)
  }
  t.end()
})

t.test('a URI that cannot be read is refused, with what is wrong with it', t => {
  for (const [uri, message] of [
    ['host=db dbname=books', /^is '…', but must be a URL such as postgres:/],
    ['mysql://db', /^is '…', but must be/],
    ['postgres://me:a b@db', /^is '…', but must be/],
    ['postgres://db:port', /^has an invalid port/],
    ['postgres://db:65536', /^has an invalid port/],
    ['postgres://db:0', /^has an invalid port/],
    ['postgres://[::1', /^has a host that cannot be read/],
    ['postgres://::1/db', /^has a host that cannot be read|^has an invalid port/],
    ['postgres://?host=a,b&port=1,2,3', /^has 3 ports for 2 hosts/],
    ['postgres://?host=a,/run', /^has several hosts, one of them a Unix socket/],
    ['postgres://?host=@abstract', /^has an invalid host/],
    ['postgres://me:%zz@db', /^has a % in the password/],
    ['postgres://me:%ff@db', /^has a % in the password/],
    ['postgres://db/%00', /^has a % in the database/],
    ['postgres://db?sslmode', /^has a parameter that is not name=value/],
    ['postgres://db?options=-c a=b', /^is '…'/],
    ['postgres://db?options=-ca=b', /^has a parameter that is not name=value/]
  ] as Array<[string, RegExp]>) t.match(refusal(uri), message, uri)
  t.end()
})

t.test('no refusal shows a part of the password, wherever a character ends it early', t => {
  const letters = fc.string({
    unit: fc.constantFrom('x', '/', '?', '#', '&', '=', '@', ':', '%', '[', ',', '+'), minLength: 0, maxLength: 8
  })
  fc.assert(fc.property(letters, letters, letters, fc.boolean(), (a, b, c, inQuery) => {
    const password = `${a}hush${b}hush${c}`
    const uri = inQuery ? `postgres://me@db/books?password=${password}` : `postgres://me:${password}@db/books`
    const message = refusal(uri)
    if (message?.includes('hush') === true) throw new Error(`${uri}: ${message}`)
  }), { numRuns: 5000 })
  t.end()
})
