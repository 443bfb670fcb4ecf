import { spawnSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import t from 'tap'
import { createDatabase } from '../helpers/database.js'
import { untilDegraded } from '../helpers/fault-books.js'
import { administer, endScene, startOwnPostgres, startScene } from '../helpers/fault-scene.js'

t.setTimeout(180_000)

const END_SESSIONS = 'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()'

t.test('a database that is read-only for a while: no call fails or waits, nothing is set aside, and the books are exact', async t => {
  const databaseUrl = await createDatabase()
  const name = new URL(databaseUrl).pathname.slice(1)
  const scene = await startScene(t, { databaseUrl })
  await administer(databaseUrl, `alter database ${name} set default_transaction_read_only = on; ${END_SESSIONS}`)
  await untilDegraded(scene.gateway)
  await scene.load.answers(1000)
  await administer(databaseUrl, `set default_transaction_read_only = off; alter database ${name} reset default_transaction_read_only; ${END_SESSIONS}`)
  await endScene(t, scene)
})

/** Sets how large the server's files may grow. The kernel tells it EFBIG then, which PostgreSQL takes for a full disk. */
function limitFiles (firstPid: number, limit: number | ''): boolean {
  return [firstPid, ...childrenOf(firstPid)].every(pid => spawnSync('prlimit', ['--pid', String(pid), `--fsize=${limit}:`]).status === 0)
}

function childrenOf (parent: number): number[] {
  return readdirSync('/proc').filter(name => /^\d+$/.test(name)).map(Number).filter(pid => {
    try {
      return new RegExp(`^PPid:\\s+${parent}$`, 'm').test(readFileSync(`/proc/${pid}/status`, 'utf8'))
    } catch {
      return false // It has ended meanwhile.
    }
  })
}

const noLimits = spawnSync('prlimit', ['--version']).status === 0 ? false : 'prlimit (util-linux), which takes a server\'s room away, is not on this machine'

t.test('a database whose disk is full for a while: no call fails or waits, nothing is set aside, and the books are exact', { skip: noLimits }, async t => {
  const server = await startOwnPostgres(t)
  const scene = await startScene(t, { databaseUrl: server.url() })
  const [row] = await administer<{ pid: number }>(server.url(), "select split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int as pid")
  const [size] = await administer<{ bytes: number }>(server.url(),
    "select max(pg_relation_size(relid))::int as bytes from pg_partition_tree('usage_logs') where isleaf")
  if (row === undefined || size === undefined) throw new Error('the server says nothing of itself')
  // No room past what the log has now.
  t.ok(limitFiles(row.pid, size.bytes))
  await untilDegraded(scene.gateway)
  await scene.load.answers(1000)
  t.ok(limitFiles(row.pid, ''))
  await endScene(t, scene)
})
