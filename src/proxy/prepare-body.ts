import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Endpoint } from './endpoints.js'
import { REQUEST_MEMBERS, type RequestFacts } from './finished-call.js'
import { JsonMembers } from './json-members.js'
import { MultipartModel } from './multipart-model.js'
import { PassingBody, checkContentLength, expectsContinue, hasBody, readBody } from './request-body.js'
import { askForUsage } from './stream-options.js'

/** A request's body, ready to go upstream. */
export interface PreparedBody {
  readonly content: Buffer | PassingBody | null
  /** The same body, asking for usage; null where the gateway does not ask. */
  readonly asking: Buffer | null
  readonly facts: RequestFacts
}

/** A request of which nothing but its headers was looked at. */
export const UNREAD: RequestFacts = { body: null, members: null, contentType: '', sizeBytes: 0 }

export interface PrepareOptions {
  readonly maxBodyBytes: number
  /** The gateway may add `stream_options` to this call. */
  readonly mayAsk: boolean
}

interface IncomingCall {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly endpoint: Endpoint
}

/** JSON is read whole, for its model and to ask for usage; everything else streams through. */
export async function prepareBody ({ req, res, endpoint }: IncomingCall, { maxBodyBytes, mayAsk }: PrepareOptions): Promise<PreparedBody> {
  const contentType = req.headers['content-type']?.toLowerCase() ?? ''
  if (!hasBody(req)) return { content: null, asking: null, facts: { body: null, members: null, contentType, sizeBytes: 0 } }
  checkContentLength(req, maxBodyBytes)
  if (expectsContinue(req)) res.writeContinue()

  const isReadable = (endpoint.metering === 'tokens' || contentType.includes('json')) && req.headers['content-encoding'] === undefined
  if (!isReadable) {
    const passing = new PassingBody(req, maxBodyBytes)
    const form = endpoint.metering === 'usage' ? MultipartModel.of(req.headers['content-type'] ?? '') : null
    if (form !== null) req.on('data', (chunk: Buffer) => form.feed(chunk))
    const facts = { body: null, members: null, contentType, get formModel () { return form?.model ?? null }, get sizeBytes () { return passing.sizeBytes } }
    return { content: passing, asking: null, facts }
  }
  const members = new JsonMembers(REQUEST_MEMBERS)
  const body = await readBody(req, maxBodyBytes, members)
  return {
    content: body,
    asking: mayAsk && endpoint.takesStreamOptions ? askForUsage(body, members) : null,
    facts: { body, members, contentType, sizeBytes: body.length }
  }
}
