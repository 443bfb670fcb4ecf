import t from 'tap'
import { batchToJson, entryToJson, parseBatch } from '../../src/recording/batch-json.js'
import { batchOf, callRecord, entry } from '../helpers/batches.js'

t.test('a batch comes back from its JSON as it was', t => {
  const odd = 'a\0b \ud800 \udc00 😀 \u2028 "\\" \n'
  const batch = batchOf(
    entry({
      costPicoUsd: 123_456_789_012_345_678_901_234_567_890n, user: odd, metadata: odd
    }, { prompt: odd, response: null }),
    entry({ costPicoUsd: null, costReason: 'unknown_model', inputTokens: null, createdAtMs: 1_795_000_000_000.5 }),
    entry({ costPicoUsd: 0n, promptType: '__proto__', durationMs: 0.125 }, { prompt: '123', response: '"9n"' })
  )
  t.same(parseBatch(batchToJson(batch)), batch)
  t.equal(typeof parseBatch(batchToJson(batch)).entries[2]?.record.costPicoUsd, 'bigint')
  // As bytes, too, which hold no lone surrogates.
  t.same(parseBatch(Buffer.from(batchToJson(batch)).toString()), batch)
  t.end()
})

t.test('a record that was kept by a build without blocked calls and usage details is read as one without', t => {
  const one = batchOf(entry())
  const json = batchToJson(one)
  const older = json.replace('"blocked":false,', '').replace('"usageDetails":null,', '')
  t.not(older.length, json.length)
  t.same(parseBatch(older), one)
  t.end()
})

t.test('the JSON of a batch holds no NUL byte and no line break', t => {
  const json = batchToJson(batchOf(entry({ user: '\0\n\r' }, { prompt: '\0\n', response: '\u0000' })))
  t.notMatch(json, /[\0\n\r]/)
  t.end()
})

t.test('a number that JSON has not is null, and the batch comes back all the same', t => {
  t.equal(parseBatch(batchToJson(batchOf(entry({ durationMs: Number.NaN })))).entries[0]?.record.durationMs, null)
  t.end()
})

t.test('one record is an object of its record and its payload', t => {
  const record = callRecord({ costPicoUsd: 7n })
  t.same(JSON.parse(entryToJson({ record, payload: null })), { record: { ...record, costPicoUsd: '7' }, payload: null })
  t.end()
})
