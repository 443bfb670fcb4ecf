import { execFileSync } from 'node:child_process'
import { chownSync, closeSync, existsSync, mkdirSync, openSync, rmSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { temporaryFolder } from '../helpers/database.js'
import { untilDegraded } from '../helpers/fault-books.js'
import { administer, endScene, startOwnPostgres, startScene } from '../helpers/fault-scene.js'

t.test('a database whose disk is full for a while: no call fails or waits, nothing is set aside, and the books are exact', async t => {
  const disk = mountSmallDisk(t)
  if (disk === null) {
    t.plan(0, 'a small disk can be mounted by root only, and not in every container')
    return
  }
  const server = await startOwnPostgres(t)
  const place = join(disk, 'place')
  mkdirSync(place)
  const [settings] = await administer<{ data_directory: string }>(server.url(), 'show data_directory')
  const { uid, gid } = statSync(settings?.data_directory ?? '')
  chownSync(place, uid, gid)
  await administer(server.url(), `create tablespace small location '${place}'`)
  await administer(server.url(), 'create database books tablespace small')
  const scene = await startScene(t, { databaseUrl: server.url('books') })
  const filler = join(disk, 'filler')
  fill(filler)
  await untilDegraded(scene.gateway)
  await scene.load.answers(1000)
  rmSync(filler)
  await endScene(t, scene)
  t.notOk(existsSync(join(scene.location.dataDir, 'rejected.jsonl')))
})

/** A file system in memory, unmounted with the test; null where that is not allowed. */
function mountSmallDisk (t: Test): string | null {
  const folder = temporaryFolder(t)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=48m,mode=0755', 'tmpfs', folder], { stdio: 'ignore' })
  } catch {
    return null
  }
  t.teardown(() => execFileSync('umount', ['--lazy', folder]))
  return folder
}

/** Writes until the disk takes no more. */
function fill (path: string): void {
  const file = openSync(path, 'w')
  const page = Buffer.alloc(4096)
  try {
    for (;;) writeSync(file, page)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  } finally {
    closeSync(file)
  }
}
