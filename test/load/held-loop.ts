import { once } from 'node:events'
import { type OutgoingHttpHeaders, type IncomingMessage, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { type DatabaseKind, testDatabaseOptions } from '../helpers/database.js'
import { type GatewayProcess, startGatewayProcess } from '../helpers/gateway-process.js'
import { until } from '../helpers/until.js'

/** What the upstream answers from now on. */
export interface Answer {
  readonly contentType: string
  readonly contentEncoding?: string
  readonly body: Buffer
}

export interface HeldLoopScene {
  readonly gateway: GatewayProcess
  answer: Answer
}

/** The longest turn of the gateway's loop: all of it, and without garbage collections. */
export interface Turn { readonly heldMs: number, readonly workMs: number }

const turns = fileURLToPath(new URL('../helpers/loop-turns.mjs', import.meta.url))

/** A gateway whose turns are measured, and its upstream. */
export async function startHeldLoopScene (
  t: Test, kind: DatabaseKind, env: Readonly<Record<string, string>>
): Promise<HeldLoopScene> {
  const server = createServer((req, res) => {
    req.resume()
    req.on('error', () => undefined)
    req.on('end', () => {
      const { contentType, contentEncoding, body } = scene.answer
      const coding = contentEncoding === undefined ? {} : { 'content-encoding': contentEncoding }
      res.writeHead(200, { 'content-type': contentType, 'content-length': body.length, ...coding })
      res.end(body)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const upstreamUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
  const location = await testDatabaseOptions(t, kind)
  const gateway = await startGatewayProcess(t, { upstreamUrl, location, env, nodeArgs: ['--import', turns] })
  const scene: HeldLoopScene = { gateway, answer: { contentType: 'application/json', body: Buffer.from('{}') } }
  return scene
}

/** @returns the answer's status, once all of it came */
export async function call (
  { gateway }: HeldLoopScene, body: Buffer, headers: OutgoingHttpHeaders = {}
): Promise<number> {
  const outgoing = request(`${gateway.origin}/v1/chat/completions`, {
    method: 'POST',
    agent: false,
    headers: { 'content-type': 'application/json', 'content-length': body.length, 'x-prompt-type': 'big', ...headers }
  })
  outgoing.end(body)
  const [incoming] = await once(outgoing, 'response') as [IncomingMessage]
  incoming.resume()
  await once(incoming, 'end')
  return incoming.statusCode ?? 0
}

/** The longest turn since this was asked last. */
export async function longestTurn ({ gateway }: HeldLoopScene): Promise<Turn> {
  const before = gateway.log.length
  gateway.kill('SIGWINCH')
  const line = await until(() => gateway.log.slice(before).find(({ msg }) => msg === 'longest turn'))
  return { heldMs: Number(line['heldMs']), workMs: Number(line['workMs']) }
}
