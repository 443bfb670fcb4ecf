import { PGlite } from '@electric-sql/pglite'
import { parentPort, workerData } from 'node:worker_threads'

/**
 * The thread that PGlite computes on. In: bytes of Postgres' wire protocol, whole messages, and at the end `'close'`.
 * Out: first `'ready'`, then bytes of the protocol, at the end `'closed'`. A database that cannot be opened ends the
 * thread with its error.
 */
export type ToWorker = Uint8Array | 'close'
export type FromWorker = Uint8Array | 'ready' | 'closed'

export interface WorkerData {
  /** Postgres' data directory. Initialised if it is not there. */
  readonly folder: string
}

const port = parentPort
if (port === null) throw new Error('embedded-worker is a worker thread')
const { folder } = workerData as WorkerData

const send = (message: FromWorker): void =>
  port.postMessage(message, message instanceof Uint8Array ? [message.buffer as ArrayBuffer] : [])

const database = await PGlite.create({
  dataDir: folder,
  // Postgres' smallest: a fresh folder takes 7 MB of it instead of 50.
  initDbStartParams: ['--wal-segsize=1']
})

/** A startup packet has no type byte: it begins with its length, whose first byte is 0. */
const isStartup = (bytes: Uint8Array): boolean => bytes[0] === 0

/** A simple query (https://www.postgresql.org/docs/current/protocol-message-formats.html). */
const query = (statement: string): Uint8Array => {
  const message = Buffer.from(`Q\0\0\0\0${statement}\0`)
  message.writeUInt32BE(message.length - 1, 1)
  return message
}

/**
 * PGlite runs the message before it yields, so messages stay in order; only `syncToFs`, which is not needed here, would
 * wait.
 */
const execute = async (message: Uint8Array, onData: (bytes: Uint8Array) => void): Promise<void> =>
  await database.execProtocolRawStream(message, { syncToFs: false, onRawData: onData })

const ignore = (): void => {}

let closing = false

port.on('message', (message: ToWorker) => {
  if (closing) return // Its answer is not waited for any more.
  if (message === 'close') {
    closing = true
    void close()
    return
  }
  if (isStartup(message)) {
    // There is one session for ever: a new connection must not find the old one's transaction and settings in it.
    void execute(query('rollback'), ignore)
    void execute(query('discard all'), ignore)
  }
  // What PGlite hands over is a view of its own memory.
  void execute(message, bytes => send(bytes.slice()))
})

const close = async (): Promise<void> => {
  await execute(query('rollback'), ignore)
  await execute(query('checkpoint'), ignore)
  await database.close()
  send('closed')
  port.close()
}

send('ready')
