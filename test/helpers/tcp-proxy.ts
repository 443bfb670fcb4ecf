import { once } from 'node:events'
import { type AddressInfo, type Socket, connect, createServer } from 'node:net'
import type { Test } from 'tap'
import { followStatements } from './postgres-wire.js'

/** A TCP proxy on 127.0.0.1 that does to connections what networks and failing servers do. */
export interface TcpProxy {
  readonly port: number
  /** The database's URL by way of the proxy. */
  readonly withPort: (databaseUrl: string) => string
  /** Connections that are open through it now. */
  readonly connections: () => number
  /** Resets the oldest connection, or all. Answers with how many that were. */
  readonly cut: (which: 'one' | 'all') => number
  /** Resets every new connection as soon as it is made. */
  readonly refuse: () => void
  /** Passes nothing on any more, in neither direction, and accepts new connections to nowhere. */
  readonly freeze: () => void
  /**
   * From now on every `nth` run of a matching statement loses its answer: it reaches PostgreSQL, which executes and
   * commits it, and when the answer is there the connection is reset instead.
   */
  readonly loseAnswers: (statement: RegExp, nth?: number) => void
  /** How many answers were lost. */
  readonly lostAnswers: () => number
  /** How often a matching statement was run. */
  readonly runs: (statement: RegExp) => number
  /** Passes on everything again: what was frozen goes on. */
  readonly restore: () => void
}

interface Link {
  readonly client: Socket
  readonly server: Socket
}

type Mode = 'pass' | 'refuse' | 'freeze'

/** Starts the proxy before the target: a port, or a URL that has one. It goes with the test. */
export async function startTcpProxy (t: Test, target: number | string): Promise<TcpProxy> {
  const targetPort = typeof target === 'number' ? target : Number(new URL(target).port)
  const links = new Set<Link>()
  let mode: Mode = 'pass'
  let losing: { statement: RegExp, nth: number } | null = null
  let matched = 0
  let lost = 0

  const runs = new Map<string, number>()
  const isToLose = (statement: string): boolean => {
    runs.set(statement, (runs.get(statement) ?? 0) + 1)
    return losing !== null && losing.statement.test(statement) && ++matched % losing.nth === 0
  }

  const link = (client: Socket): void => {
    const server = connect({ host: '127.0.0.1', port: targetPort })
    const pair = { client, server }
    links.add(pair)
    const statements = followStatements()
    const end = (): void => {
      links.delete(pair)
      client.resetAndDestroy()
      server.resetAndDestroy()
    }
    client.on('data', chunk => {
      statements.asked(chunk)
      if (!server.write(chunk)) client.pause()
    })
    server.on('data', chunk => {
      if (statements.answered(chunk).some(isToLose)) {
        lost++
        end()
      } else if (!client.write(chunk)) server.pause()
    })
    for (const [socket, other] of [[client, server], [server, client]] as const) {
      socket.on('drain', () => { if (mode !== 'freeze') other.resume() })
      socket.on('end', () => other.end())
      // A reset on one side is one on the other.
      socket.on('error', end)
      socket.on('close', () => links.delete(pair))
    }
    if (mode === 'freeze') pause(pair)
  }

  const listener = createServer({ allowHalfOpen: true }, client => {
    client.on('error', () => client.destroy())
    if (mode === 'refuse') client.resetAndDestroy()
    else link(client)
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const cut = (which: 'one' | 'all'): number => {
    const some = [...links].slice(0, which === 'one' ? 1 : undefined)
    for (const pair of some) {
      links.delete(pair)
      pair.client.resetAndDestroy()
      pair.server.resetAndDestroy()
    }
    return some.length
  }
  t.teardown(async () => {
    listener.close()
    mode = 'refuse'
    cut('all')
    await once(listener, 'close')
  })
  const { port } = listener.address() as AddressInfo
  return {
    port,
    withPort: databaseUrl => Object.assign(new URL(databaseUrl), { hostname: '127.0.0.1', port: String(port) }).href,
    connections: () => links.size,
    cut,
    refuse: () => { mode = 'refuse' },
    freeze: () => {
      mode = 'freeze'
      for (const pair of links) pause(pair)
    },
    loseAnswers: (statement, nth = 1) => { losing = { statement, nth } },
    lostAnswers: () => lost,
    runs: statement => [...runs].reduce((sum, [text, count]) => statement.test(text) ? sum + count : sum, 0),
    restore: () => {
      mode = 'pass'
      losing = null
      for (const { client, server } of links) {
        client.resume()
        server.resume()
      }
    }
  }
}

function pause ({ client, server }: Link): void {
  client.pause()
  server.pause()
}
