import t from 'tap'
import { type StopSignal, onStopSignals } from '../src/stop-signals.js'

t.test('a signal that comes twice within a moment is one; later it is meant', t => {
  let nowMs = 5
  const heard: string[] = []
  const listeners = new Map<StopSignal, (signal: StopSignal) => void>()
  onStopSignals({
    stop: signal => { heard.push(`stop ${signal}`) },
    again: signal => { heard.push(`again ${signal}`) },
    monotonicMs: () => nowMs,
    on: (signal, listener) => { listeners.set(signal, listener) }
  })
  const send = (signal: StopSignal, atMs: number): void => {
    nowMs = atMs
    listeners.get(signal)?.(signal)
  }
  for (const [signal, atMs] of [
    ['SIGINT', 5], ['SIGINT', 6], ['SIGTERM', 900], ['SIGINT', 1005]
  ] as const) send(signal, atMs)
  t.same(heard, ['stop SIGINT'])
  send('SIGTERM', 1006)
  t.same(heard, ['stop SIGINT', 'again SIGTERM'])
  t.end()
})
