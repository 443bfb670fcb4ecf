import { pathToFileURL } from 'node:url'
import { freePort } from '../../test/helpers/free-port.js'
import { benchScript, startChild, untilAnswering } from '../child-process.js'
import { type Contender, askHeapUsed, askLongestHold } from './contender.js'

export interface NodeContenderOptions {
  readonly name: string
  readonly script: string
  readonly args?: (port: number) => readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Answers once the gateway is up. */
  readonly readyPath?: string
  readonly nodeArgs?: readonly string[]
  readonly watchLoop: boolean
}

/** Starts a gateway that runs in one process of this Node, on a free port that it finds in `PORT` or its arguments. */
export async function startNodeContender (options: NodeContenderOptions): Promise<Contender> {
  const port = await freePort()
  const watch = options.watchLoop ? ['--import', pathToFileURL(benchScript('loop-watch')).href] : []
  const child = startChild(process.execPath, [
    ...watch, ...options.nodeArgs ?? [], options.script, ...options.args?.(port) ?? []
  ], {
    env: { NODE_ENV: 'production', HOST: '127.0.0.1', PORT: `${port}`, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd })
  })
  const origin = `http://127.0.0.1:${port}`
  try {
    await untilAnswering(child, `${origin}${options.readyPath ?? '/'}`)
  } catch (error) {
    await child.stop()
    throw error
  }
  return {
    name: options.name,
    origin,
    headers: {},
    pids: [child.pid],
    databasePids: null,
    books: null,
    longestHoldMs: options.watchLoop ? askLongestHold(child) : null,
    heapUsedBytes: options.watchLoop ? askHeapUsed(child) : null,
    stop: child.stop
  }
}
