import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'

/** A line of exchanges.jsonl: an answer in OpenAI's shape, and the requests that get it. */
interface Exchange {
  readonly path: string
  /** Text that stands in the request's body. */
  readonly match: string
  /** Only for streams: whether the request asks for usage. */
  readonly stream_usage?: boolean
  readonly response: { readonly status: number, readonly headers: Record<string, string>, readonly body: string }
}

/**
 * Stands in for OpenAI: answers the importer's prompts from a file of exchanges, those that fit a request in turn, so
 * that a failure in the file comes now and then. Streams come event by event.
 *
 * @param paceMs the pause before an answer and, a tenth of it, between two events of a stream
 */
export async function startScriptedOpenAI (exchangesFile: string | URL, paceMs = 0): Promise<{
  baseUrl: string, close: () => Promise<void>
}> {
  const exchanges = readFileSync(exchangesFile, 'utf8').split('\n').filter(line => line !== '')
    .map(line => JSON.parse(line) as Exchange)
  const turns = new Map<string, number>()
  const server = createServer((request, response) => {
    void text(request).then(async body => {
      const fitting = exchanges.filter(exchange => exchange.path === request.url && body.includes(exchange.match) &&
        (exchange.stream_usage ?? false) === asksForUsage(body))
      const key = `${fitting[0]?.path ?? ''} ${fitting[0]?.match ?? ''}`
      const turn = turns.get(key) ?? 0
      turns.set(key, turn + 1)
      await answer(response, fitting[turn % fitting.length], paceMs)
    }, () => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    close: async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    }
  }
}

function asksForUsage (body: string): boolean {
  const request = JSON.parse(body === '' ? '{}' : body) as { stream_options?: { include_usage?: boolean } }
  return request.stream_options?.include_usage === true
}

async function answer (response: ServerResponse, exchange: Exchange | undefined, paceMs: number): Promise<void> {
  await delay(paceMs)
  if (exchange === undefined) {
    response.writeHead(404, { 'content-type': 'application/json' })
    response.end(
      JSON.stringify({
        error: {
          message: 'The script has no answer for this request.', type: 'invalid_request_error', param: null, code: null
        }
      })
    )
    return
  }
  const { status, headers, body } = exchange.response
  response.writeHead(status, { ...headers, 'x-request-id': `req_${randomBytes(16).toString('hex')}` })
  for (const event of headers['content-type']?.startsWith('text/event-stream') ? body.split(/(?<=\n\n)/) : [body]) {
    response.write(event)
    await delay(paceMs / 10)
  }
  response.end()
}
