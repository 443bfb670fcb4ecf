import { setTimeout as delay } from 'node:timers/promises'
import { performance } from 'node:perf_hooks'
import { Client, type Dispatcher, Pool } from 'undici'
import { type ExchangeName, requestBody } from './exchanges.js'
import type { LoadOrder, LoadReport } from './load-order.js'
import { percentile } from './statistics.js'

// A process of its own: calls a gateway as the order says, reads every answer to its end, and reports. No call is cut
// off: what was begun when the time is up is waited for, so that every call has its place in the gateway's books.

const bodies = new Map<ExchangeName, Buffer>()

function bodyOf (name: ExchangeName): Buffer {
  const body = bodies.get(name) ?? requestBody(name)
  bodies.set(name, body)
  return body
}

/** Response times in milliseconds, and what all answers had in common. */
class Answers {
  readonly #durationsMs: number[] = []
  readonly #firstBytesMs: number[] = []
  #responseBytes: number | null = null

  add (durationMs: number, firstByteMs: number, responseBytes: number): void {
    this.#durationsMs.push(durationMs)
    this.#firstBytesMs.push(firstByteMs)
    this.#responseBytes ??= responseBytes
    if (responseBytes !== this.#responseBytes) throw new Error(`One response has ${this.#responseBytes} bytes, another one ${responseBytes}.`)
  }

  report (seconds: number): LoadReport {
    const durations = Float64Array.from(this.#durationsMs).sort()
    const firstBytes = Float64Array.from(this.#firstBytesMs).sort()
    return {
      answered: durations.length,
      callsPerSecond: durations.length / seconds,
      p50Ms: percentile(durations, 0.5),
      p99Ms: percentile(durations, 0.99),
      firstByteP50Ms: percentile(firstBytes, 0.5),
      responseBytes: this.#responseBytes ?? 0
    }
  }
}

/** One call, from its request to the end of its answer. */
class Call implements Dispatcher.DispatchHandler {
  readonly #startedAt = performance.now()
  readonly #answers: Answers
  readonly #resolve: () => void
  readonly #reject: (error: Error) => void
  #statusCode = 0
  #firstByteAt = 0
  #responseBytes = 0

  constructor (answers: Answers, resolve: () => void, reject: (error: Error) => void) {
    this.#answers = answers
    this.#resolve = resolve
    this.#reject = reject
  }

  onRequestStart (): void {}

  onResponseStart (_controller: Dispatcher.DispatchController, statusCode: number): void {
    this.#statusCode = statusCode
  }

  onResponseData (_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#responseBytes === 0) this.#firstByteAt = performance.now()
    this.#responseBytes += chunk.length
  }

  onResponseEnd (): void {
    const now = performance.now()
    if (this.#statusCode !== 200) {
      this.#reject(new Error(`A call was answered with status ${this.#statusCode}.`))
      return
    }
    this.#answers.add(now - this.#startedAt, this.#firstByteAt - this.#startedAt, this.#responseBytes)
    this.#resolve()
  }

  onResponseError (_controller: Dispatcher.DispatchController, error: Error): void {
    this.#reject(error)
  }
}

function send (order: LoadOrder, dispatcher: Dispatcher, answers: Answers): Promise<void> {
  const { headers, promptTypes } = order
  return new Promise((resolve, reject) => {
    dispatcher.dispatch({
      method: 'POST',
      path: '/v1/chat/completions',
      headers: {
        'content-type': 'application/json',
        authorization: 'Bearer sk-bench',
        'x-prompt-type': promptTypes === 1 ? 'bench' : `bench-${Math.floor(Math.random() * promptTypes)}`,
        ...headers
      },
      body: bodyOf(order.exchange)
    }, new Call(answers, resolve, reject))
  })
}

/** As many calls at a time as there are connections: the next one goes out when the one before is answered. */
async function closedLoop (order: LoadOrder, answers: Answers): Promise<void> {
  const endsAt = performance.now() + (order.seconds ?? Infinity) * 1000
  let left = order.calls ?? Infinity
  await Promise.all(Array.from({ length: order.connections }, async () => {
    const client = new Client(order.origin, { pipelining: 1 })
    while (performance.now() < endsAt && left-- > 0) await send(order, client, answers)
    await client.close()
  }))
}

/** Calls at even distances, whether or not those before are answered. */
async function paced (order: LoadOrder, ratePerSecond: number, answers: Answers): Promise<void> {
  const pool = new Pool(order.origin)
  const calls: Array<Promise<void>> = []
  const startedAt = performance.now()
  const count = Math.round((order.seconds ?? 0) * ratePerSecond)
  for (let i = 0; i < count; i++) {
    await delay(startedAt + i * 1000 / ratePerSecond - performance.now())
    calls.push(send(order, pool, answers))
  }
  await Promise.all(calls)
  await pool.close()
}

async function run (order: LoadOrder): Promise<LoadReport> {
  bodyOf(order.exchange)
  const answers = new Answers()
  const startedAt = performance.now()
  if (order.ratePerSecond === undefined) await closedLoop(order, answers)
  else await paced(order, order.ratePerSecond, answers)
  return answers.report((performance.now() - startedAt) / 1000)
}

process.on('message', (order: LoadOrder) => {
  void run(order)
    .then(report => process.send?.({ report }), (error: unknown) => process.send?.({ error: String(error) }))
})
process.on('disconnect', () => process.exit())
