import { benchScript, startChild } from './child-process.js'
import type { LoadOrder, LoadReport } from './load-order.js'

/** The load generator. One order at a time. */
export interface LoadProcess {
  /** @throws Error if a single call failed */
  readonly run: (order: LoadOrder) => Promise<LoadReport>
  readonly stop: () => Promise<void>
}

export function startLoad (): LoadProcess {
  const child = startChild(process.execPath, [benchScript('load')])
  return {
    run: async order => {
      const answer = child.nextMessage()
      child.send(order)
      const { report, error } = await answer as { report?: LoadReport, error?: string }
      if (report === undefined) throw new Error(`${order.exchange} at ${order.origin}: ${error ?? 'no report'}`)
      return report
    },
    stop: child.stop
  }
}
