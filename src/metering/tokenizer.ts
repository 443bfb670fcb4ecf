import { Worker } from 'node:worker_threads'

export type Encoding = 'o200k_base' | 'cl100k_base'

/** The message to the worker thread; the answer follows. */
export interface CountQuestion { readonly id: number, readonly encoding: Encoding, readonly texts: readonly string[] }
export interface CountAnswer { readonly id: number, readonly counts: readonly number[] }

export interface Tokenizer {
  /**
   * The tokens of each text, counted in a worker thread that the first call starts. Never rejects: where the worker is
   * late (an encoding takes a few hundred milliseconds to load), dead, overloaded or closed, `otherwise` answers, which
   * is a rough count if not said. To have an encoding loaded beforehand, count no texts.
   */
  count: (encoding: Encoding, texts: readonly string[], otherwise?: (text: string) => number) => Promise<readonly number[]>
  /** Ends the worker; what waits for it is answered roughly. */
  close: () => Promise<void>
}

export interface TokenizerOptions {
  /** How long a call waits for the worker. */
  readonly timeoutMs?: number
  /** Questions that the worker has not answered yet, late ones included; beyond it, rough counts. */
  readonly maxQueued?: number
  /** No new worker sooner than this after the last one was started. */
  readonly restartDelayMs?: number
  /** The worker died of this; the next call starts another. */
  readonly onError?: (error: Error) => void
}

/** Counts tokens in a worker thread, which does not keep the process alive. */
export function createTokenizer (options: TokenizerOptions = {}): Tokenizer {
  const { timeoutMs = 200, maxQueued = 64, restartDelayMs = 1000, onError } = options
  const waiting = new Map<number, (counts: readonly number[] | null) => void>()
  let worker: Worker | undefined
  let startedAt = -Infinity
  let closed = false
  let nextId = 0

  function runningWorker (): Worker | undefined {
    if (worker !== undefined || closed || performance.now() - startedAt < restartDelayMs) return worker
    startedAt = performance.now()
    worker = new Worker(new URL('./tokenizer-worker.js', import.meta.url), { name: 'tokenizer' })
    worker.on('message', ({ id, counts }: CountAnswer) => answer(id, counts))
    worker.on('error', (error: Error) => onError?.(error))
    worker.on('exit', () => {
      worker = undefined
      for (const id of waiting.keys()) answer(id, null)
    })
    // After the listeners: one for messages refs the worker's port again.
    worker.unref()
    return worker
  }

  function answer (id: number, counts: readonly number[] | null): void {
    waiting.get(id)?.(counts)
    waiting.delete(id)
  }

  return {
    count (encoding, texts, otherwise = roughCount) {
      const counter = waiting.size < maxQueued ? runningWorker() : undefined
      if (counter === undefined) return Promise.resolve(texts.map(text => otherwise(text)))
      return new Promise(resolve => {
        const id = nextId++
        const timer = setTimeout(() => resolve(texts.map(text => otherwise(text))), timeoutMs)
        waiting.set(id, counts => {
          clearTimeout(timer)
          resolve(counts ?? texts.map(text => otherwise(text)))
        })
        counter.postMessage({ id, encoding, texts } satisfies CountQuestion)
      })
    },
    async close () {
      closed = true
      await worker?.terminate()
    }
  }
}

/** Four bytes a token: OpenAI's rule of thumb for English. */
export function roughCount (text: string): number {
  return Math.ceil(Buffer.byteLength(text) / 4)
}
