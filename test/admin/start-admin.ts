import Fastify, { type FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { type AdminOptions, adminPlugin } from '../../src/admin/plugin.js'
import type { Database } from '../../src/db/database.js'

export const username = 'operator'
export const password = 'correct: hörse'
export const login = basic(username, password)

export function basic (username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

export interface Answer {
  status: number
  headers: Headers
  /** The JSON body; null where there is none. */
  body: unknown
}

export interface Admin {
  app: FastifyInstance
  url: string
  /** Sends a request with the operator's login, and reads the answer. */
  call: (method: string, path: string, body?: unknown) => Promise<Answer>
  /** How often the policy was said to have changed. */
  policyChanges: () => number
}

/** An app with nothing but the control plane, listening on a port of its own until the test ends. */
export async function startAdmin (
  t: Test, database: Database, now: () => number = Date.now, alertChannels: AdminOptions['alertChannels'] = {
    email: false, privateWebhooks: false
  }
): Promise<Admin> {
  let policyChanges = 0
  const app = Fastify({ routerOptions: { maxParamLength: 384 } })
  await app.register(adminPlugin, {
    database,
    username,
    password,
    version: '1.2.3',
    now,
    provider: 'openai',
    alertChannels,
    onPolicyChange: async () => {
      policyChanges++
      await Promise.resolve()
    }
  })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(async () => await app.close())

  async function call (method: string, path: string, body?: unknown): Promise<Answer> {
    const response = await fetch(url + path, {
      method,
      headers: { authorization: login, ...body === undefined ? {} : { 'content-type': 'application/json' } },
      ...body === undefined ? {} : { body: JSON.stringify(body) },
      redirect: 'manual'
    })
    const text = await response.text()
    return {
      status: response.status, headers: response.headers, body: text === '' ? null : JSON.parse(text) as unknown
    }
  }
  return { app, url, call, policyChanges: () => policyChanges }
}

export interface Page {
  items: Record<string, unknown>[]
  total: number
  next_cursor: string | null
}

/** Follows a list's cursors to its end. */
export async function allPages (admin: Admin, path: string): Promise<Page[]> {
  const pages: Page[] = []
  let cursor: string | null = null
  do {
    const more: string = cursor === null ? '' : `${path.includes('?') ? '&' : '?'}cursor=${cursor}`
    const page = (await admin.call('GET', path + more)).body as Page
    pages.push(page)
    cursor = page.next_cursor
  } while (cursor !== null)
  return pages
}

/** The error of an answer in few words: `400 unknown_field colour`. */
export function errorOf ({ status, body }: Answer): string {
  const { error } = body as { error: { code: string, param: string | null } }
  return [status, error.code, ...error.param === null ? [] : [error.param]].join(' ')
}

export const messageOf = ({ body }: Answer): string => (body as { error: { message: string } }).error.message
