import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

// Loaded into a gateway's process (`--import`) where the benchmark asks how long its event loop was held. The figure
// includes what the process waited for a processor. Asked for it, collects the garbage and says what is left of the
// heap.

const RESOLUTION_MS = 2
const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
delays.enable()
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void
process.on('message', (message: { readonly heap?: boolean }) => {
  if (message.heap === true) {
    collectGarbage()
    process.send?.({ heapUsedBytes: process.memoryUsage().heapUsed })
    return
  }
  process.send?.({ longestHoldMs: Math.max(0, delays.max / 1e6 - RESOLUTION_MS) })
  delays.reset()
})
// Listening for messages must not keep the process.
process.channel?.unref()
