import { parentPort } from 'node:worker_threads'
import { countTexts } from './token-count.js'
import type { CountAnswer, CountQuestion, Encoding } from './tokenizer.js'

// Entry of the worker thread behind `createTokenizer`: answers each question with the counts of its texts.

const load = {
  o200k_base: () => import('gpt-tokenizer/encoding/o200k_base'),
  cl100k_base: () => import('gpt-tokenizer/encoding/cl100k_base')
}

/** Special tokens in a user's text are text: nothing is disallowed, and nothing special either. */
const asText = { disallowedSpecial: new Set<string>() }

async function answer ({ id, encoding, texts }: CountQuestion): Promise<CountAnswer> {
  const { countTokens } = await loaded(encoding)
  return { id, counts: countTexts(text => countTokens(text, asText), texts) }
}

/** Modules are cached: an encoding's tables are read at its first use. */
function loaded (encoding: Encoding): ReturnType<typeof load.o200k_base> | ReturnType<typeof load.cl100k_base> {
  return load[encoding]()
}

// A question that cannot be answered ends the worker, which its owner sees.
parentPort?.on('message', (question: CountQuestion) => {
  void answer(question).then(counted => parentPort?.postMessage(counted))
})
