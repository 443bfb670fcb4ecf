import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { countTokens as countCl100k } from 'gpt-tokenizer/encoding/cl100k_base'
import { countTokens as countO200k } from 'gpt-tokenizer/encoding/o200k_base'
import t, { type Test } from 'tap'
import {
  createTokenizer, roughCount, type Encoding, type Tokenizer, type TokenizerOptions
} from '../../src/metering/tokenizer.js'

/** Long enough for the slowest machine: what is tested here must not depend on the worker's pace. */
const PATIENT: TokenizerOptions = { timeoutMs: 60_000 }

/** Of the tests that only count: a worker takes seconds to start from TypeScript. */
const shared = createTokenizer(PATIENT)
t.teardown(() => shared.close())

function tokenizerFor (t: Test, options: TokenizerOptions): Tokenizer {
  const tokenizer = createTokenizer(options)
  t.teardown(() => tokenizer.close())
  return tokenizer
}

t.test('texts are counted by the encoding asked for', async t => {
  const texts = ['Wie viele Zeichen hat die Straßenbahnhaltestelle?', '你好，世界', '', 'x = [1, 2, 3]\n']
  t.same(await shared.count('o200k_base', texts), texts.map(text => countO200k(text)))
  t.same(await shared.count('cl100k_base', texts), texts.map(text => countCl100k(text)))
  t.same(await shared.count('o200k_base', []), [])
})

t.test('special tokens in a text are text', async t => {
  const [tokens = 0] = await shared.count('o200k_base', ['a<|endoftext|>b<|im_start|>'])
  t.ok(tokens > 4, `${tokens}`)
})

t.test('runs without a break are counted in cuts, near enough', async t => {
  const [letters = 0, spaces = 0] = await shared.count('o200k_base', ['a'.repeat(50_000), ' '.repeat(50_000)])
  t.ok(letters >= 6_250 && letters < 6_400, `${letters} of 6250: eight letters a token`)
  t.ok(spaces > 0 && spaces < 1_000, `${spaces}`)
})

t.test('a long text is judged by samples', async t => {
  const text = Array.from({ length: 40_000 }, (_, i) => `Line ${i} says hello to the world.`).join('\n')
  const exact = countO200k(text)
  const [counted = 0, short] = await shared.count('o200k_base', [text, 'hello world'])
  t.ok(Math.abs(counted / exact - 1) < 0.02, `${counted} of ${exact}`)
  t.equal(short, 2, 'and a short one beside it is still right')
})

const texts = ['four', 'fives', '€uro', '']
const rough = [1, 2, 2, 0]

t.test('a rough count is four bytes of UTF-8 a token, rounded up', t => {
  t.same(texts.map(roughCount), rough)
  t.end()
})

t.test('a late worker is answered for roughly', async t => {
  const tokenizer = tokenizerFor(t, { timeoutMs: 1 })
  t.same(await tokenizer.count('o200k_base', texts), rough, 'no worker starts in a millisecond')
})

t.test('a full queue is answered for roughly', async t => {
  const tokenizer = tokenizerFor(t, { ...PATIENT, maxQueued: 1 })
  const first = tokenizer.count('o200k_base', ['hello world'])
  t.same(await tokenizer.count('o200k_base', texts), rough)
  t.same(await first, [2])
  t.same(await tokenizer.count('o200k_base', ['hello world']), [2], 'and has room again')
})

t.test('closing answers what waits, and what comes after, roughly', async t => {
  const tokenizer = createTokenizer(PATIENT)
  const waiting = tokenizer.count('o200k_base', texts)
  await tokenizer.close()
  t.same(await waiting, rough)
  t.same(await tokenizer.count('o200k_base', texts), rough)
  await t.resolves(createTokenizer().close(), 'also one that was never used')
})

t.test('a worker that dies is answered for roughly, told of, and replaced', async t => {
  const errors: Error[] = []
  const tokenizer = tokenizerFor(t, { ...PATIENT, restartDelayMs: 0, onError: error => errors.push(error) })
  t.same(await tokenizer.count('nonsense' as Encoding, texts), rough)
  t.match(errors, [{ name: 'TypeError' }])
  t.same(await tokenizer.count('o200k_base', ['hello world']), [2])
})

t.test('a worker that keeps dying is not started again at once', async t => {
  const tokenizer = tokenizerFor(t, { ...PATIENT, restartDelayMs: 3_600_000 })
  t.same(await tokenizer.count('nonsense' as Encoding, texts), rough)
  t.same(await tokenizer.count('o200k_base', texts), rough)
})

t.test('an open tokenizer does not keep the process alive', async t => {
  const folder = t.testdir({
    'count.mjs': `
      import { createTokenizer } from ${JSON.stringify(new URL('../../src/metering/tokenizer.ts', import.meta.url).href)}
      console.log(await createTokenizer({ timeoutMs: 60_000 }).count('o200k_base', ['hello world']))`
  })
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...process.execArgv, join(folder, 'count.mjs')
  ], { timeout: 60_000 })
  t.equal(stdout.trim(), '[ 2 ]')
})
