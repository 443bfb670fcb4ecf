import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'

/** What an export is sent as. */
export interface ExportFormat {
  readonly contentType: string
  /** Of the file's name. */
  readonly extension: string
}

export const csvFormat: ExportFormat = { contentType: 'text/csv; charset=utf-8', extension: 'csv' }
export const jsonFormat: ExportFormat = { contentType: 'application/json; charset=utf-8', extension: 'json' }
export const ndjsonFormat: ExportFormat = { contentType: 'application/x-ndjson', extension: 'ndjson' }

/**
 * Sends the chunks as a file, each once the one before is on its way: who reads slowly is waited for, and when the
 * caller leaves, no further chunk is asked for. The first is made before the answer begins, so that what fails at once
 * is answered as an error; what fails later cuts the connection, for half a file must not look like a whole one.
 */
export async function sendExport (
  reply: FastifyReply,
  name: string,
  nowMs: number,
  { contentType, extension }: ExportFormat,
  chunks: AsyncGenerator<string>
): Promise<FastifyReply> {
  const first = await chunks.next()
  const time = new Date(nowMs).toISOString().slice(0, 19).replaceAll(':', '')
  return await reply
    .type(contentType)
    .header('content-disposition', `attachment; filename="${name}-${time}Z.${extension}"`)
    .send(Readable.from(withFirst(first, chunks)))
}

/** Sends the chunks as one body, as fast as it is read. */
export const sendChunks = async (
  reply: FastifyReply, contentType: string, chunks: AsyncGenerator<Uint8Array>
): Promise<FastifyReply> =>
  await reply.type(contentType).send(Readable.from(chunks))

async function * withFirst (
  first: IteratorResult<string, unknown>, rest: AsyncGenerator<string>
): AsyncGenerator<string> {
  try {
    if (first.done === true) return
    yield first.value
    yield * rest
  } finally {
    await rest.return(undefined)
  }
}
