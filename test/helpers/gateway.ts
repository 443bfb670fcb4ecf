import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { type AppDeps, buildApp } from '../../src/app.js'
import type { Database } from '../../src/db/database.js'
import { openDatabase } from '../../src/db/open-database.js'
import { type Config, parseConfig } from '../../src/env.js'
import { createLogger } from '../../src/logger.js'
import { type DatabaseKind, silentLog, testDatabaseOptions } from './database.js'

export const ADMIN = { username: 'admin', password: 'correct horse' }

export interface TestGateway {
  /** `http://127.0.0.1:<port>` */
  readonly origin: string
  readonly server: Server
  readonly database: Database
  readonly config: Config
  /** What was logged, a parsed line each. */
  readonly logged: ReadonlyArray<Record<string, unknown>>
  /** A request to the operator's API, logged in. */
  readonly admin: (method: string, path: string, body?: unknown) => Promise<{ status: number, body: unknown }>
  readonly close: () => Promise<void>
}

export interface TestGatewayOptions extends Pick<AppDeps, 'connectionLimits' | 'bodyRoom'> {
  readonly upstreamUrl: string
  readonly kind?: DatabaseKind
  /** Environment variables over the defaults. */
  readonly env?: Readonly<Record<string, string>>
  /** Where the database lies; a new empty one without it. */
  readonly location?: { readonly databaseUrl: string | null, readonly dataDir: string }
  readonly now?: () => number
}

/** A whole gateway on a port of its own, closed with its database at the end of the test. */
export async function startGateway (t: Test, options: TestGatewayOptions): Promise<TestGateway> {
  const location = options.location ?? await testDatabaseOptions(t, options.kind ?? 'postgres')
  const config: Config = {
    ...parseConfig({
      UPSTREAM_BASE_URL: options.upstreamUrl, ADMIN_PASSWORD: ADMIN.password, PORT: '0', ...options.env
    }),
    ...location
  }
  const logged: Array<Record<string, unknown>> = []
  const log = createLogger('debug', { write: line => { logged.push(JSON.parse(line) as Record<string, unknown>) } })
  const database = await openDatabase({ ...location, log: silentLog })
  const { connectionLimits = {}, bodyRoom } = options
  const app = await buildApp({
    config,
    database,
    adminPassword: ADMIN.password,
    log,
    now: options.now ?? Date.now,
    connectionLimits,
    ...bodyRoom &&
      { bodyRoom }
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const origin = `http://127.0.0.1:${port}`

  let closed: Promise<void> | null = null
  const close = (): Promise<void> => (closed ??= app.close().then(() => database.close()))
  t.teardown(close)
  return { origin, server: app.server, database, config, logged, admin: adminOf(origin), close }
}

function adminOf (origin: string): TestGateway['admin'] {
  const authorization = `Basic ${Buffer.from(`${ADMIN.username}:${ADMIN.password}`).toString('base64')}`
  return async (method, path, body) => {
    const response = await fetch(`${origin}/admin/api${path}`, {
      method,
      headers: { authorization, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    const text = await response.text()
    return { status: response.status, body: text === '' ? null : JSON.parse(text) as unknown }
  }
}
