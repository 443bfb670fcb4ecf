import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { checkServerIdentity } from 'node:tls'
import type { ConnectionOptions as TlsOptions, PeerCertificate } from 'node:tls'
import type { Options, PostgresType } from 'postgres'
import { type ConnectionUri, ConnectionUriError, parseConnectionUri } from '../lib/connection-uri.js'

/** The driver's options, which are more than its types say. */
export interface ClientOptions extends Omit<Options<Record<string, PostgresType>>, 'host' | 'port'> {
  readonly host?: readonly string[]
  readonly port?: readonly number[]
  readonly sslnegotiation?: 'direct'
}

/** The target of `DATABASE_URL`, in the driver's terms. */
export interface ConnectionOptions {
  readonly options: ClientOptions
  /** `'promptmeter' at db.internal:5432`, for messages. */
  readonly where: string
}

const CONNECT_TIMEOUT_SECONDS = 10

/**
 * The options of a client for the URI. Nothing of it is left to the driver, which takes libpq's parameters for settings
 * of the server, and `allow` for `require`.
 * @param applicationName where the URI gives none
 * @throws ConnectionUriError, also for a file that cannot be read
 */
export function connectionOptions (databaseUrl: string, applicationName: string): ConnectionOptions {
  const uri = parseConnectionUri(databaseUrl)
  const [first] = uri.servers
  const isSocket = first?.host.startsWith('/') === true
  const names = uri.servers.map(({ host, port }) => isSocket ? `${host}/.s.PGSQL.${port}` : `${host}:${port}`)
  const options: ClientOptions = {
    host: uri.servers.map(({ host }) => host),
    port: uri.servers.map(({ port }) => port),
    ...isSocket && { path: names[0] },
    ...uri.user !== null && { user: uri.user },
    ...uri.password !== null && { password: uri.password },
    ...uri.database !== null && { database: uri.database },
    // libpq has no TLS on Unix sockets either.
    ssl: isSocket ? false : tls(uri),
    ...uri.sslNegotiation === 'direct' && { sslnegotiation: 'direct' },
    ...uri.targetSessionAttrs !== 'any' && { target_session_attrs: uri.targetSessionAttrs },
    connect_timeout: uri.connectTimeoutSeconds ?? CONNECT_TIMEOUT_SECONDS,
    ...uri.keepalivesIdleSeconds !== null && { keep_alive: uri.keepalivesIdleSeconds },
    connection: {
      application_name: uri.applicationName ?? applicationName,
      ...uri.options !== null && { options: uri.options }
    }
  }
  return { options, where: `'${uri.database ?? uri.user ?? 'default'}' at ${names.join(', ')}` }
}

function tls (uri: ConnectionUri): false | 'prefer' | TlsOptions {
  if (uri.sslMode === 'disable') return false
  const own: TlsOptions = {
    ...uri.sslCert !== null && { cert: readNamed('sslcert', uri.sslCert) },
    ...uri.sslKey !== null && { key: readNamed('sslkey', uri.sslKey) },
    ...uri.sslPassword !== null && { passphrase: uri.sslPassword },
    ...uri.sslMinVersion !== null && { minVersion: uri.sslMinVersion },
    ...uri.sslMaxVersion !== null && { maxVersion: uri.sslMaxVersion }
  }
  if (uri.sslMode === 'prefer') return 'prefer'
  if (uri.sslMode === 'require') return { ...own, rejectUnauthorized: false }
  const { sslRootCert } = uri
  return {
    ...own,
    ...sslRootCert !== null && sslRootCert !== 'system' && { ca: readNamed('sslrootcert', sslRootCert) },
    rejectUnauthorized: true,
    checkServerIdentity: uri.sslMode === 'verify-ca' ? () => undefined : identityCheck(uri)
  }
}

/** Node is told no name for a server that is named by its address, and would take a certificate for `localhost`. */
function identityCheck ({ servers }: ConnectionUri): (name: string, certificate: PeerCertificate) => Error | undefined {
  const addresses = servers.map(({ host }) => host).filter(host => isIP(host) !== 0)
  const names = new Set(servers.map(({ host }) => host))
  return (name, certificate) => {
    if (names.has(name)) return checkServerIdentity(name, certificate)
    const faults = addresses.map(address => checkServerIdentity(address, certificate))
    return faults.includes(undefined) ? undefined : faults[0] ?? checkServerIdentity(name, certificate)
  }
}

function readNamed (parameter: string, file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
    throw new ConnectionUriError(`has ${parameter}, a file that cannot be read (${code}): ${file}`, { cause: error })
  }
}
