import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Log } from '../log.js'

// Two processes on one journal would each replay the other's, and PGlite takes no lock on its folder, which two
// processes destroy. Node has no flock, and a file with a process id lies: ids are used again, and two containers that
// share a volume are both process 1. But a Unix socket in the folder can be called: who answers is alive, wherever it
// runs on this machine, and when a process dies, however it dies, its socket answers no more.
//
// Each process listens on a socket of its own and then calls all others. Of two that come at once at least one hears
// the other; if both do, both hang up and try again a little later. A socket's name is never used twice, so one that is
// dead stays dead, and any process that finds it may remove it.

export interface FolderLock {
  release: () => Promise<void>
}

/** What a call is answered with: the folder is taken, or its caller too is only trying. */
type Answer = 'taken' | 'trying'

const lockFile = /^db-(\d+)-[0-9a-f]+\.lock$/
const maxAttempts = 10
const retryMs = 200
/**
 * A process that is stopped accepts calls (the kernel does) and says nothing. It may go on at any time: the folder is
 * its.
 */
const answerTimeoutMs = 1000
/** macOS takes 103 bytes, Linux 107. */
const maxSocketPathBytes = 100
/** File systems without sockets (some that are shared with a virtual machine's host). */
const noSockets = new Set(['ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EPERM'])

/** Locks the folder for this process, until it is released or the process ends. Rejects if another process has it. */
export async function lockFolder (folder: string, log: Log): Promise<FolderLock> {
  const short = await shortPath(folder)
  try {
    for (let attempt = 1; ; attempt++) {
      const candidate = await listen(folder, short.path)
      const holder = await findHolder(folder, short.path, candidate.name)
      // A rival may have called between the socket's making and its first listening, heard nothing, and removed it.
      if (holder === null && existsSync(join(folder, candidate.name))) {
        candidate.take()
        return candidate
      }
      await candidate.release()
      if (holder?.answer === 'taken' || attempt === maxAttempts) throw inUse(folder, holder?.pid ?? 'unknown')
      await new Promise(resolve => setTimeout(resolve, retryMs * Math.random()))
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined || !noSockets.has(code)) throw error
    log.warn(
      { folder, code }, 'The data folder cannot be locked on this file system: make sure that only one process uses it'
    )
    return { release: async () => {} }
  } finally {
    await short.remove()
  }
}

const inUse = (folder: string, pid: string): Error => new Error(
  `The data folder ${folder} is in use by another promptmeter (process ${pid}). Stop that process, ` +
  'or set another DATA_DIR. Instances share data through PostgreSQL (DATABASE_URL), never through a folder.')

interface Candidate extends FolderLock {
  readonly name: string
  take: () => void
}

async function listen (folder: string, path: string): Promise<Candidate> {
  const name = `db-${process.pid}-${randomBytes(6).toString('hex')}.lock`
  let answer: Answer = 'trying'
  const server: Server = createServer(caller => {
    // A caller that has hung up is none of our business.
    caller.on('error', () => {})
    caller.end(answer)
  })
  server.listen({ path: join(path, name), exclusive: true })
  await once(server, 'listening')
  server.unref()
  return {
    name,
    take: () => { answer = 'taken' },
    release: async () => {
      const closed = once(server, 'close')
      server.close()
      await closed
      await rm(join(folder, name), { force: true })
    }
  }
}

async function findHolder (folder: string, path: string, own: string): Promise<{ pid: string, answer: Answer } | null> {
  let trying: { pid: string, answer: Answer } | null = null
  for (const name of await readdir(folder)) {
    const pid = lockFile.exec(name)?.[1]
    if (pid === undefined || name === own) continue
    const answer = await call(join(path, name))
    if (answer === 'taken') return { pid, answer }
    if (answer === 'trying') trying = { pid, answer }
    if (answer === null) await rm(join(folder, name), { force: true })
  }
  return trying
}

/** Null: the process is gone. */
async function call (path: string): Promise<Answer | null> {
  const socket = connect(path)
  socket.setTimeout(answerTimeoutMs, () => socket.destroy())
  let heard = ''
  socket.setEncoding('utf8').on('data', text => { heard += String(text) })
  try {
    await once(socket, 'connect')
    await once(socket, 'close')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ECONNREFUSED' || code === 'ENOENT') return null
    if (code !== 'ECONNRESET' && code !== 'EPIPE') throw error
  }
  return heard === 'trying' ? 'trying' : 'taken'
}

/** A path to the folder that leaves room for a socket's name: the folder itself, or a link to it. */
async function shortPath (folder: string): Promise<{ path: string, remove: () => Promise<void> }> {
  const nameBytes = 40
  if (Buffer.byteLength(folder) + nameBytes <= maxSocketPathBytes) return { path: folder, remove: async () => {} }
  const links = await mkdtemp(join(tmpdir(), 'pm-'))
  const path = join(links, 'd')
  await symlink(folder, path)
  return { path, remove: async () => await rm(links, { recursive: true }) }
}
