import {
  appendFileSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, truncateSync, writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { RecordBatch } from '../../src/recording/call-record.js'
import { FRAME_HEADER_BYTES } from '../../src/recording/journal-frame.js'
import { Journal } from '../../src/recording/journal.js'
import { uuidTimeMs, uuidV7 } from '../../src/recording/uuid-v7.js'
import { batchOf, entry } from '../helpers/batches.js'

interface Logged { readonly level: string, readonly fields: object, readonly message: string }

let time = Date.UTC(2026, 10, 23)
const batch = (records = 1, prompt = 'a prompt'): RecordBatch =>
  ({ id: uuidV7(time += 1000), entries: Array.from({ length: records }, () => entry({}, { prompt, response: null })) })
const large = (): RecordBatch => batch(1, 'x'.repeat(8 * 1024 * 1024))

/** A journal in a folder of the test's own, and as later processes find it. */
async function start (t: Test): Promise<{
  folder: string, journal: Journal, reopen: () => Promise<Journal>, logged: Logged[], damaged: number[]
}> {
  const folder = join(t.testdir(), 'journal')
  const logged: Logged[] = []
  const damaged: number[] = []
  const log = (level: string) => (fields: object, message: string): void => { logged.push({ level, fields, message }) }
  let journal: Journal | null = null
  const reopen = async (): Promise<Journal> => {
    await journal?.close()
    journal = await Journal.open(folder, {
      debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error')
    }, { onDamage: records => damaged.push(records) })
    return journal
  }
  t.teardown(async () => await journal?.close())
  return { folder, journal: await reopen(), reopen, logged, damaged }
}

/** All that the journal holds, taken from its front. */
async function drain (journal: Journal): Promise<RecordBatch[]> {
  const batches: RecordBatch[] = []
  for (let one = await journal.oldest(); one !== null; one = await journal.oldest()) {
    batches.push(one)
    await journal.dropOldest()
  }
  return batches
}

const files = (folder: string): string[] => readdirSync(folder).sort()

t.test('batches come back in order and as they were, and a file that is done with goes', async t => {
  const { folder, journal } = await start(t)
  const odd = batchOf(entry({ costPicoUsd: 10n ** 30n, user: 'a\0b \ud800 😀' }, { prompt: '\0\ud800', response: '' }))
  const batches = [batch(), odd, batch(512), large(), batch()]
  for (const one of batches) await journal.append(one)
  t.same(files(folder), ['00000001.journal'])
  t.equal(statSync(folder).mode & 0o777, 0o700)
  t.equal(statSync(join(folder, '00000001.journal')).mode & 0o777, 0o600)
  t.same(await drain(journal), batches)
  t.same(files(folder), [])
  t.same([journal.isEmpty, journal.records, journal.sizeBytes, journal.oldestAtMs], [true, 0, 0, null])
  await journal.append(batch())
  t.same(files(folder), ['00000002.journal'])
})

t.test('it says how much waits, and since when', async t => {
  const { folder, journal, reopen } = await start(t)
  t.same([journal.isEmpty, journal.records, journal.sizeBytes, journal.oldestAtMs], [true, 0, 0, null])
  const [one, two] = [batch(3), batch(4)]
  await journal.append(one)
  await journal.append(two)
  const bytes = statSync(join(folder, '00000001.journal')).size
  t.same([
    journal.isEmpty, journal.records, journal.sizeBytes, journal.oldestAtMs
  ], [false, 7, bytes, uuidTimeMs(one.id)])
  await journal.oldest()
  await journal.dropOldest()
  await journal.oldest()
  t.same([journal.records, journal.oldestAtMs], [4, uuidTimeMs(two.id)])
  t.ok(journal.sizeBytes < bytes)
  const later = await reopen()
  t.same([later.records, later.sizeBytes], [7, bytes], 'what is done with is not known any more')
  t.ok(later.oldestAtMs !== null)
  await later.oldest()
  t.equal(later.oldestAtMs, uuidTimeMs(one.id))
})

t.test('it knows since when, also where it was emptied while a batch was written', async t => {
  const { journal } = await start(t)
  await journal.append(batch())
  await journal.oldest()
  const second = batch(1, 'x'.repeat(4 * 1024 * 1024))
  const appended = journal.append(second)
  await journal.dropOldest()
  await appended
  t.equal(journal.oldestAtMs, uuidTimeMs(second.id))
})

t.test('it is divided into files, each of which goes when it is done with; a later process reads what is left from the beginning', async t => {
  const { folder, journal, reopen } = await start(t)
  const batches = Array.from({ length: 19 }, large)
  for (const one of batches) await journal.append(one)
  t.same(files(folder), ['00000001.journal', '00000002.journal', '00000003.journal'])
  for (let i = 0; i < 10; i++) {
    t.equal((await journal.oldest())?.id, batches[i]?.id)
    await journal.dropOldest()
  }
  t.same(files(folder), ['00000002.journal', '00000003.journal'])
  const later = await reopen()
  const small = batch()
  await later.append(small)
  t.same(
    files(folder),
    ['00000002.journal', '00000003.journal', '00000004.journal'],
    'a file of an earlier process is not written to'
  )
  t.same((await drain(later)).map(({ id }) => id), [...batches.slice(8), small].map(({ id }) => id))
  t.same(files(folder), [])
})

t.test('a last entry that is torn is dropped with a warning, wherever it was cut; all others are read', async t => {
  const { folder, journal, reopen, logged } = await start(t)
  const batches = [batch(), batch(2)]
  for (const one of batches) await journal.append(one)
  const whole = readFileSync(join(folder, '00000001.journal'))
  await journal.append(batch())
  const all = readFileSync(join(folder, '00000001.journal'))
  await journal.close()
  const cuts = fc.integer({ min: whole.length + 1, max: all.length - 2 })
  await fc.assert(fc.asyncProperty(cuts, fc.boolean(), async (size, filled) => {
    logged.length = 0
    writeFileSync(
      join(folder, '00000009.journal'),
      Buffer.concat([all.subarray(0, size), Buffer.alloc(filled ? all.length - size : 0)])
    )
    rmSync(join(folder, '00000001.journal'), { force: true })
    const later = await reopen()
    const found = await drain(later)
    const warned = logged.filter(({ level, message }) => level === 'warn' && message.includes('torn')).length
    const damaged = logged.filter(({ level }) => level === 'error').length
    // Half a header with zeros behind it may be either.
    const asIs = found.length === 2 && found.every((one, i) => one.id === batches[i]?.id)
    for (const name of files(folder)) rmSync(join(folder, name))
    return asIs && later.isEmpty && later.records === 0 && warned + damaged === 1 &&
      (warned === 1 || (filled && size < whole.length + FRAME_HEADER_BYTES))
  }), { numRuns: 60 })
})

t.test('a damaged entry is told and its file kept; all that can be read of that file, and the other files, come back', async t => {
  const { folder, journal, reopen, logged } = await start(t)
  const batches = [batch(), batch(5), batch(), batch()]
  const offsets: number[] = []
  for (const one of batches) {
    offsets.push(journal.sizeBytes)
    await journal.append(one)
  }
  const path = join(folder, '00000001.journal')
  const bytes = readFileSync(path)
  bytes.writeUInt8((bytes[(offsets[1] ?? 0) + 100] ?? 0) ^ 1, (offsets[1] ?? 0) + 100)
  writeFileSync(path, bytes)
  const later = await reopen()
  const after = batch()
  await later.append(after)
  t.equal(later.records, 9)
  t.same((await drain(later)).map(({ id }) => id), [batches[0], batches[2], batches[3], after].map(one => one?.id))
  t.same(files(folder), ['00000001.journal.damaged'])
  t.same(readFileSync(`${path}.damaged`), bytes)
  t.match(logged.filter(({ level }) => level === 'error'), [
    { fields: { file: `${path}.damaged`, records: 5 }, message: /damaged/ }
  ])
  t.same([later.records, later.sizeBytes], [0, 0])
})

t.test('where an entry\'s header is damaged, that entry is lost and counted, and no other', async t => {
  const { folder, journal, reopen, logged, damaged } = await start(t)
  const batches = [batch(3), batch(), batch()]
  await journal.append(batch())
  const size = journal.sizeBytes
  for (const one of batches) await journal.append(one)
  const lostBytes = journal.sizeBytes - size - 2 * size
  const path = join(folder, '00000001.journal')
  const bytes = readFileSync(path)
  bytes.writeUInt8(bytes.readUInt8(size + 3) ^ 0x40, size + 3)
  writeFileSync(path, bytes)
  const later = await reopen()
  t.equal(later.records, 3)
  t.same((await drain(later)).slice(1).map(({ id }) => id), [batches[1], batches[2]].map(one => one?.id))
  t.same(files(folder), ['00000001.journal.damaged'])
  t.match(logged.filter(({ level }) => level === 'error'), [{ fields: { bytes: lostBytes, records: 3 } }])
  t.same(damaged, [3])
})

t.test('a damaged file is not overwritten by a later one', async t => {
  const { folder, reopen } = await start(t)
  writeFileSync(join(folder, '00000007.journal.damaged'), 'kept')
  const journal = await reopen()
  await journal.append(batch())
  t.same(files(folder), ['00000007.journal.damaged', '00000008.journal'])
  t.equal(journal.records, 1)
})

t.test('files of other names are left alone', async t => {
  const { folder, reopen } = await start(t)
  for (const name of ['notes.txt', '1.journal', '00000001.journal.bak']) writeFileSync(join(folder, name), 'x')
  const journal = await reopen()
  t.equal(journal.isEmpty, true)
  await journal.append(batch())
  await drain(journal)
  t.same(files(folder), ['00000001.journal.bak', '1.journal', 'notes.txt'])
})

t.test('a disk that refuses leaves the journal as it was, and usable once it is mended', async t => {
  const { folder, journal } = await start(t)
  renameSync(folder, `${folder}-away`)
  writeFileSync(folder, '')
  await t.rejects(journal.append(batch()), { code: 'ENOTDIR' })
  t.same([journal.isEmpty, journal.records, await journal.oldest()], [true, 0, null])
  rmSync(folder)
  mkdirSync(folder)
  const one = batch()
  await journal.append(one)
  t.same((await drain(journal)).map(({ id }) => id), [one.id])
  t.same(files(folder), [])
})

t.test('a file that is removed under it is read to its end all the same', async t => {
  const { folder, journal, logged } = await start(t)
  const batches = [batch(), batch()]
  for (const one of batches) await journal.append(one)
  rmSync(join(folder, '00000001.journal'))
  t.same(await drain(journal), batches)
  t.match(logged, [{ level: 'warn', message: /cannot be removed/ }])
  await journal.append(batch())
  t.same(files(folder), ['00000002.journal'])
})

t.test('a file that is cut under it is told as damaged, and holds up nobody', async t => {
  const { folder, journal, logged } = await start(t)
  const one = batch()
  await journal.append(one)
  await journal.append(batch())
  truncateSync(join(folder, '00000001.journal'), journal.sizeBytes - 10)
  t.same((await drain(journal)).map(({ id }) => id), [one.id])
  t.equal(journal.isEmpty, true)
  t.equal(logged.filter(({ level }) => level === 'error').length, 1)
})

t.test('what a failed write left behind is not read', async t => {
  const { folder, journal } = await start(t)
  const one = batch()
  await journal.append(one)
  appendFileSync(join(folder, '00000001.journal'), 'half an entry')
  t.same((await drain(journal)).map(({ id }) => id), [one.id])
})

t.test('however appends, readings and new starts follow each other, each batch comes once and in order', async t => {
  const { folder, reopen } = await start(t)
  const step = fc.constantFrom('append', 'append', 'drop', 'drop', 'both', 'reopen')
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 25 }), async steps => {
    let journal = await reopen()
    await drain(journal)
    // What the journal has to hold; a new start may bring back what was done with, of files that are still there.
    let model: string[] = []
    const known = new Set<string>()
    const append = async (): Promise<void> => {
      const one = batch()
      await journal.append(one)
      model.push(one.id)
    }
    const drop = async (): Promise<void> => {
      let id = (await journal.oldest())?.id
      while (id !== undefined && known.has(id) && id !== model[0]) {
        await journal.dropOldest()
        id = (await journal.oldest())?.id
      }
      if (id === undefined) return
      if (id !== model[0]) throw new Error(`${id} in place of ${String(model[0])}`)
      await journal.dropOldest()
      known.add(id)
      model = model.slice(1)
    }
    for (const one of steps) {
      if (one === 'append') await append()
      else if (one === 'drop') await drop()
      else if (one === 'both') await Promise.all([append(), drop()])
      else journal = await reopen()
      if (model.length > 0 && journal.isEmpty) throw new Error('empty')
    }
    const rest = (await drain(journal)).map(({ id }) => id)
    return rest.filter(id => !known.has(id)).join() === model.join() && files(folder).length === 0
  }), { numRuns: 150 })
})
