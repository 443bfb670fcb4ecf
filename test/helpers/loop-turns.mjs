// Preloaded into a gateway's process (`--import`), it measures the turns of the event loop in the main thread's own CPU
// time. What else the machine does makes a turn longer by the clock, but not by this. Garbage collections are counted
// apart: their time is not that of the request in whose turn they fall. Asked by SIGWINCH, it writes the longest turns
// since it was asked last to stderr, as a line of the log.
import { PerformanceObserver, performance } from 'node:perf_hooks'

const MIN_TURN_MS = 2
const MIN_COLLECTION_MS = 1

/** Before Node 23.9 there is no such clock: then it is the wall's. */
const cpuMs = process.threadCpuUsage === undefined
  ? () => performance.now()
  : () => {
      const { user, system } = process.threadCpuUsage()
      return (user + system) / 1000
    }

let turns = []
let collections = []
let lastCpuMs = cpuMs()
let lastAtMs = performance.now()

// Each turn begins with the timers that are due; one that waits for sockets takes no CPU time.
function nextTurn () {
  const nowCpuMs = cpuMs()
  const nowMs = performance.now()
  const heldMs = nowCpuMs - lastCpuMs
  if (heldMs >= MIN_TURN_MS) turns.push({ heldMs, fromMs: lastAtMs, toMs: nowMs })
  lastCpuMs = nowCpuMs
  lastAtMs = nowMs
  setTimeout(nextTurn, 1).unref()
}

new PerformanceObserver(list => {
  for (const { startTime, duration } of list.getEntries()) {
    if (duration >= MIN_COLLECTION_MS) collections.push({ fromMs: startTime, toMs: startTime + duration })
  }
}).observe({ entryTypes: ['gc'] })

function workMs ({ heldMs, fromMs, toMs }) {
  const within = collections.map(gc => Math.max(0, Math.min(toMs, gc.toMs) - Math.max(fromMs, gc.fromMs)))
  return Math.max(0, heldMs - within.reduce((sum, ms) => sum + ms, 0))
}

process.on('SIGWINCH', () => {
  const longest = { work: 0, held: 0 }
  for (const turn of turns) {
    longest.work = Math.max(longest.work, workMs(turn))
    longest.held = Math.max(longest.held, turn.heldMs)
  }
  turns = []
  collections = []
  process.stderr.write(`${JSON.stringify({ msg: 'longest turn', workMs: longest.work, heldMs: longest.held })}\n`)
})
nextTurn()
