import type { IncomingMessage, ServerResponse } from 'node:http'
import { redactKeys } from '../redaction/redact.js'
import { inSlices } from '../lib/slices.js'
import { redoableCodings } from './accept-encoding.js'
import type { BodyShare } from './body-room.js'
import { type Coding, codingOf } from '../decoders/content-coding.js'
import { decodeBody } from './decode-body.js'
import { type Endpoint, mayCost } from '../metering/endpoints.js'
import { REQUEST_MEMBERS, type RequestFacts } from './build-call-record.js'
import { listValue } from './hop-by-hop.js'
import { JsonMembers } from '../decoders/json-members.js'
import { MultipartModel } from '../decoders/multipart-model.js'
import { PassingBody, checkContentLength, expectsContinue, hasBody, readBody } from './request-body.js'
import { askForUsage } from '../metering/stream-options.js'

/** A request's body, ready to go upstream. */
export interface PreparedBody {
  /** As it came, compressed or not. */
  readonly content: Buffer | PassingBody | null
  /** The same body, decoded and asking for usage; null where the gateway does not ask. */
  readonly asking: Buffer | null
  /** `asking` goes without the `Content-Encoding` that the body came with. */
  readonly isCoded: boolean
  readonly facts: RequestFacts
}

/** What clients send JSON under that do not say so. */
const UNTOLD_TYPE = /^(?:$|text\/|application\/x-www-form-urlencoded)/

/** A request of which only the headers were read. */
export const UNREAD: RequestFacts = { body: null, members: null, unread: null, contentType: '', sizeBytes: 0 }

/** Of a request that has none. */
export const NO_BODY: PreparedBody = { content: null, asking: null, isCoded: false, facts: UNREAD }

export interface PrepareOptions {
  readonly maxBodyBytes: number
  /** The gateway may add `stream_options` to this call. */
  readonly mayAsk: boolean
  /** What the call may cost has to be known, whatever its body calls itself. */
  readonly isStrict: boolean
}

interface IncomingCall {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly endpoint: Endpoint
  readonly bodyShare: BodyShare
}

/**
 * Reads bodies that may be JSON whole, compressed ones too, for their model and to inject `stream_options`. Everything
 * else streams through. A body that cannot be read goes on as it came: the upstream decides whether it is valid.
 */
export async function prepareBody (
  { req, res, endpoint, bodyShare }: IncomingCall, { maxBodyBytes, mayAsk, isStrict }: PrepareOptions
): Promise<PreparedBody> {
  const contentType = listValue(req.rawHeaders, 'content-type')?.toLowerCase() ?? ''
  if (!hasBody(req)) return { content: null, asking: null, isCoded: false, facts: { ...UNREAD, contentType } }
  checkContentLength(req, maxBodyBytes)
  if (expectsContinue(req)) res.writeContinue()

  const contentEncoding = req.headers['content-encoding']
  const coding = contentEncoding === undefined ? null : codingOf(contentEncoding)
  const mayBeJson = contentType.includes('json') || (endpoint.metering === 'usage' && UNTOLD_TYPE.test(contentType))
  const isRead = endpoint.metering === 'tokens' || mayBeJson || (isStrict && mayCost(endpoint))
  if (!isRead || coding === undefined) {
    const passing = new PassingBody(req, maxBodyBytes)
    const mayBeForm = endpoint.metering === 'usage' && coding === null
    const form = mayBeForm ? MultipartModel.of(req.headers['content-type'] ?? '') : null
    if (form !== null) req.on('data', (chunk: Buffer) => form.feed(chunk))
    const unknownCoding = `the gateway cannot decode the coding '${redactKeys(contentEncoding ?? '').slice(0, 64)}'`
    const unread = coding === undefined ? unknownCoding : 'it was not read'
    const facts = {
      body: null,
      members: null,
      unread,
      contentType,
      get formModel () { return form?.model ?? null },
      get sizeBytes () { return passing.sizeBytes }
    }
    return { content: passing, asking: null, isCoded: coding !== null, facts }
  }
  const members = new JsonMembers(REQUEST_MEMBERS)
  const asks = mayAsk && endpoint.takesStreamOptions
  if (coding !== null) {
    return await prepareCoded({ req, bodyShare }, coding, members, { contentType, maxBodyBytes, mayAsk: asks })
  }
  const body = await readBody(req, maxBodyBytes, members, bodyShare)
  return {
    content: body,
    asking: asks ? await asking(req, body, members) : null,
    isCoded: false,
    facts: { body, members, unread: null, contentType, sizeBytes: body.length }
  }
}

type CodedOptions = Omit<PrepareOptions, 'isStrict'> & { readonly contentType: string }

async function prepareCoded (
  { req, bodyShare }: Pick<IncomingCall, 'req' | 'bodyShare'>, coding: Coding, members: JsonMembers,
  { contentType, maxBodyBytes, mayAsk }: CodedOptions
): Promise<PreparedBody> {
  const content = await readBody(req, maxBodyBytes, null, bodyShare)
  const body = await decodeBody(coding, content, { maxBytes: maxBodyBytes, members, share: bodyShare })
  if (body === null) {
    const unread = 'it does not match its Content-Encoding'
    const facts = { body: null, members: null, unread, contentType, sizeBytes: content.length }
    return { content, asking: null, isCoded: true, facts }
  }
  return {
    content,
    asking: mayAsk ? await asking(req, body, members) : null,
    isCoded: true,
    facts: { body, members, unread: null, contentType, sizeBytes: content.length }
  }
}

/** Null also where the caller takes the answer in no coding in which it could be changed. */
async function asking (req: IncomingMessage, body: Buffer, members: JsonMembers): Promise<Buffer | null> {
  const asked = await inSlices(askForUsage(body, members))
  const acceptEncoding = req.headers['accept-encoding']
  return asked !== null && typeof acceptEncoding === 'string' && redoableCodings(acceptEncoding) === null ? null : asked
}
