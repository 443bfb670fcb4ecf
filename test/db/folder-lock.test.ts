import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { lockFolder } from '../../src/db/folder-lock.js'
import { silentLog, temporaryFolder } from '../helpers/database.js'

t.test('of several that come at once one gets the folder, and it is free again when that one lets go', async t => {
  const folder = temporaryFolder(t)
  for (let round = 0; round < 3; round++) {
    const tries = await Promise.allSettled(Array.from({ length: 5 }, async () => await lockFolder(folder, silentLog)))
    const got = tries.flatMap(result => result.status === 'fulfilled' ? [result.value] : [])
    t.equal(got.length, 1)
    await got[0]?.release()
    t.same(readdirSync(folder), [])
  }
})

t.test('who comes later is refused, and told the process', async t => {
  const folder = temporaryFolder(t)
  const lock = await lockFolder(folder, silentLog)
  await t.rejects(
    lockFolder(folder, silentLog), new RegExp(`in use by another promptmeter \\(process ${process.pid}\\)`)
  )
  await lock.release()
})

t.test('the path of a folder may be long', async t => {
  const folder = join(temporaryFolder(t), 'a-long-name'.repeat(10), 'ümläut')
  mkdirSync(folder, { recursive: true })
  const lock = await lockFolder(folder, silentLog)
  await t.rejects(lockFolder(folder, silentLog), /in use/)
  await lock.release()
  t.same(readdirSync(folder), [])
})

/** A process that listens where a promptmeter would, and answers nothing. */
const listenIn = `
const name = 'db-' + process.pid + '-abcdef.lock'
require('net').createServer(() => {}).listen(require('path').join(process.argv[1], name), () => console.log('listening'))`

t.test('a process that is alive and says nothing has the folder; a dead one, whose socket is still there, has not', async t => {
  const folder = temporaryFolder(t)
  const child = spawn(process.execPath, ['-e', listenIn, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  child.kill('SIGSTOP')
  await t.rejects(lockFolder(folder, silentLog), new RegExp(`process ${String(child.pid)}`))
  child.kill('SIGKILL')
  await once(child, 'close')
  t.equal(readdirSync(folder).length, 1)
  const lock = await lockFolder(folder, silentLog)
  t.equal(readdirSync(folder).length, 1)
  await lock.release()
  t.same(readdirSync(folder), [])
})
