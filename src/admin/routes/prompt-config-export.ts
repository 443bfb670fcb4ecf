import { Type } from 'typebox'
import { CSV_START, csvLine } from '../csv.js'
import { type ExportedConfig, pagesOfPromptConfigs } from '../queries/prompt-config-export.js'
import { errors, Shared } from '../schemas/common.js'
import { PromptConfigSummarySchema } from '../schemas/prompt-config.js'
import { promptConfigFilter } from '../schemas/prompt-config-filter.js'
import type { AdminApp, RouteDependencies } from './admin-app.js'
import { csvFormat, jsonFormat, sendExport } from './export-reply.js'

const query = Type.Object({
  format: Type.Optional(Type.Unsafe<'csv' | 'json'>({ type: 'string', enum: ['csv', 'json'], default: 'csv' })),
  ...promptConfigFilter
}, { additionalProperties: false })

const csvColumns = Object.keys(PromptConfigSummarySchema.properties).flatMap(name =>
  name === 'blocked' ? ['blocked_budget_id', 'blocked_since', 'blocked_until'] : [name])

export function promptConfigExportRoutes (app: AdminApp, { database, now }: RouteDependencies): void {
  app.get('/prompt-configs/export', {
    // Fastify's own answer to HEAD would read the whole file to throw it away.
    exposeHeadRoute: false,
    schema: {
      operationId: 'exportPromptConfigs',
      tags: ['Prompt configs'],
      summary: 'Export prompt configs',
      description: 'Every config that the filters match with its statistics, in order of prompt_type, as a file: what the list has, without `last_prompt` and ' +
        '`last_response`, which `GET /admin/api/prompt-configs/{prompt_type}` has. JSON is one array. CSV is UTF-8 with a byte-order mark, with exact decimals; ' +
        "text that a spreadsheet would run as a formula has a ' before it. If the database fails in the middle, the connection is cut.",
      querystring: query,
      response: {
        200: {
          description: 'The file',
          content: {
            'text/csv': { schema: Type.String({ examples: [`${csvColumns.join(',')}\r\n`] }) },
            'application/json': { schema: Type.Array(Shared('PromptConfigSummary', PromptConfigSummarySchema)) }
          }
        },
        ...errors
      }
    }
  }, async (request, reply) => {
    const { format = 'csv', ...filter } = request.query
    const nowMs = now()
    const pages = pagesOfPromptConfigs(database.operator, filter, nowMs)
    return await (format === 'csv'
      ? sendExport(reply, 'prompt-configs', nowMs, csvFormat, csvChunks(pages))
      : sendExport(reply, 'prompt-configs', nowMs, jsonFormat, jsonChunks(pages)))
  })
}

async function * csvChunks (pages: AsyncGenerator<ExportedConfig[]>): AsyncGenerator<string> {
  let start = CSV_START + csvLine(csvColumns)
  for await (const page of pages) {
    yield start + page.map(exported => csvLine(csvCells(exported))).join('')
    start = ''
  }
}

function csvCells ({ config, exact }: ExportedConfig) {
  const { last_metadata: metadata, blocked, ...fields } = config
  const cells = {
    ...fields,
    ...exact,
    total_cost: exact.total_cost ?? '0',
    last_metadata: metadata === null ? null : JSON.stringify(metadata),
    blocked_budget_id: blocked?.budget_id ?? null,
    blocked_since: blocked?.since ?? null,
    blocked_until: blocked?.until ?? null
  }
  return csvColumns.map(name => cells[name as keyof typeof cells])
}

async function * jsonChunks (pages: AsyncGenerator<ExportedConfig[]>): AsyncGenerator<string> {
  let before = '[\n'
  for await (const page of pages) {
    if (page.length === 0) continue
    yield before + page.map(({ config }) => JSON.stringify(config)).join(',\n')
    before = ',\n'
  }
  yield before === '[\n' ? '[]\n' : '\n]\n'
}
