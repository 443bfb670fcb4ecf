import t from 'tap'
import { startGateway } from '../helpers/gateway.js'
import { json, startUpstream } from '../helpers/upstream.js'
import { ask, logRows } from './raw-caller.js'

const chat = '{"model":"gpt-4o-mini","messages":[]}'

t.test('with PROMPT_TYPE_REQUIRED a call that names no prompt type is refused, and in no books', async t => {
  const upstream = await startUpstream(t)
  upstream.reply(json({}))
  const gateway = await startGateway(t, {
    upstreamUrl: upstream.url, env: { PROMPT_TYPE_REQUIRED: 'true', RECORD_WAIT_MS: '60000' }
  })
  for (const [line, headers] of [
    ['POST /v1/chat/completions', []], ['POST /v1/not/known', []], ['POST /v1//embeddings/', []], [
      'POST /v1/responses', ['x-prompt-type: untyped']
    ], ['POST /prompt-types/untyped/v1/responses', []]
  ] as const) {
    const refused = await ask(t, gateway, line, headers, chat)
    t.equal(refused.status, 400, line)
    t.match(JSON.parse(refused.body), {
      error: {
        code: 'prompt_type_required',
        type: 'invalid_request_error',
        param: 'X-Prompt-Type',
        message: /X-Prompt-Type: .*\/prompt-types\//
      }
    })
  }
  t.equal(upstream.requests.length, 0)
  t.same(await logRows(gateway), [])
  t.match((await gateway.admin('GET', '/prompt-configs')).body, { total: 0 })

  for (const [line, headers] of [
    ['POST /v1/chat/completions', ['x-prompt-type: named']], ['POST /prompt-types/named/v1/chat/completions', []],
    ['GET /v1/models', []], ['POST /v1/files', []], [
      'OPTIONS /v1/chat/completions', ['origin: https://app.example', 'access-control-request-method: POST']
    ]
  ] as const) t.equal((await ask(t, gateway, line, headers, line.startsWith('POST') ? chat : '')).status, 200, line)
  t.same((await logRows(gateway)).map(row => row['prompt_type']), ['named', 'named', 'untyped', 'untyped'])
})
