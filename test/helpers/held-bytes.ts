import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** What V8's heap of this process holds once the garbage is collected. */
export function heapBytes (): number {
  collect()
  return process.memoryUsage().heapUsed
}

/**
 * The same with what buffers hold beside the heap. Resident memory would also tell how busy the machine was: the later
 * the garbage is collected, the more of it there is.
 */
export function heldBytes (): number {
  return heapBytes() + process.memoryUsage().external
}
