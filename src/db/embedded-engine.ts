import { access, constants } from 'node:fs/promises'
import { once } from 'node:events'
import { Duplex } from 'node:stream'
import { Worker } from 'node:worker_threads'
import postgres from 'postgres'
import type { Sql } from 'postgres'
import { errorCode } from './database-errors.js'
import type { FromWorker, ToWorker, WorkerData } from './embedded-worker.js'

/** PGlite in a thread of its own, and the one connection to it. */
export interface Engine {
  readonly client: Sql
  /** Bytes of statements since the start. */
  readonly sentBytes: () => number
  close: () => Promise<void>
}

export interface EngineEvents {
  readonly onNotify: (channel: string) => void
  /** The connection was lost: the thread has died. The next statement starts it again. */
  readonly onDisconnect: () => void
}

const closeTimeoutSeconds = 5

/** Starts PGlite on a data directory, which it initialises if it is not there. Rejects if it cannot be opened. */
export async function startEngine (folder: string, { onNotify, onDisconnect }: EngineEvents): Promise<Engine> {
  let worker: Worker | null = await startWorker(folder)
  let sent = 0
  let closing = false
  const socket = async (): Promise<Duplex> => {
    const running = worker ??= await startWorker(folder)
    running.once('exit', () => { if (worker === running) worker = null })
    return new WorkerSocket(running, bytes => { sent += bytes })
  }
  const options = {
    socket,
    host: 'embedded',
    database: 'postgres',
    user: 'postgres',
    // One session is all that PGlite has, and it is there for ever.
    max: 1,
    idle_timeout: 0,
    max_lifetime: 0,
    connect_timeout: 0,
    fetch_types: false,
    onnotice: () => {},
    onnotify: onNotify,
    onclose: () => { if (!closing) onDisconnect() }
  }
  const client = postgres(options)
  return {
    client,
    sentBytes: () => sent,
    close: async () => {
      closing = true
      await client.end({ timeout: closeTimeoutSeconds })
      if (worker === null) return
      const running = worker
      // A thread that ends with an error has ended too: all that it was told to keep is in its files.
      const ended = new Promise<void>(resolve => running.once('exit', () => resolve()))
      running.postMessage('close' satisfies ToWorker)
      await ended
    }
  }
}

async function startWorker (folder: string): Promise<Worker> {
  const workerData: WorkerData = { folder }
  const worker = new Worker(new URL('./embedded-worker.js', import.meta.url), { workerData })
  try {
    // Rejects with the thread's error.
    await once(worker, 'message')
  } catch (error) {
    // What the thread throws need not be an error: the WebAssembly file system has its own.
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK).catch((fault: unknown) => {
      if (errorCode(fault) === 'EACCES') throw fault
    })
    const why = error instanceof Error ? error.message : JSON.stringify(error)
    throw new Error(`The embedded database in ${folder} cannot be opened (${why}). ` +
      'The disk may be full, or the folder damaged. Free disk space, restore a backup of DATA_DIR, ' +
      'or set DATA_DIR to an empty folder.', { cause: error })
  }
  // A later one reaches the statements in flight as a lost connection.
  worker.on('error', () => {})
  return worker
}

/** The client's end of a connection to the thread. */
class WorkerSocket extends Duplex {
  /** postgres.js looks at it when it closes the connection. */
  readyState: 'open' | 'closed' = 'open'
  readonly #worker: Worker
  readonly #onSent: (bytes: number) => void

  constructor (worker: Worker, onSent: (bytes: number) => void) {
    super()
    this.#worker = worker
    this.#onSent = onSent
    worker.on('message', this.#receive)
    worker.once('error', this.#fail)
    worker.once('exit', this.#fail)
  }

  override _read (): void {}

  override _write (chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.#onSent(chunk.length)
    // Memory of its own can be handed over to the thread: what is part of a larger buffer is copied.
    const isAlone = chunk.buffer instanceof ArrayBuffer && chunk.buffer.byteLength === chunk.length
    const bytes = isAlone ? chunk : new Uint8Array(chunk)
    this.#worker.postMessage(bytes satisfies ToWorker, [bytes.buffer as ArrayBuffer])
    callback()
  }

  override _final (callback: () => void): void {
    callback()
    this.destroy()
  }

  override _destroy (error: Error | null, callback: (error: Error | null) => void): void {
    this.readyState = 'closed'
    this.#worker.off('message', this.#receive)
    this.#worker.off('error', this.#fail)
    this.#worker.off('exit', this.#fail)
    callback(error)
  }

  readonly #receive = (message: FromWorker): void => {
    if (typeof message !== 'string') this.push(Buffer.from(message.buffer, message.byteOffset, message.byteLength))
  }

  readonly #fail = (reason: unknown): void => {
    const why = reason instanceof Error ? reason.message : `its thread ended with ${String(reason)}`
    this.destroy(new Error(`The embedded database stopped: ${why}`, reason instanceof Error ? { cause: reason } : {}))
  }
}
