import type { Steps } from '../lib/slices.js'
import { concatenating } from '../decoders/byte-buffer.js'
import { JsonMembers } from '../decoders/json-members.js'

/**
 * Asks for token usage on a stream whose caller did not: `stream_options.include_usage`
 * (https://platform.openai.com/docs/api-reference/chat/create#chat-create-stream_options).
 * Bytes are spliced into the request; nothing of it is serialised again.
 *
 * @param body the whole request body
 * @param members its top-level members, `stream_options` among them
 * @returns the body to send, or null if there is nothing to ask: the caller asked already, or the body is none that
 *   a member can be added to
 */
export function * askForUsage (body: Buffer, members: JsonMembers): Steps<Buffer | null> {
  if (!members.complete || members.value('stream') !== true) return null
  const member = members.get('stream_options')
  if (member === undefined) {
    const opened = members.openedAt + 1
    return yield * splice(body, opened, opened, '"stream_options":{"include_usage":true},')
  }
  const options = members.value('stream_options')
  if (options === null) return yield * splice(body, member.valueStart, member.valueEnd, '{"include_usage":true}')
  if (typeof options !== 'object' || Array.isArray(options)) return null

  const inner = new JsonMembers(new Set(['include_usage']))
  inner.feed(body.subarray(member.valueStart, member.valueEnd))
  const included = inner.get('include_usage')
  if (included === undefined) {
    const comma = Object.keys(options).length === 0 ? '' : ','
    return yield * splice(body, member.valueStart + 1, member.valueStart + 1, `"include_usage":true${comma}`)
  }
  // True needs no asking; what is no boolean is the caller's mistake, which the upstream rejects.
  if (included.text !== 'false' && included.text !== 'null') return null
  return yield * splice(body, member.valueStart + included.valueStart, member.valueStart + included.valueEnd, 'true')
}

function splice (body: Buffer, from: number, to: number, text: string): Steps<Buffer> {
  return concatenating([body.subarray(0, from), Buffer.from(text), body.subarray(to)])
}
