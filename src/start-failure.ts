/** The settings that a failed start may be caused by. */
export interface StartSettings {
  readonly host: string
  readonly port: number
  /** Never to be shown. */
  readonly secrets: readonly string[]
}

/** A shorter one would be found in the midst of other words. */
const SHORTEST_SECRET = 4

/** Insufficient privilege, no such schema, a read-only server: PostgreSQL's appendix A. */
const RIGHTS: ReadonlySet<string> = new Set(['42501', '3F000', '25006'])
const NEEDED_RIGHTS = 'The role in DATABASE_URL needs CREATE on the database and on the first schema of its search_path, ' +
  'must own the existing tables, and the server must accept writes.'

/** A port that could not be opened. */
export class ListenError extends Error {
  override readonly name = 'ListenError'
}

/** Why a start failed, and what to do: one line without a stack or a secret. */
export function startFailure (error: unknown, settings: StartSettings | null): string {
  const isQuery = error instanceof Error && error.message.startsWith('Failed query') && error.cause instanceof Error
  const told = isQuery ? error.cause : error
  let text = withoutLines(inWords(told, settings))
  for (const secret of settings?.secrets ?? []) {
    if (secret.length >= SHORTEST_SECRET) text = text.replaceAll(secret, '…')
  }
  return `promptmeter did not start: ${text}\n`
}

function inWords (error: unknown, settings: StartSettings | null): string {
  if (!(error instanceof Error)) return String(error)
  const listen = error instanceof ListenError && error.cause instanceof Error ? error.cause : null
  const cause: NodeJS.ErrnoException & { readonly address?: unknown } = listen ?? error
  const code = cause.code ?? ''
  if (listen !== null && settings !== null) return listenFault(listen, code, settings)
  const socket = typeof cause.address === 'string' && cause.address.startsWith('/') ? cause.address : null
  const path = cause.path ?? socket
  if (path !== null) return fileFault(cause, code, path)
  return RIGHTS.has(code) ? `PostgreSQL says: ${error.message} (SQLSTATE ${code}). ${NEEDED_RIGHTS}` : error.message
}

function listenFault (error: Error, code: string, { host, port }: StartSettings): string {
  switch (code) {
    case 'EADDRINUSE':
      return `port ${port} on ${host} is in use (${code}). Stop what listens there, or set PORT to another.`
    case 'EACCES':
      return `this user may not listen on port ${port} (${code}). ` +
        'Set PORT to 1024 or more, or give the process CAP_NET_BIND_SERVICE.'
    case 'EADDRNOTAVAIL':
    case 'EINVAL':
      return `HOST '${host}' is not an address of this machine (${code}). ` +
        'Set HOST to one that is; 0.0.0.0 means all.'
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `HOST '${host}' has no address (${code}). ` +
        'Set HOST to a name or address of this machine; 0.0.0.0 means all.'
    default: return `it cannot listen on ${host}, port ${port} (${error.message}). Set another HOST or PORT.`
  }
}

function fileFault (error: Error, code: string, path: string): string {
  switch (code) {
    case 'EACCES':
    case 'EPERM':
      return `${path} is not accessible (${code}). ` +
        'Make the user that promptmeter runs as its owner, or set DATA_DIR to another folder.'
    case 'EROFS':
      return `${path} is on a read-only file system (${code}). Set DATA_DIR to a folder elsewhere.`
    case 'ENOSPC':
    case 'EDQUOT':
      return `there is no space left for ${path} (${code}). Free some space, or set DATA_DIR to a folder elsewhere.`
    case 'EEXIST':
    case 'ENOTDIR':
      return `${path} must be a folder, but is something else (${code}). ` +
        'Remove it, or set DATA_DIR to another folder.'
    case 'EISDIR':
      return `${path} must be a file, but is a folder (${code}). Remove it.`
    default: return `${error.message}. Check DATA_DIR and the files in it.`
  }
}

const withoutLines = (text: string): string => text.replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ').trim()
