import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { ADMIN } from './gateway.js'

/** How a process ended: one of the two is null. */
export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** The answer of `/readyz`. */
export interface Readiness {
  readonly status: string
  readonly database: string
  readonly journal: string
  readonly records_pending: number
}

/** The built gateway as a process of its own, started as in production, so that it can be killed. */
export interface GatewayProcess {
  /** `http://127.0.0.1:<port>` */
  readonly origin: string
  readonly pid: number
  /** What was logged so far (stderr), a parsed line each; a line that is no JSON is `{ msg: line }`. */
  readonly log: ReadonlyArray<Readonly<Record<string, unknown>>>
  readonly exited: Promise<Exit>
  readonly kill: (signal: NodeJS.Signals) => void
  readonly readyz: () => Promise<Readiness>
  /** Sample as it stands in the text, labels included → value. */
  readonly metrics: () => Promise<ReadonlyMap<string, number>>
  /** Memory that the process holds now (resident set), in bytes. */
  readonly residentBytes: () => number
  /** SIGTERM, and how that ended. */
  readonly stop: () => Promise<Exit>
}

export interface GatewayProcessOptions {
  readonly upstreamUrl: string
  readonly location: { readonly databaseUrl: string | null, readonly dataDir: string }
  /** Environment variables over the defaults. Of the test's own only PATH comes through. */
  readonly env?: Readonly<Record<string, string>>
  readonly nodeArgs?: readonly string[]
  /** The shell's limits for the process, such as `-f 2048`: no file grows past 2,048 blocks of 512 bytes. */
  readonly ulimit?: string
}

const script = fileURLToPath(new URL('../../dist/server.js', import.meta.url))

/**
 * Starts `dist/server.js` on a free port and resolves once it listens. Rejects with what it wrote if it ends before. It
 * is killed at the end of the test, and also if the test's own process is.
 */
export async function startGatewayProcess (t: Test, options: GatewayProcessOptions): Promise<GatewayProcess> {
  if (!existsSync(script)) throw new Error('dist/server.js is missing: npm run build makes it (npm test does so first)')
  const child = spawnGateway(options)
  const log: Array<Record<string, unknown>> = []
  createInterface(child.stderr).on('line', line => { log.push(parseLine(line)) })
  const exited = once(child, 'close')
    .then(([code, signal]): Exit => ({ code: code as Exit['code'], signal: signal as Exit['signal'] }))
  const kill = (signal: NodeJS.Signals): void => { child.kill(signal) }
  t.teardown(async () => {
    kill('SIGKILL')
    await exited
  })
  const origin = await Promise.race([
    listening(child.stdout),
    exited.then(({ code, signal }) => {
      throw new Error(`the gateway ended before it listened (${String(code ?? signal)}): ${log.map(line => String(line['msg'])).join('\n')}`)
    })
  ])
  const { pid } = child
  if (pid === undefined) throw new Error('a process that listens has an id')
  return {
    origin,
    pid,
    log,
    exited,
    kill,
    readyz: async () => await (await fetch(`${origin}/readyz`)).json() as Readiness,
    metrics: async () => parseSamples(await (await fetch(`${origin}/metrics`)).text()),
    residentBytes: () => residentBytes(pid),
    stop: async () => {
      kill('SIGTERM')
      return await exited
    }
  }
}

function spawnGateway ({
  upstreamUrl, location: { databaseUrl, dataDir }, env = {}, nodeArgs = [], ulimit
}: GatewayProcessOptions) {
  // Its working folder is its own: no .env of a developer's is read.
  mkdirSync(dataDir, { recursive: true })
  const settings = {
    PATH: process.env['PATH'] ?? '',
    PORT: '0',
    UPSTREAM_BASE_URL: upstreamUrl,
    ADMIN_PASSWORD: ADMIN.password,
    DATA_DIR: dataDir,
    ...(databaseUrl === null ? {} : { DATABASE_URL: databaseUrl }),
    ...env
  }
  // By way of `env -i`: tap adds its coverage to the environment of each process that it sees being made, and that
  // costs time and memory. `exec` and `env` do not fork: the process is node's.
  const variables = Object.entries(settings).map(([name, value]) => `${name}=${value}`)
  const limit = ulimit === undefined ? '' : `ulimit ${ulimit} && `
  const command = ['env', '-i', ...variables, process.execPath, ...nodeArgs, script]
  const child = spawn('sh', ['-c', `${limit}exec "$@"`, 'sh', ...command], {
    cwd: dataDir, stdio: ['ignore', 'pipe', 'pipe']
  })
  guard(child)
  return child
}

/**
 * A shell that kills the gateway when this process ends without having seen the gateway's end: after a SIGKILL nobody
 * else would.
 */
function guard (child: ChildProcessByStdio<null, Readable, Readable>): void {
  if (child.pid === undefined) return
  const shell = spawn('sh', [
    '-c', 'read -r ended || kill -9 "$1"', 'guard', String(child.pid)
  ], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  shell.unref()
  const input: Writable & { unref?: () => void } = shell.stdin
  input.unref?.()
  child.once('exit', () => input.end('ended\n'))
}

/** The greeting on stdout names the address. The rest of stdout is read and dropped. */
async function listening (stdout: Readable): Promise<string> {
  let text = ''
  return await new Promise(resolve => {
    stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      const origin = /^\s*proxy\s+(http:\/\/\S+)\/v1\s/m.exec(text)?.[1]
      if (origin !== undefined) resolve(origin)
    })
  })
}

function parseLine (line: string): Record<string, unknown> {
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    return { msg: line }
  }
}

/**
 * https://prometheus.io/docs/instrumenting/exposition_formats/ without time stamps, which the gateway does not write.
 */
function parseSamples (text: string): Map<string, number> {
  const samples = text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  return new Map(samples.map(line => {
    const space = line.lastIndexOf(' ')
    return [line.slice(0, space), Number(line.slice(space + 1))]
  }))
}

function residentBytes (pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  if (kilobytes === undefined) throw new Error(`process ${pid} has no memory`)
  return Number(kilobytes) * 1024
}
