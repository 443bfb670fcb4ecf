import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Test } from 'tap'

/** A model's rates in 10⁻¹² USD per token, as OpenAI publishes them per million. */
const models = [
  { name: 'gpt-4o-mini-2024-07-18', input: 150_000n, cached: 75_000n, output: 600_000n },
  { name: 'gpt-5-nano-2025-08-07', input: 50_000n, cached: 5_000n, output: 400_000n },
  { name: 'gpt-4.1-2025-04-14', input: 2_000_000n, cached: 500_000n, output: 8_000_000n }
] as const

/** What one call is; all of it follows from its number, on both sides of the gateway. */
export interface PlannedCall {
  readonly model: string
  readonly tokens: {
    readonly input: number, readonly cached: number, readonly output: number, readonly reasoning: number
  }
  /** 10⁻¹² USD. */
  readonly cost: bigint
  readonly stream: boolean
  /** Whether the caller of a stream asks for its usage. */
  readonly asks: boolean
}

export function plannedCall (call: number): PlannedCall {
  const input = 1 + call * 7919 % 4001
  const model = models[call % models.length] ?? models[0]
  const tokens = {
    input, cached: call % 3 === 0 ? Math.floor(input / 2) : 0, output: 4 + call * 104_729 % 1013, reasoning: call % 4
  }
  const cost = BigInt(tokens.input - tokens.cached) * model.input + BigInt(tokens.cached) * model.cached +
    BigInt(tokens.output) * model.output
  // Two streams in five, and of these every other one asks for its usage itself.
  return { model: model.name, tokens, cost, stream: call % 5 > 2, asks: call % 2 === 0 }
}

export function requestBody (call: number): string {
  const { model, stream, asks } = plannedCall(call)
  return JSON.stringify({
    model,
    messages: [{ role: 'user', content: `call ${call}` }],
    ...(stream ? { stream } : {}),
    ...(stream && asks ? { stream_options: { include_usage: true } } : {})
  })
}

/** What upstream answers: a completion, or a stream, with usage if it is asked. */
export function answerBody (call: number, withUsage: boolean): string {
  const { model, tokens, stream } = plannedCall(call)
  const usage = {
    prompt_tokens: tokens.input,
    completion_tokens: tokens.output,
    total_tokens: tokens.input + tokens.output,
    prompt_tokens_details: { cached_tokens: tokens.cached },
    completion_tokens_details: { reasoning_tokens: tokens.reasoning }
  }
  const head = { id: `chatcmpl-${call}`, created: 1_790_000_000, model, service_tier: 'default' }
  if (!stream) {
    return JSON.stringify({
      ...head, choices: [{ index: 0, message: { role: 'assistant', content: 'Yes.' }, finish_reason: 'stop' }], usage
    })
  }
  const last = { index: 0, delta: {}, finish_reason: 'stop' }
  const deltas = ['Ye', 's', '.'].map(content => ({ index: 0, delta: { content }, finish_reason: null }))
  const chunks: object[] = [...deltas, last].map(choice => ({
    ...head, choices: [choice], ...(withUsage ? { usage: null } : {})
  }))
  if (withUsage) chunks.push({ ...head, choices: [], usage })
  return [...chunks.map(chunk => JSON.stringify(chunk)), '[DONE]'].map(data => `data: ${data}\n\n`).join('')
}

/**
 * An upstream that answers planned calls at once and keeps nothing of them, so that it costs the test little. Answers
 * with its URL.
 */
export async function startPlannedUpstream (t: Test): Promise<string> {
  const server = createServer((request, response) => {
    void text(request).then(body => {
      const asked = JSON.parse(body) as {
        messages: [{ content: string }], stream?: boolean, stream_options?: { include_usage: boolean }
      }
      const answer = answerBody(
        Number(asked.messages[0].content.slice('call '.length)), asked.stream_options?.include_usage === true
      )
      response.writeHead(200, {
        'content-type': asked.stream === true ? 'text/event-stream; charset=utf-8' : 'application/json'
      })
      if (asked.stream === true) for (const event of answer.match(/data: .+\n\n/g) ?? []) response.write(event)
      response.end(asked.stream === true ? '' : answer)
    }, () => response.destroy()) // Who was killed in the middle of asking wants no answer.
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
}
