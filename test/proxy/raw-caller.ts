import { once } from 'node:events'
import { type Socket, connect } from 'node:net'
import type { Test } from 'tap'
import type { TestGateway } from '../helpers/gateway.js'
import { until } from '../helpers/until.js'

/** What came back on a connection, taken apart but not decoded. */
export interface RawAnswer {
  /** `HTTP/1.1 200 OK` */
  readonly statusLine: string
  readonly status: number
  /** `Name: value` lines as they stood on the wire. */
  readonly headers: string[]
  /** The body's bytes as Latin-1, out of their chunks if it was chunked. */
  readonly body: string
  /** The body has the end that its framing promises. */
  readonly complete: boolean
}

/** A caller on a socket of its own, who sends and sees bytes. */
export class RawCaller {
  readonly socket: Socket
  /** How the connection ended for this side. */
  readonly ended: Promise<'end' | 'reset'>
  #text = ''

  constructor (t: Test, origin: string) {
    this.socket = connect({ port: Number(new URL(origin).port), host: '127.0.0.1', allowHalfOpen: true })
    this.socket.setEncoding('latin1')
    this.socket.on('data', (text: string) => { this.#text += text })
    this.ended = new Promise(resolve => {
      this.socket.on('end', () => resolve('end'))
      this.socket.on('error', () => resolve('reset'))
      this.socket.on('close', () => resolve('end'))
    })
    t.teardown(() => this.socket.destroy())
  }

  /** All that has come so far, as Latin-1. */
  get text (): string { return this.#text }

  send (bytes: string | Uint8Array): this {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
    return this
  }

  /** Resolves once the text has come. */
  async until (text: string): Promise<this> {
    while (!this.#text.includes(text)) {
      const how = await Promise.race([once(this.socket, 'data'), this.ended])
      if (typeof how === 'string' &&
        !this.#text.includes(text)) throw new Error(`the connection ended (${how}) before '${text}': ${this.#text}`)
    }
    return this
  }

  /** Resolves with the first answer on this connection, once it is whole or cut short. */
  async answer (): Promise<RawAnswer> {
    for (;;) {
      const answer = parseAnswer(this.#text)
      if (answer?.complete === true) return answer
      const how = await Promise.race([once(this.socket, 'data'), this.ended])
      if (typeof how === 'string') {
        return parseAnswer(this.#text, true) ??
        { statusLine: '', status: 0, headers: [], body: '', complete: false }
      }
    }
  }
}

/** A request as bytes, its `content-length` added where it has a body. */
export function requestText (requestLine: string, headers: readonly string[] = [], body = ''): string {
  const length = body === '' ? [] : [`content-length: ${Buffer.byteLength(body, 'latin1')}`]
  return [`${requestLine} HTTP/1.1`, 'host: gateway', ...headers, ...length, '', body].join('\r\n')
}

/** Sends one request and takes its answer. */
export async function ask (
  t: Test, gateway: TestGateway, requestLine: string, headers: readonly string[] = [], body = ''
): Promise<RawAnswer> {
  return await new RawCaller(t, gateway.origin).send(requestText(requestLine, headers, body)).answer()
}

/** Names and values in turn, from lines. */
export function flat (lines: readonly string[]): string[] {
  return lines.flatMap(line => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()])
}

/** The value of the first header of that name. */
export function header (lines: readonly string[], name: string): string | undefined {
  return lines.find(line => line.toLowerCase().startsWith(`${name}:`))?.slice(name.length + 1).trim()
}

/** Less the headers that belong to the connection: RFC 9110 §7.6.1. */
export function endToEnd (lines: readonly string[]): string[] {
  return lines.filter(line => !/^(connection|keep-alive|transfer-encoding):/i.test(line))
}

export interface LogRow {
  readonly [column: string]: unknown
}

/** The usage log as it is now, oldest first. */
export async function logRows (gateway: TestGateway): Promise<LogRow[]> {
  return Array.from(await gateway.database.operator.$client.unsafe<LogRow[]>('select * from usage_logs order by id'))
}

/** The usage log as soon as it has so many rows: for calls whose caller did not wait for their record. */
export async function logRowsOnce (gateway: TestGateway, count: number): Promise<LogRow[]> {
  return await until(async () => {
    const rows = await logRows(gateway)
    return rows.length >= count && rows
  })
}

/** A prompt type's statistics. */
export async function statsOf (gateway: TestGateway, promptType: string): Promise<LogRow | undefined> {
  const rows = await gateway.database.operator.$client.unsafe<LogRow[]>('select * from prompt_stats where prompt_type = $1', [
    promptType
  ])
  return rows[0]
}

function parseAnswer (text: string, ended = false): RawAnswer | null {
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd === -1) return null
  const [statusLine = '', ...headers] = text.slice(0, headEnd).split('\r\n')
  const rest = text.slice(headEnd + 4)
  const status = Number(statusLine.split(' ')[1])
  if (status < 200) return parseAnswer(rest, ended)
  if (status === 204 || status === 304) return { statusLine, status, headers, body: rest, complete: true }
  const length = header(headers, 'content-length')
  if (header(headers, 'transfer-encoding') === 'chunked') return { statusLine, status, headers, ...dechunk(rest) }
  if (length === undefined) return { statusLine, status, headers, body: rest, complete: ended }
  return { statusLine, status, headers, body: rest, complete: rest.length >= Number(length) }
}

/** RFC 9112 §7.1. */
export function dechunk (text: string): { body: string, complete: boolean, chunks: string[] } {
  const chunks: string[] = []
  let at = 0
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at)
    if (lineEnd === -1) return { body: chunks.join(''), complete: false, chunks }
    const size = parseInt(text.slice(at, lineEnd), 16)
    if (size === 0) return { body: chunks.join(''), complete: text.includes('\r\n\r\n', lineEnd), chunks }
    chunks.push(text.slice(lineEnd + 2, lineEnd + 2 + size))
    at = lineEnd + 2 + size + 2
  }
}
