import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { withClient } from './database.js'
import { withChildren } from './process-stat.js'

/** Whether processes can be kept apart here: that takes two processors, and `taskset` of util-linux. */
export const canKeepApart = (): boolean => availableParallelism() > 1 &&
  spawnSync('taskset', ['--version']).status === 0

/**
 * Leaves the last processor to the operators' connections to the database, and the rest to all else that this process
 * has started, as if operators asked a database on another machine. @returns what takes it back
 */
export async function keepOperatorsApart (databaseUrl: string): Promise<() => void> {
  const operators = await withClient(databaseUrl, sql =>
    sql<{ pid: number }[]>`select pid from pg_stat_activity where application_name = 'promptmeter operator'`)
  const last = availableParallelism() - 1
  const everything = descendantsOf(process.pid)
  tie(everything, `0-${last - 1}`)
  tie(operators.map(({ pid }) => pid), `${last}`)
  return () => { tie(everything, `0-${last}`) }
}

function descendantsOf (pid: number): number[] {
  const pids = [pid]
  for (const parent of pids) pids.push(...withChildren(parent).slice(1))
  return pids
}

/** @param processors as `taskset --cpu-list` takes them */
function tie (pids: readonly number[], processors: string): void {
  for (const pid of pids) {
    const { status, stderr } = spawnSync('taskset', [
      '--all-tasks', '--cpu-list', '--pid', processors, `${pid}`
    ], { encoding: 'utf8' })
    if (status !== 0 && existsSync(`/proc/${pid}`)) throw new Error(`taskset: ${stderr.trim()}`)
  }
}
