import OpenAI from 'openai'
import t from 'tap'
import { contentImport } from '../../examples/content-import/content-import.js'
import { promptHeaders } from '../../examples/content-import/prompt-headers.js'
import { sampleInput } from '../../examples/content-import/sample.js'
import { startScriptedOpenAI } from '../../examples/content-import/scripted-openai.js'

const exchanges = new URL('../../examples/content-import/exchanges.jsonl', import.meta.url)

t.test('an import has metadata for page, image and file, and tags that are known', async t => {
  const scripted = await startScriptedOpenAI(exchanges)
  t.teardown(() => scripted.close())
  const openai = new OpenAI({ baseURL: scripted.baseUrl, apiKey: 'sk-none' })
  const input = sampleInput('ada', 'import-1')
  // More rounds than any prompt has answers: the client retries the failures among them.
  for (let round = 0; round < 5; round++) {
    const imported = await contentImport(openai, input)
    t.equal(imported.page.language, 'en')
    t.equal(imported.image.layout.kind, 'chart')
    t.ok(imported.image.alt_text)
    t.ok(imported.file.summary)
    t.ok(imported.tags.length >= 3 && imported.tags.every(tag => input.knownTags.includes(tag)))
  }
})

t.test('prompt headers are ASCII, whatever the label says', t => {
  const headers = promptHeaders({ type: 'a', description: 'Größe', user: 'žofie', metadata: { title: '雪', n: 1 } })
  t.ok(Object.values(headers).every(value => /^[\x20-\x7e]*$/.test(value)))
  t.same(JSON.parse(headers['X-Prompt-Metadata'] ?? ''), { title: '雪', n: 1 })
  t.equal(decodeURIComponent(headers['X-Prompt-User'] ?? ''), 'žofie')
  t.end()
})
