import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { appendDeadLetter } from '../../src/recording/dead-letters.js'
import { callRecord } from '../helpers/batches.js'

const withCode = (code: unknown, message = 'no'): Error => Object.assign(new Error(message), { code })

t.test('a refused record is kept whole, a line of JSON each, for the owner\'s eyes only', async t => {
  const dataDir = join(t.testdir(), 'not', 'yet')
  const first = {
    record: callRecord({ costPicoUsd: 12_345_678_901_234_567_890n }),
    payload: { prompt: 'line\nbreak \0 \ud800', response: null }
  }
  const second = { record: callRecord(), payload: null }
  await appendDeadLetter(
    dataDir, first, new Error('Failed query', { cause: withCode('22021', 'invalid byte sequence') })
  )
  await appendDeadLetter(dataDir, second, 'no error')
  const file = join(dataDir, 'rejected.jsonl')
  const text = readFileSync(file, 'utf8')
  t.ok(text.endsWith('}\n'))
  t.same(text.trimEnd().split('\n').map(line => JSON.parse(line) as unknown), [
    {
      error: 'Error: invalid byte sequence',
      record: { ...first.record, costPicoUsd: '12345678901234567890' },
      payload: first.payload
    },
    { error: 'no error', record: { ...second.record, costPicoUsd: '19500000' }, payload: null }
  ])
  t.equal(statSync(file).mode & 0o777, 0o600)
})

t.test('the database\'s words are kept without keys', async t => {
  const dataDir = t.testdir()
  const key = `sk-proj-${'aB3dE6gH9jK2mN5p'.repeat(3)}`
  await appendDeadLetter(
    dataDir, { record: callRecord(), payload: null }, new Error(`Failing row contains (?k%3D${key})`)
  )
  t.match(JSON.parse(readFileSync(join(dataDir, 'rejected.jsonl'), 'utf8')), {
    error: 'Error: Failing row contains (?k%3D[redacted key])'
  })
})

t.test('it says so where the record cannot be kept', async t => {
  const folder = t.testdir({ file: '' })
  await t.rejects(appendDeadLetter(
    join(folder, 'file'), { record: callRecord(), payload: null }, new Error('no')
  ), { code: /EEXIST|ENOTDIR/ })
})
