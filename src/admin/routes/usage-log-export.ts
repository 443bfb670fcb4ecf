import { Type } from 'typebox'
import type { Drizzle } from '../../db/database.js'
import { shownObjectText } from '../../lib/stored-object.js'
import { CSV_START, csvLine } from '../csv.js'
import type { NewestFirstPlace } from '../queries/newest-first.js'
import {
  listUsageLogRows, readPayloads, toUsageLog, type UsageLogFilter, type UsageLogRow
} from '../queries/usage-logs.js'
import { errors } from '../schemas/common.js'
import { UsageLogSummarySchema } from '../schemas/usage-log.js'
import type { AdminApp, RouteDependencies } from './admin-app.js'
import { csvFormat, ndjsonFormat, sendExport } from './export-reply.js'
import { usageLogFilter } from './usage-logs.js'

const PAGE_ROWS = 1000
/** Stored prompts and responses that are held at a time; those of one row may be more. */
const PAYLOAD_BYTES = 4_000_000

const query = Type.Object({
  format: Type.Optional(Type.Unsafe<'csv' | 'ndjson'>({ type: 'string', enum: ['csv', 'ndjson'], default: 'csv' })),
  ...usageLogFilter
}, { additionalProperties: false })

const csvColumns = Object.keys(UsageLogSummarySchema.properties) as Array<keyof typeof UsageLogSummarySchema.properties>

export function usageLogExportRoutes (app: AdminApp, { database, now }: RouteDependencies): void {
  app.get('/usage-logs/export', {
    // Fastify's own answer to HEAD would read the whole file to throw it away.
    exposeHeadRoute: false,
    schema: {
      operationId: 'exportUsageLogs',
      tags: ['Usage logs'],
      summary: 'Export usage logs',
      description: 'Every call that the filters match, newest first, as a file. NDJSON has each call in full, with `prompt` and `response` where they were stored; CSV is ' +
        'without those two, UTF-8 with a byte-order mark, with exact decimals, and text that a spreadsheet would run as a formula has a \' before it. Calls that finish ' +
        'meanwhile are not in it. If the database fails in the middle, the connection is cut.',
      querystring: query,
      response: {
        200: {
          description: 'The file',
          content: {
            'text/csv': { schema: Type.String({ examples: [`${csvColumns.join(',')}\r\n`] }) },
            'application/x-ndjson': { schema: Type.String({ description: 'A UsageLog a line' }) }
          }
        },
        ...errors
      }
    }
  }, async (request, reply) => {
    const { format = 'csv', ...filter } = request.query
    const pages = pagesOf(database.operator, filter)
    return await (format === 'csv'
      ? sendExport(reply, 'usage-logs', now(), csvFormat, csvChunks(pages))
      : sendExport(reply, 'usage-logs', now(), ndjsonFormat, ndjsonChunks(database.operator, pages)))
  })
}

/** A query a page, so that on the embedded database commits get their turn in between. */
async function * pagesOf (database: Drizzle, filter: UsageLogFilter): AsyncGenerator<UsageLogRow[]> {
  let after: NewestFirstPlace | null = null
  do {
    const page: Awaited<ReturnType<typeof listUsageLogRows>> = await listUsageLogRows(
      database, filter, PAGE_ROWS, after
    )
    yield page.items
    after = page.next
  } while (after !== null)
}

async function * csvChunks (pages: AsyncGenerator<UsageLogRow[]>): AsyncGenerator<string> {
  let start = CSV_START + csvLine(csvColumns)
  for await (const page of pages) {
    const chunk = start + page.map(row => csvLine(csvCells(row))).join('')
    if (chunk !== '') yield chunk
    start = ''
  }
}

function csvCells (row: UsageLogRow) {
  const cells = { ...row, metadata: row.metadata === null ? null : shownObjectText(row.metadata) }
  return csvColumns.map(name => cells[name])
}

async function * ndjsonChunks (database: Drizzle, pages: AsyncGenerator<UsageLogRow[]>): AsyncGenerator<string> {
  for await (const page of pages) {
    for (const rows of boundedByPayload(page)) {
      const stored = rows.filter(row => row.payload_bytes > 0)
      const payloads = stored.length === 0 ? new Map<string, undefined>() : await readPayloads(database, stored)
      yield rows.map(row => `${JSON.stringify({ ...toUsageLog(row), ...payloads.get(row.id) ?? { prompt: null, response: null } })}\n`)
        .join('')
    }
  }
}

/** Cuts a page so that the payloads of each part fit into `PAYLOAD_BYTES`. */
function * boundedByPayload (page: readonly UsageLogRow[]): Generator<UsageLogRow[]> {
  let [part, bytes]: [UsageLogRow[], number] = [[], 0]
  for (const row of page) {
    if (part.length > 0 && bytes + row.payload_bytes > PAYLOAD_BYTES) {
      yield part
      ;[part, bytes] = [[], 0]
    }
    part.push(row)
    bytes += row.payload_bytes
  }
  if (part.length > 0) yield part
}
