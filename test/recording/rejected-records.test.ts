import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { isRefusal, keepRejected } from '../../src/recording/rejected-records.js'
import { callRecord } from '../helpers/batches.js'

const withCode = (code: unknown, message = 'no'): Error => Object.assign(new Error(message), { code })

t.test('bad data, broken constraints and exceeded limits are refused for good', t => {
  for (const code of ['22021', '22P05', '22003', '23502', '23514', '54000']) {
    t.equal(isRefusal(withCode(code)), true, code)
    t.equal(isRefusal(new Error('Failed query', { cause: withCode(code) })), true, `${code}, wrapped`)
  }
  t.end()
})

t.test('all else may go well another time', t => {
  for (const code of ['40001', '40P01', '53100', '53300', '57P01', '57014', '08006', '25006', '42P01', 'EPIPE', 'ECONNREFUSED', 'CONNECTION_CLOSED', '', 22021, null]) {
    t.equal(isRefusal(withCode(code)), false, String(code))
  }
  for (const error of [new Error('22021'), new TypeError('x'), '22021', { code: '22021' }, null, undefined]) t.equal(isRefusal(error), false)
  t.end()
})

t.test('a refused record is kept whole, a line of JSON each, for the owner\'s eyes only', async t => {
  const dataDir = join(t.testdir(), 'not', 'yet')
  const first = { record: callRecord({ costPicoUsd: 12_345_678_901_234_567_890n }), payload: { prompt: 'line\nbreak \0 \ud800', response: null } }
  const second = { record: callRecord(), payload: null }
  await keepRejected(dataDir, first, new Error('Failed query', { cause: withCode('22021', 'invalid byte sequence') }))
  await keepRejected(dataDir, second, 'no error')
  const file = join(dataDir, 'rejected.jsonl')
  const text = readFileSync(file, 'utf8')
  t.ok(text.endsWith('}\n'))
  t.same(text.trimEnd().split('\n').map(line => JSON.parse(line) as unknown), [
    { error: 'Error: invalid byte sequence', record: { ...first.record, costPicoUsd: '12345678901234567890' }, payload: first.payload },
    { error: 'no error', record: { ...second.record, costPicoUsd: '19500000' }, payload: null }
  ])
  t.equal(statSync(file).mode & 0o777, 0o600)
})

t.test('it says so where the record cannot be kept', async t => {
  const folder = t.testdir({ file: '' })
  await t.rejects(keepRejected(join(folder, 'file'), { record: callRecord(), payload: null }, new Error('no')), { code: /EEXIST|ENOTDIR/ })
})
