import { readFileSync, readdirSync } from 'node:fs'

/** USER_HZ: the kernel's tick as user space sees it, 100 a second on every Linux that Node runs on (proc(5)). */
const TICK_US = 10_000

/** The fields of /proc/<pid>/stat from the third on: the second, the name, may itself hold spaces and brackets. */
function statFields (pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

/** CPU time of these processes with all their threads so far, user and system, in microseconds (in steps of 10 ms). */
export function cpuTimeUs (pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + cpuTimeOf(statFields(pid)), 0)
}

/** The same of a database's processes, of which some come and go: one that has ended counts nothing. */
export function databaseCpuTimeUs (pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + cpuTimeOf(statFieldsIfThere(pid) ?? []), 0)
}

const cpuTimeOf = (fields: readonly string[]): number => (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * TICK_US

/** Memory of these processes, in bytes: now, and at its most so far. */
export function memoryOf (pids: readonly number[]): { residentBytes: number, peakBytes: number } {
  let [residentBytes, peakBytes] = [0, 0]
  for (const pid of pids) {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    residentBytes += Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024
    peakBytes += Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) * 1024
  }
  return { residentBytes, peakBytes }
}

/** A process and its children. */
export function withChildren (pid: number): number[] {
  return [
    pid, ...readdirSync('/proc').filter(name => /^\d+$/.test(name)).map(Number).filter(child => parentOf(child) === pid)
  ]
}

function parentOf (pid: number): number | null {
  const fields = statFieldsIfThere(pid)
  return fields === null ? null : Number(fields[1])
}

/** Null of a process that has ended. */
function statFieldsIfThere (pid: number): string[] | null {
  try {
    return statFields(pid)
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return null
    throw error
  }
}
