import { performance } from 'node:perf_hooks'

/**
 * Milliseconds of this thread's own CPU time: what else the machine does is not in it. Before Node 23.9 it is the
 * wall's clock.
 */
export function cpuMs (): number {
  if (typeof process.threadCpuUsage !== 'function') return performance.now()
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

/** Of five times, in milliseconds: compilation and garbage collections are in the longer ones. */
export function quickestMs (work: () => unknown, tries = 5): number {
  return Math.min(...Array.from({ length: tries }, () => {
    const startedAtMs = cpuMs()
    work()
    return cpuMs() - startedAtMs
  }))
}
