import { once, setMaxListeners } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { asc, eq } from 'drizzle-orm'
import { SMTPServer } from 'smtp-server'
import type { Test } from 'tap'
import type { Database } from '../../src/db/database.js'
import { alertDeliveries, budgetAlerts } from '../../src/db/schema/index.js'
import type { AlertDeps } from '../../src/alerts/alerts.js'
import { webhookDelivery } from '../../src/alerts/alert-webhook.js'
import type { Log } from '../../src/log.js'

export const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`

const uuid = (
  kind: number, number: number
): string => `0000000${kind}-0000-4000-8000-${String(number).padStart(12, '0')}`
export const deliveryId = (number: number): string => uuid(2, number)

/**
 * The alert of 80 % of a month's budget for images, with one delivery that waits; both have the number in their ids.
 */
export async function addDelivery (
  database: Database, number: number, delivery: {
    channel: 'webhook' | 'email', target: string
  }, alert: Partial<typeof budgetAlerts.$inferInsert> = {}
): Promise<string> {
  await database.operator.insert(budgetAlerts).values({
    id: uuid(1, number),
    budget_id: uuid(3, number),
    budget_name: 'Images <monthly> & more',
    prompt_type: 'generate_image_metadata',
    period: 'month',
    period_start: '2026-11-01T00:00:00Z',
    threshold: 80,
    action: 'block',
    limit_usd: '250',
    spent_usd: '200.000000000001',
    created_at: '2026-11-22T12:00:00Z',
    ...alert
  })
  await database.operator.insert(alertDeliveries).values({
    id: deliveryId(number),
    alert_id: uuid(1, number),
    ...delivery,
    next_attempt_at: alert.created_at ??
      '2026-11-22T12:00:00Z'
  })
  return deliveryId(number)
}

export type DeliveryRow = typeof alertDeliveries.$inferSelect

export async function deliveryRow (database: Database, id: string): Promise<DeliveryRow> {
  const [row] = await database.operator.select().from(alertDeliveries).where(eq(alertDeliveries.id, id))
  if (row === undefined) throw new Error(`no delivery ${id}`)
  return row
}

export const deliveryRows = async (database: Database): Promise<DeliveryRow[]> =>
  await database.operator.select().from(alertDeliveries).orderBy(asc(alertDeliveries.id))

export interface Received {
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A real webhook receiver on loopback: keeps what it was sent, and answers as it is told. */
export interface Receiver {
  readonly url: string
  readonly port: number
  readonly received: Received[]
  answer: (response: ServerResponse, request: Received) => void
}

export async function startReceiver (t: Test): Promise<Receiver> {
  const receiver: { -readonly [K in keyof Receiver]: Receiver[K] } = {
    url: '', port: 0, received: [], answer: response => { response.end('ok') }
  }
  const server = createServer((request: IncomingMessage, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => { body += text }).on('end', () => {
      const received = { url: request.url ?? '', headers: request.headers, body }
      receiver.received.push(received)
      receiver.answer(response, received)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  receiver.port = (server.address() as AddressInfo).port
  receiver.url = `http://127.0.0.1:${receiver.port}/hook/s3cret`
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return receiver
}

export interface Mail {
  readonly from: string
  readonly to: string[]
  /** The message as it came, headers and body. */
  readonly data: string
}

export interface MailServer {
  readonly port: number
  readonly mails: Mail[]
}

/**
 * A real SMTP server on loopback, for `me` with the password `hunter2 p@ss`; recipients at `gone.example.com` are
 * refused for good.
 */
export async function startMailServer (t: Test): Promise<MailServer> {
  const mails: Mail[] = []
  const server = new SMTPServer({
    authOptional: true,
    allowInsecureAuth: true,
    disabledCommands: ['STARTTLS'],
    logger: false,
    onAuth: (auth, _session, callback) => {
      if (auth.username === 'me' && auth.password === 'hunter2 p@ss') callback(null, { user: 'me' })
      else callback(new Error(`wrong password ${auth.password ?? ''}`))
    },
    onRcptTo: ({ address }, _session, callback) => {
      if (!address.endsWith('@gone.example.com')) callback()
      else callback(Object.assign(new Error('no such user here'), { responseCode: 550 }))
    },
    onData: (stream, session, callback) => {
      let data = ''
      stream.setEncoding('utf8').on('data', (text: string) => { data += text }).on('end', () => {
        const { mailFrom, rcptTo } = session.envelope
        mails.push({ from: mailFrom === false ? '' : mailFrom.address, to: rcptTo.map(({ address }) => address), data })
        callback()
      })
    }
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(async () => await new Promise<void>(resolve => { server.close(resolve) }))
  return { port: (server.server.address() as AddressInfo).port, mails }
}

/** What was logged, a line each as JSON. */
export function logLines (): Log & { lines: string[] } {
  const lines: string[] = []
  const write = (fields: object, message: string): void => { lines.push(JSON.stringify({ ...fields, message })) }
  return { debug: write, info: write, warn: write, error: write, lines }
}

/** Delivers to webhooks on loopback too; no jitter, no e-mail. */
export function alertDeps (database: Database, now: () => number, others: Partial<AlertDeps> = {}): AlertDeps {
  return {
    database,
    webhook: webhookDelivery({ secret, allowPrivate: true, now }),
    email: null,
    observe: () => {},
    log: logLines(),
    now,
    random: () => 0.5,
    ...others
  }
}

export const never = new AbortController().signal
// Several instances of a test share it, each with ten attempts under way.
setMaxListeners(0, never)
