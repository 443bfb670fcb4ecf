import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { Pool } from 'undici'
import { answerBody, plannedCall, requestBody } from './planned-calls.js'
import { until } from './until.js'

/**
 * What callers saw, over all loads that count into it. A call is known by its number, which its metadata carry into the
 * books.
 */
export interface Tally {
  /** Calls begun so far, and the next call's number. */
  started: number
  /** Numbers of the calls that were answered whole, as upstream gave it. */
  readonly answered: Set<number>
  /** Number of a call that was not → what came instead. */
  readonly failed: Map<number, string>
  /** From a call's first byte to its answer's last, of those that were answered. */
  longestWaitMs: number
}

export function newTally (): Tally {
  return { started: 0, answered: new Set(), failed: new Map(), longestWaitMs: 0 }
}

export const PROMPT_TYPES: readonly string[] = [
  'analyze_image_layout', 'extract_page_metadata', 'generate_file_metadata', 'generate_image_metadata',
  'select_best_tags'
]

/** The prompt type of a call, unless the load says otherwise. */
export const promptTypeOf = (call: number): string => PROMPT_TYPES[call % PROMPT_TYPES.length] ?? ''

export interface FaultLoadOptions {
  readonly tally: Tally
  readonly callers?: number
  /** How long a caller rests between two calls; 0 by default: as fast as the gateway answers. */
  readonly pauseMs?: number
  readonly promptType?: (call: number) => string
  /** Called after each answer. */
  readonly onAnswer?: () => void
}

export interface FaultLoad {
  /** Resolves when so many more calls are answered. */
  readonly answers: (count: number) => Promise<void>
  /** No further calls; resolves when those under way are over. */
  readonly stop: () => Promise<void>
}

/** How long a caller whose call failed waits before its next: nobody is helped by a storm against a closed port. */
const FAILED_PAUSE_MS = 50

/**
 * Keeps so many callers (100) busy over sockets of their own, with plain calls and streams, until it is stopped: at the
 * test's end at the latest.
 */
export function startFaultLoad (t: Test, origin: string, options: FaultLoadOptions): FaultLoad {
  const { tally, callers = 100, pauseMs = 0 } = options
  const pool = new Pool(origin, { connections: callers, pipelining: 1 })
  const stopping = new AbortController()
  const caller = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const answered = await oneCall(pool, options)
      options.onAnswer?.()
      const restMs = answered ? pauseMs : Math.max(pauseMs, FAILED_PAUSE_MS)
      if (restMs > 0) await sleep(restMs)
    }
  }
  const running = Promise.all(Array.from({ length: callers }, caller))
  const stop = async (): Promise<void> => {
    stopping.abort()
    await running
    await pool.destroy()
  }
  t.teardown(stop)
  return {
    answers: async count => {
      const goal = tally.answered.size + count
      await until(() => tally.answered.size >= goal)
    },
    stop
  }
}

async function oneCall (pool: Pool, { tally, promptType = promptTypeOf }: FaultLoadOptions): Promise<boolean> {
  const call = tally.started++
  const startedAtMs = performance.now()
  try {
    const { statusCode, body } = await pool.request({
      method: 'POST',
      path: '/v1/chat/completions',
      headers: {
        'content-type': 'application/json',
        authorization: 'Bearer sk-none',
        'x-prompt-type': promptType(call),
        'x-prompt-metadata': JSON.stringify({ call })
      },
      body: requestBody(call)
    })
    const answer = await body.text()
    if (statusCode === 200 && answer === answerBody(call, plannedCall(call).asks)) {
      tally.answered.add(call)
      tally.longestWaitMs = Math.max(tally.longestWaitMs, performance.now() - startedAtMs)
      return true
    }
    tally.failed.set(call, `${statusCode} ${answer}`)
  } catch (error) {
    tally.failed.set(call, String(error))
  }
  return false
}
