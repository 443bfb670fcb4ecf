import { createHash } from 'node:crypto'
import OpenAI from 'openai'
import t from 'tap'
import { contentImport } from '../../examples/content-import/content-import.js'
import { sampleInput } from '../../examples/content-import/sample.js'
import { startScriptedOpenAI } from '../../examples/content-import/scripted-openai.js'
import { usageLogs } from '../helpers/books.js'
import { startGateway } from '../helpers/gateway.js'

t.test('an import that stores full data leaves what was said in the books, and of images and files their size and digest', async t => {
  const scripted = await startScriptedOpenAI(new URL('../../examples/content-import/exchanges.jsonl', import.meta.url))
  t.teardown(() => scripted.close())
  const gateway = await startGateway(t, { upstreamUrl: scripted.baseUrl })
  t.equal((await gateway.admin('PATCH', '/settings', { default_track_full_data: true })).status, 200)
  const input = sampleInput('Ada', 'import-1')
  await contentImport(new OpenAI({ baseURL: `${gateway.origin}/v1`, apiKey: 'sk-none' }), input)

  const rows = await usageLogs(gateway)
  const elided = { 'image/png': input.image.bytes, 'application/pdf': input.file.bytes }
  for (const [mediaType, bytes] of Object.entries(elided)) {
    const digest = createHash('sha256').update(bytes).digest('hex')
    t.ok(
      rows.some(row => row['prompt']?.includes(`[elided ${mediaType}, ${bytes.length} bytes, sha256:${digest}]`)),
      mediaType
    )
  }
  const secrets = Object.values(elided).map(bytes => Buffer.from(bytes).toString('base64').slice(0, 40))
  const everything = JSON.stringify([
    rows, await gateway.database.operator.$client.unsafe('select * from prompt_stats')
  ])
  t.notOk(secrets.some(secret => everything.includes(secret)), 'no base64 anywhere')
  t.ok(rows.every(row => row['prompt'] !== null && row['response'] !== null))
  t.ok(
    rows.some(row =>
      row['prompt_type'] === 'select_best_tags' && row['stream'] === 'true' && row['response']?.includes('"message"')),
    'a stream as the one object that it adds up to'
  )
})
