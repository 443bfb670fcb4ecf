import { cpus, release, totalmem } from 'node:os'
import { measureSingleRowCommits, withClient } from './database.js'
import { format } from './markdown.js'

/** On what the figures were measured, as lines of Markdown. */
export async function describeMachine (databaseUrl: string, seconds: number): Promise<string> {
  const [setting] = await withClient(databaseUrl, sql => sql<{ version: string, fsync: string, method: string }[]>`
    select current_setting('server_version') as version, current_setting('fsync') as fsync, current_setting('wal_sync_method') as method`)
  const synced = await measureSingleRowCommits(databaseUrl, seconds)
  const unsynced = await measureSingleRowCommits(databaseUrl, seconds, false)
  const processors = cpus()
  return [
    `- ${processors.length} × ${processors[0]?.model.trim() ?? 'unknown processor'}, ${format(totalmem() / 2 ** 30)} GiB, Linux ${release()}`,
    `- Node ${process.versions.node}, PostgreSQL ${setting?.version ?? '?'}`,
    `- PostgreSQL's \`fsync\` is ${setting?.fsync ?? '?'} (\`${setting?.method ?? '?'}\`): a single-row commit takes ${format(synced.p50Ms)} ms ` +
      `(p99 ${format(synced.p99Ms)} ms), ${format(unsynced.p50Ms)} ms where it does not wait for the disk (\`synchronous_commit = off\`)`
  ].join('\n')
}
