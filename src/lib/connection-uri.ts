/** A PostgreSQL server that `DATABASE_URL` names. */
export interface ServerAddress {
  /** A host name or IP address; a path from `/` on is the folder of a Unix socket. */
  readonly host: string
  readonly port: number
}

export type SslMode = 'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full'

/** The contents of `DATABASE_URL`, in the terms of libpq. Null: not given. */
export interface ConnectionUri {
  /** Tried in turn; at least one. */
  readonly servers: readonly ServerAddress[]
  readonly user: string | null
  readonly password: string | null
  readonly database: string | null
  readonly sslMode: SslMode
  /** Of a file; `system`: the authorities that the runtime knows. */
  readonly sslRootCert: string | null
  readonly sslCert: string | null
  readonly sslKey: string | null
  readonly sslPassword: string | null
  readonly sslMinVersion: TlsVersion | null
  readonly sslMaxVersion: TlsVersion | null
  readonly sslNegotiation: 'postgres' | 'direct'
  readonly targetSessionAttrs: 'any' | 'read-write' | 'primary'
  readonly connectTimeoutSeconds: number | null
  /** 0: none are sent. */
  readonly keepalivesIdleSeconds: number | null
  readonly applicationName: string | null
  /** For the server's command line: `-c name=value`. */
  readonly options: string | null
}

const TLS_VERSIONS = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const
export type TlsVersion = typeof TLS_VERSIONS[number]

/** An invalid `DATABASE_URL`, and why. None of its values is repeated, because they may be secret. */
export class ConnectionUriError extends Error {
  override readonly name = 'ConnectionUriError'
  /** @param what continues the sentence that begins with the variable's name */
  constructor (what: string, options?: ErrorOptions) {
    super(`DATABASE_URL ${what}`, options)
  }
}

const NO_URI = "is '…', but must be a URL such as postgres://user:password@host:5432/promptmeter"
const ESCAPES = 'In user and password write % as %25, / as %2F, ? as %3F, @ as %40 and : as %3A'
const DEFAULT_PORT = 5432

/** Parameters of libpq that take these values only: with them they ask for what is so anyway. */
const AS_IT_IS: Readonly<Record<string, readonly [values: readonly string[], why: string]>> = {
  channel_binding: [
    ['disable', 'prefer'],
    'the gateway has no channel binding; use sslmode=verify-full to be sure of the server'
  ],
  gssencmode: [['disable', 'prefer'], 'the gateway has no GSSAPI encryption; use sslmode'],
  client_encoding: [['auto', 'UTF8', 'utf8', 'UTF-8', 'utf-8'], 'the gateway speaks UTF8'],
  load_balance_hosts: [['disable'], 'hosts are tried in turn'],
  sslcompression: [['0'], 'there is no TLS compression'],
  sslsni: [['1'], 'the host name is always sent'],
  requiressl: [['0'], 'use sslmode=require']
}

/** Parameters of libpq that the gateway does not take at all, and what to do instead. */
const UNSUPPORTED: Readonly<Record<string, string>> = {
  hostaddr: 'name the address in host',
  passfile: 'give the password in the URL',
  service: 'write its parameters into the URL',
  servicefile: 'write its parameters into the URL',
  require_auth: 'leave it out; use sslmode=verify-full to be sure of the server',
  replication: 'leave it out',
  keepalives_interval: 'leave it out; the operating system decides',
  keepalives_count: 'leave it out; the operating system decides',
  tcp_user_timeout: 'leave it out; the gateway has time limits of its own',
  sslcrl: 'leave it out',
  sslcrldir: 'leave it out',
  sslcertmode: 'leave it out; a certificate is sent where sslcert names one',
  sslkeylogfile: 'leave it out',
  krbsrvname: 'use a password or a certificate',
  gsslib: 'use a password or a certificate',
  gssdelegation: 'use a password or a certificate',
  requirepeer: 'leave it out',
  min_protocol_version: 'leave it out',
  max_protocol_version: 'leave it out',
  scram_client_key: 'use a password',
  scram_server_key: 'use a password',
  oauth_issuer: 'use a password or a certificate',
  oauth_client_id: 'use a password or a certificate',
  oauth_client_secret: 'use a password or a certificate',
  oauth_scope: 'use a password or a certificate'
}

const TAKEN = new Set([
  'host', 'port', 'user', 'password', 'dbname', 'sslmode', 'ssl', 'sslrootcert', 'sslcert', 'sslkey', 'sslpassword',
  'sslnegotiation', 'ssl_min_protocol_version', 'ssl_max_protocol_version', 'target_session_attrs', 'connect_timeout',
  'keepalives', 'keepalives_idle', 'application_name', 'fallback_application_name', 'options'
])

/**
 * Reads a connection URI as libpq does:
 * https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS
 * Each parameter either works or is rejected by its name.
 * @throws ConnectionUriError
 */
export function parseConnectionUri (uri: string): ConnectionUri {
  const [, rest] = /^postgres(?:ql)?:\/\/(.*)$/is.exec(uri) ?? []
  if (rest === undefined || /\s/.test(rest)) throw new ConnectionUriError(NO_URI)
  const [, authority = '', path = '', query = ''] = /^([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/s.exec(rest) ?? []
  // libpq ends the user at the first @, which is not meant where there is another.
  const at = authority.lastIndexOf('@')
  const hosts = authority.slice(at + 1)
  const [, user = '', password] = /^([^:]*)(?::(.*))?$/s.exec(authority.slice(0, Math.max(at, 0))) ?? []
  if (path.includes('@')) throw new ConnectionUriError(`has an @ after the host. ${ESCAPES}`)
  // Behind a ? in a password everything looks like parameters.
  const given = parseQuery(query, query.includes('@'))
  const textOf = (name: string): string | null => {
    const value = given.get(name)
    return value === undefined || value === '' ? null : value
  }
  const oneOf = <T extends string>(name: string, values: readonly T[]): T | null => {
    const got = textOf(name)
    const value = values.find(value => value === got)
    if (got !== null && value === undefined) throw new ConnectionUriError(`has ${name}, which must be ${list(values)}`)
    return value ?? null
  }
  const integer = (name: string, min: number, max: number): number | null => {
    const got = textOf(name)
    if (got === null) return null
    if (!/^\d{1,9}$/.test(got) || Number(got) < min || Number(got) > max) {
      throw new ConnectionUriError(`has ${name}, which must be a whole number from ${min} to ${max}`)
    }
    return Number(got)
  }
  const sslRootCert = textOf('sslrootcert')
  const mode = sslMode(oneOf('sslmode', SSL_MODES), oneOf('ssl', SSL_SWITCHES), sslRootCert)
  if (mode === 'disable' || mode === 'prefer') {
    const useless = ONLY_WITH_TLS.find(name => textOf(name) !== null)
    if (useless !== undefined) {
      throw new ConnectionUriError(`has ${useless}, which needs sslmode=require, verify-ca or verify-full`)
    }
  }
  if ((textOf('sslcert') === null) !== (textOf('sslkey') === null)) {
    throw new ConnectionUriError('has only one of sslcert and sslkey; set both')
  }
  return {
    servers: parseServers(hosts, textOf('host'), textOf('port')),
    user: textOf('user') ?? decode(user, 'the user'),
    password: textOf('password') ?? decode(password ?? '', 'the password'),
    database: textOf('dbname') ?? decode(path, 'the database'),
    sslMode: mode,
    sslRootCert,
    sslCert: textOf('sslcert'),
    sslKey: textOf('sslkey'),
    sslPassword: textOf('sslpassword'),
    sslMinVersion: oneOf('ssl_min_protocol_version', TLS_VERSIONS),
    sslMaxVersion: oneOf('ssl_max_protocol_version', TLS_VERSIONS),
    sslNegotiation: oneOf('sslnegotiation', ['postgres', 'direct']) ?? 'postgres',
    targetSessionAttrs: oneOf('target_session_attrs', ['any', 'read-write', 'primary']) ?? 'any',
    connectTimeoutSeconds: integer('connect_timeout', 1, 600),
    keepalivesIdleSeconds: oneOf('keepalives', ['0', '1']) === '0' ? 0 : integer('keepalives_idle', 1, 86_400),
    applicationName: textOf('application_name') ?? textOf('fallback_application_name'),
    options: textOf('options')
  }
}

const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const
/** `ssl=true` is JDBC's, which libpq takes too; the others are what this gateway's driver took before. */
const SSL_SWITCHES = ['true', 'false', ...SSL_MODES] as const

const ONLY_WITH_TLS = [
  'sslcert', 'sslkey', 'sslpassword', 'ssl_min_protocol_version', 'ssl_max_protocol_version', 'sslnegotiation'
]

function sslMode (
  mode: typeof SSL_MODES[number] | null, ssl: typeof SSL_SWITCHES[number] | null, rootCert: string | null
): SslMode {
  const said = mode ?? (ssl === 'true' ? 'require' : ssl === 'false' ? 'disable' : ssl)
  if (rootCert === 'system') {
    if (said !== null && said !== 'verify-full') {
      throw new ConnectionUriError('has sslrootcert=system, which needs sslmode=verify-full')
    }
    return 'verify-full'
  }
  if (said === 'allow') return 'prefer' // Encrypted where the server can: no less than what was asked for.
  // libpq does so where it finds a root certificate.
  if (said === 'require' && rootCert !== null) return 'verify-ca'
  if (rootCert !== null && said !== 'verify-ca' && said !== 'verify-full') {
    throw new ConnectionUriError('has sslrootcert, which needs sslmode=verify-full (or verify-ca)')
  }
  return said ?? 'disable'
}

/** @param mayBeSecret what looks like a name may be part of a password */
function parseQuery (query: string, mayBeSecret: boolean): Map<string, string> {
  const given = new Map<string, string>()
  for (const pair of query === '' ? [] : query.split('&')) {
    const [, rawName = '', rawValue] = /^([^=]*)=([^=]*)$/s.exec(pair) ?? []
    if (rawValue === undefined) {
      throw new ConnectionUriError('has a parameter that is not name=value; write & as %26 and = as %3D within a value')
    }
    const name = decode(rawName, 'a parameter\'s name') ?? ''
    const value = decode(rawValue, `the parameter ${TAKEN.has(name) ? name : ''}`.trim()) ?? ''
    rejectUnknown(name, value, mayBeSecret || given.has('password'))
    given.set(name, value)
  }
  return given
}

function rejectUnknown (name: string, value: string, mayBeSecret: boolean): void {
  if (TAKEN.has(name)) return
  const [values, why] = Object.hasOwn(AS_IT_IS, name) ? AS_IT_IS[name] ?? [] : []
  if (values !== undefined) {
    if (values.includes(value)) return
    throw new ConnectionUriError(`has ${name}, which must be ${list(values)}: ${why ?? ''}`)
  }
  const instead = Object.hasOwn(UNSUPPORTED, name) ? UNSUPPORTED[name] : undefined
  if (instead !== undefined) throw new ConnectionUriError(`has ${name}, which the gateway does not support: ${instead}`)
  const named = !mayBeSecret && /^[a-z][a-z_.]{1,62}$/i.test(name) ? ` '${name}'` : ''
  throw new ConnectionUriError(`has a parameter${named} that libpq does not have; ` +
    'write settings of the server as options=-c%20name%3Dvalue')
}

/** libpq: a list in the query replaces that of the authority; one port is for all hosts. */
function parseServers (authority: string, host: string | null, port: string | null): ServerAddress[] {
  const before = authority.split(',').map(server => {
    const [, bracketed, plain = '', number = ''] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(.*))?$/s.exec(server) ?? []
    if (bracketed === undefined && plain === '' && number === '' && server !== '' && server !== ':') {
      throw new ConnectionUriError(`has a host that cannot be read. ${ESCAPES}`)
    }
    return { host: decode(bracketed ?? plain, 'the host') ?? '', port: decode(number, 'the port') ?? '' }
  })
  const hosts = host === null ? before.map(({ host }) => host) : host.split(',')
  const ports = port === null ? (hosts.length === before.length ? before : []).map(({ port }) => port) : port.split(',')
  if (ports.length > 1 && ports.length !== hosts.length) {
    throw new ConnectionUriError(`has ${ports.length} ports for ${hosts.length} hosts`)
  }
  const servers = hosts.map((name, i) => ({
    host: name === '' ? 'localhost' : name,
    port: portNumber(ports.length === 1 ? ports[0] : ports[i])
  }))
  if (servers.some(({ host }) => /[\s@]/.test(host))) throw new ConnectionUriError('has an invalid host')
  if (servers.length > 1 && servers.some(({ host }) => host.startsWith('/'))) {
    throw new ConnectionUriError('has several hosts, one of them a Unix socket, which must be the only one')
  }
  return servers
}

function portNumber (text = ''): number {
  if (text === '') return DEFAULT_PORT
  if (!/^\d{1,5}$/.test(text) || Number(text) < 1 || Number(text) > 65_535) {
    throw new ConnectionUriError('has an invalid port: it must be a whole number from 1 to 65535')
  }
  return Number(text)
}

/** Null where there is nothing. */
function decode (text: string, what: string): string | null {
  if (text === '') return null
  try {
    const decoded = decodeURIComponent(text)
    if (!decoded.includes('\0')) return decoded
  } catch {
    // Said below, without the value.
  }
  throw new ConnectionUriError(`has a % in ${what} that is not an escape of UTF-8; write % itself as %25`)
}

const list = (values: readonly string[]): string =>
  [values.slice(0, -1).join(', '), ...values.slice(-1)].filter(Boolean).join(' or ')
