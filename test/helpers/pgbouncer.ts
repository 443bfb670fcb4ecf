import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { Test } from 'tap'
import { temporaryFolder } from './database.js'
import { freePort } from './free-port.js'
import { isProgram, pathFolders } from './programs.js'
import { until } from './until.js'

/** PgBouncer's program on this machine; null where there is none. */
export const pgbouncerProgram = (): string | null =>
  [...pathFolders(), '/usr/sbin'].map(folder => join(folder, 'pgbouncer')).find(isProgram) ?? null

/**
 * A PgBouncer before the server of that URL, with its defaults but for transaction pooling: no startup parameters, and
 * before 1.21 no prepared statements. Answers with the database's URL by way of it. It goes with the test.
 */
export const startPgbouncer = async (
  t: Test, program: string, databaseUrl: string, config: readonly string[] = []
): Promise<string> => {
  const server = new URL(databaseUrl)
  const folder = temporaryFolder(t)
  chmodSync(folder, 0o755)
  const port = await freePort()
  const file = join(folder, 'pgbouncer.ini')
  const users = join(folder, 'users.txt')
  writeFileSync(users, `"${server.username}" ""\n`, { mode: 0o644 })
  writeFileSync(file, [
    '[databases]', `* = host=${server.hostname} port=${server.port}`, '[pgbouncer]', 'pool_mode = transaction', 'listen_addr = 127.0.0.1',
    `listen_port = ${port}`, 'unix_socket_dir =', 'auth_type = trust', `auth_file = ${users}`, ...config, ''
  ].join('\n'), { mode: 0o644 })
  const log = join(folder, 'log')
  const output = openSync(log, 'a')
  // It refuses to run as root.
  const child = spawn(program, [
    ...process.getuid?.() === 0 ? ['-u', 'nobody'] : [], file
  ], { stdio: ['ignore', output, output] })
  closeSync(output)
  child.unref()
  t.teardown(async () => {
    if (child.exitCode !== null) return
    child.ref()
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`PgBouncer did not start: ${readFileSync(log, 'utf8')}`)
    return await listens(port)
  })
  return Object.assign(server, { hostname: '127.0.0.1', port: String(port) }).href
}

const listens = async (port: number): Promise<boolean> => {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
