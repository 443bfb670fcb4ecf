import { monitorEventLoopDelay } from 'node:perf_hooks'

// Loaded into a gateway's process (`--import`) where the benchmark asks how long its event loop was held. The figure
// includes what the process waited for a processor.

const RESOLUTION_MS = 2
const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
delays.enable()
process.on('message', () => {
  process.send?.({ longestHoldMs: Math.max(0, delays.max / 1e6 - RESOLUTION_MS) })
  delays.reset()
})
// Listening for messages must not keep the process.
process.channel?.unref()
