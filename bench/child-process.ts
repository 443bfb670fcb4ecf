import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/** A process that the benchmark started, and ends. */
export interface Child {
  readonly pid: number
  /** Waits for the next message that the process sends. Rejects if it ends first. */
  readonly nextMessage: () => Promise<unknown>
  readonly send: (message: object) => void
  /** Asks it to end, and waits for that. */
  readonly stop: () => Promise<void>
  /** @throws Error with what the process said last, if it has ended */
  readonly assertRunning: () => void
}

const READY_WITHIN_MS = 60_000
const STOP_WITHIN_MS = 40_000
const KEPT_OUTPUT_CHARACTERS = 4000

/** A compiled script of the benchmark's own, by its name within bench/. */
export const benchScript = (name: string): string => fileURLToPath(new URL(`${name}.js`, import.meta.url))

export function startChild (
  command: string, args: readonly string[], options: { env?: Record<string, string>, cwd?: string } = {}
): Child {
  const child: ChildProcess = spawn(command, args, {
    cwd: options.cwd,
    env: { PATH: process.env['PATH'], ...options.env },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc']
  })
  const { pid } = child
  if (pid === undefined) throw new Error(`${command} cannot be started.`)
  let said = ''
  child.stderr?.setEncoding('utf8')
    .on('data', (text: string) => { said = (said + text).slice(-KEPT_OUTPUT_CHARACTERS) })
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null
  const endedError = (): Error => new Error(`${command} ${args.join(' ')} ended (${child.exitCode ?? child.signalCode ?? 'killed'}):\n${said}`)
  const killWithUs = (): void => { child.kill('SIGTERM') }
  process.once('exit', killWithUs)
  // Whoever measures it would only see that it is gone.
  const tellOfEnd = (): void => { process.stderr.write(`${endedError().message}\n`) }
  child.once('close', tellOfEnd)
  return {
    pid,
    nextMessage: () => new Promise((resolve, reject) => {
      const onMessage = (message: unknown): void => { child.off('exit', onExit); resolve(message) }
      const onExit = (): void => { child.off('message', onMessage); reject(endedError()) }
      child.once('message', onMessage)
      child.once('exit', onExit)
    }),
    send: message => { child.send(message) },
    stop: async () => {
      process.off('exit', killWithUs)
      child.off('close', tellOfEnd)
      if (hasEnded()) return
      const ended = once(child, 'exit')
      const killer = setTimeout(() => { child.kill('SIGKILL') }, STOP_WITHIN_MS)
      child.kill('SIGTERM')
      await ended
      clearTimeout(killer)
    },
    assertRunning: () => { if (hasEnded()) throw endedError() }
  }
}

/** Waits until something answers HTTP there, whatever it answers. */
export async function untilAnswering (child: Child, url: string): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS
  while (Date.now() < deadline) {
    child.assertRunning()
    const answers = await fetch(url).then(async response => { await response.arrayBuffer(); return true }, () => false)
    if (answers) return
    await delay(50)
  }
  throw new Error(`Nothing answers at ${url}.`)
}
