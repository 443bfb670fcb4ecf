import OpenAI from 'openai'
import t from 'tap'
import { contentImport } from '../../examples/content-import/content-import.js'
import { promptHeaders } from '../../examples/content-import/prompt-headers.js'
import { sampleInput } from '../../examples/content-import/sample.js'
import { startScriptedOpenAI } from '../../examples/content-import/scripted-openai.js'
import { startGateway } from '../helpers/gateway.js'

interface Log { prompt_type: string, task_description: string, user: string, metadata: Record<string, unknown>, success: boolean, stream: boolean, endpoint: string, usage_source: string, cost: number | null, prompt: string | null }

const exchanges = new URL('../../examples/content-import/exchanges.jsonl', import.meta.url)
const promptTypes = [
  'analyze_image_layout', 'extract_page_metadata', 'generate_file_metadata', 'generate_image_metadata',
  'select_best_tags'
]
// More rounds than any prompt has answers: the client retries the failures among them.
const ROUNDS = 5

t.test('imports through the gateway get their metadata and tags, and each of the five prompt types has its books', async t => {
  const scripted = await startScriptedOpenAI(exchanges)
  t.teardown(() => scripted.close())
  const gateway = await startGateway(t, { upstreamUrl: scripted.baseUrl })
  const openai = new OpenAI({ baseURL: `${gateway.origin}/v1`, apiKey: 'sk-none' })
  const input = sampleInput('Ada Žižka', 'import-1')
  for (let round = 0; round < ROUNDS; round++) {
    const imported = await contentImport(openai, input)
    t.equal(imported.page.language, 'en')
    t.equal(imported.image.layout.kind, 'chart')
    t.ok(imported.image.alt_text)
    t.ok(imported.file.summary)
    t.ok(imported.tags.length >= 3 && imported.tags.every(tag => input.knownTags.includes(tag)))
  }

  const { body } = await gateway.admin('GET', '/usage-logs?limit=500')
  const logs = (body as { items: Log[] }).items
  t.same([...new Set(logs.map(log => log.prompt_type))].sort(), promptTypes)
  for (const promptType of promptTypes) {
    const ofType = logs.filter(log => log.prompt_type === promptType)
    const succeeded = ofType.filter(log => log.success)
    t.equal(succeeded.length, ROUNDS)
    t.ok(
      ofType.every(log =>
        log.user === 'Ada Žižka' && log.metadata['import_id'] === 'import-1' && log.task_description !== '')
    )
    t.ok(succeeded.every(log => log.usage_source === 'upstream' && (log.cost ?? 0) > 0))
    const { body: config } = await gateway.admin('GET', `/prompt-configs/${promptType}`)
    t.match(config, {
      description: ofType[0]?.task_description,
      total_calls: ofType.length,
      failed_calls: ofType.length - ROUNDS,
      last_user: 'Ada Žižka'
    })
    t.notMatch((config as { last_prompt: string }).last_prompt, /base64,/)
  }
  t.ok(logs.some(log => !log.success))
  t.ok(logs.filter(log => log.prompt_type === 'select_best_tags').every(log => log.stream))
  t.ok(logs.filter(log => log.prompt_type === 'generate_image_metadata').every(log => log.endpoint === 'responses'))
})

t.test('prompt headers are ASCII, whatever the label says', t => {
  const headers = promptHeaders({ type: 'a', description: 'Größe', user: 'žofie', metadata: { title: '雪', n: 1 } })
  t.ok(Object.values(headers).every(value => /^[\x20-\x7e]*$/.test(value)))
  t.same(JSON.parse(headers['X-Prompt-Metadata'] ?? ''), { title: '雪', n: 1 })
  t.equal(decodeURIComponent(headers['X-Prompt-User'] ?? ''), 'žofie')
  t.end()
})
