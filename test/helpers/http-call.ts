import { once } from 'node:events'
import { type Agent, type IncomingMessage, request } from 'node:http'
import { buffer } from 'node:stream/consumers'

export interface Answer {
  readonly status: number
  /** Names and values in turn, as they stood on the wire. */
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
}

/**
 * One HTTP call whose answer is handed over untouched: nothing decoded, merged or lower-cased. Rejects if it is cut
 * short.
 */
export async function call (url: string, { method = 'POST', headers = {}, body = '', agent }: {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly agent?: Agent
} = {}): Promise<Answer> {
  const length = body === '' ? {} : { 'content-length': Buffer.byteLength(body) }
  const outgoing = request(url, {
    method, headers: { ...headers, ...length }, ...(agent === undefined ? {} : { agent })
  })
  outgoing.end(body)
  const [incoming] = await once(outgoing, 'response') as [IncomingMessage]
  return { status: incoming.statusCode ?? 0, rawHeaders: incoming.rawHeaders, body: await buffer(incoming) }
}

/** Works through the items with so many at a time. */
export async function inParallel<Item> (
  workers: number, items: readonly Item[], work: (item: Item, index: number) => Promise<void>
): Promise<void> {
  const queue = items.entries()
  await Promise.all(Array.from({ length: workers }, async () => {
    for (const [index, item] of queue) await work(item, index)
  }))
}
