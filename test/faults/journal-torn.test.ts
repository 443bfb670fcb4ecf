import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createDatabase } from '../helpers/database.js'
import { checkBooks, untilCaughtUp, untilDegraded } from '../helpers/fault-books.js'
import { startScene } from '../helpers/fault-scene.js'
import { startTcpProxy } from '../helpers/tcp-proxy.js'

const HEADER_BYTES = 16
const WARN = 40
const ERROR = 50

interface Damage {
  readonly name: string
  /** What a journal file becomes. It has at least four frames. */
  readonly damage: (file: Buffer, frames: readonly Buffer[]) => Buffer
  /** Frames whose calls are gone with it. */
  readonly gone?: (frames: readonly Buffer[]) => readonly Buffer[]
  readonly logged: { readonly level: number, readonly msg: RegExp }
  /** The file is kept, out of the way. */
  readonly kept?: boolean
}

const torn = { level: WARN, msg: /torn/ }

const damages: readonly Damage[] = [
  {
    name: 'garbage at the end',
    damage: file => Buffer.concat([file, Buffer.from('no frame of ours')]),
    logged: { level: ERROR, msg: /damaged/ },
    kept: true
  },
  { name: 'zeros at the end', damage: file => Buffer.concat([file, Buffer.alloc(4096)]), logged: torn },
  {
    name: 'a few bytes of a frame at the end', damage: file => Buffer.concat([file, file.subarray(0, 7)]), logged: torn
  },
  {
    name: 'half a frame at the end',
    damage: (file, [first = Buffer.alloc(0)]) => Buffer.concat([file, first.subarray(0, first.length / 2)]),
    logged: torn
  },
  {
    name: 'the last frame cut short',
    damage: file => file.subarray(0, file.length - 10),
    gone: frames => frames.slice(-1),
    logged: torn
  },
  {
    name: 'a bit that fell over in an older frame',
    damage: (file, frames) => {
      const at = lengthOf(frames.slice(0, -2)) + HEADER_BYTES + 20
      return Buffer.concat([file.subarray(0, at), Buffer.from([file.readUInt8(at) ^ 1]), file.subarray(at + 1)])
    },
    gone: frames => frames.slice(-2, -1),
    logged: { level: ERROR, msg: /damaged/ },
    kept: true
  }
]

for (const { name: what, damage, gone = () => [], logged, kept = false } of damages) {
  t.test(`a journal with ${what} is told of at the next start, and all else in it comes into the books`, async t => {
    const databaseUrl = await createDatabase()
    const proxy = await startTcpProxy(t, databaseUrl)
    const scene = await startScene(t, { databaseUrl, gatewayUrl: proxy.withPort(databaseUrl) })
    proxy.refuse()
    proxy.cut('all')
    await untilDegraded(scene.gateway)
    await scene.load.answers(600)
    await scene.load.stop()
    scene.gateway.kill('SIGKILL')
    await scene.gateway.exited

    const folder = join(scene.location.dataDir, 'journal')
    const [name = '', ...others] = readdirSync(folder)
    t.same(others, [])
    const path = join(folder, name)
    const file = readFileSync(path)
    const frames = framesOf(file)
    t.ok(frames.length > 3, `${frames.length} frames`)
    writeFileSync(path, damage(file, frames))
    proxy.restore()

    const second = await scene.startAgain()
    await untilCaughtUp(second)
    t.same(await second.stop(), { code: 0, signal: null })
    t.equal(
      second.log.filter(({ level, msg }) => level === logged.level && logged.msg.test(String(msg))).length,
      1,
      'it is told once'
    )
    t.same(readdirSync(folder), kept ? [`${name}.damaged`] : [])
    await checkBooks(t, {
      location: scene.location, tally: scene.tally, missing: new Set(gone(frames).flatMap(callsIn))
    })
  })
}

/**
 * By the format that the journal says it has: a header, of which the first four bytes are the length of what follows.
 */
function framesOf (file: Buffer): Buffer[] {
  const frames: Buffer[] = []
  for (let offset = 0; offset < file.length;) {
    const end = offset + HEADER_BYTES + file.readUInt32LE(offset)
    frames.push(file.subarray(offset, end))
    offset = end
  }
  return frames
}

function callsIn (frame: Buffer): number[] {
  const { entries } = JSON.parse(frame.toString('utf8', HEADER_BYTES)) as {
    entries: Array<{ record: { metadata: string } }>
  }
  return entries.map(({ record }) => (JSON.parse(record.metadata) as { call: number }).call)
}

const lengthOf = (frames: readonly Buffer[]): number => frames.reduce((sum, { length }) => sum + length, 0)
