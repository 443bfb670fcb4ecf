import type { JsonMembers } from '../decoders/json-members.js'
import { CR, LF, SPACE } from '../decoders/sse-lines.js'

const TAB = 0x09
const COMMA = 0x2c
const NULL_MEMBER = ',"usage":null'

/** A member's offsets. */
interface MemberTrace { readonly from: number, readonly to: number, readonly isFirst: boolean }

/**
 * What an event's object has of the injected `stream_options.include_usage`: a null member; all of it, where it is the
 * extra chunk that carries the usage and no choices; or nothing. Usage in any other place is the server's own.
 *
 * @returns null for nothing; else offsets, where `to` may still have a comma and white space behind it that belong to
 * a member that is the first
 */
export function usageTrace (event: JsonMembers): 'object' | MemberTrace | null {
  const usage = event.get('usage')
  if (usage === undefined) return null
  if (usage.text === 'null') return { from: usage.start, to: usage.valueEnd, isFirst: usage.start === usage.keyStart }
  const hasNoChoices = /^\[\s*\]$/.test(event.get('choices')?.text ?? '')
  return usage.text?.startsWith('{') === true && hasNoChoices ? 'object' : null
}

/**
 * Where a chunk of ordinary events has traces of the question for usage, as pairs of offsets; null where it has to be
 * read line by line. Ordinary is what nearly every chunk is: whole events of one data line each, that end with
 * `"usage":null` where OpenAI writes it, or say nothing of usage.
 *
 * @param text the chunk as Latin-1, so that an index into it is one into the bytes
 */
export function ordinaryTraces (text: string): number[] | null {
  const cuts: number[] = []
  for (let from = 0, end = 0; from < text.length; from = end + 2) {
    end = text.indexOf('\n', from)
    if (end === -1 || text[end + 1] !== '\n' || !text.startsWith('data: {', from)) return null
    const line = text.slice(from, end)
    const at = line.lastIndexOf(NULL_MEMBER)
    const after = at + NULL_MEMBER.length
    if (at !== -1 && closesObject(line.slice(after))) cuts.push(from + at, from + after)
    else if (line.includes('usage"')) return null
  }
  // What may end a stream, and a line end of another kind. (Quotes are everywhere: a word without its first is found
  // faster.)
  return text.includes('rror"') || text.includes('ponse.') || text.includes('\r') ? null : cuts
}

/**
 * Whether the object that ends a line closes behind a member, given what is behind it: nothing but OpenAI's
 * `obfuscation`. Then the member is a top-level one for certain, whatever stands before it.
 */
function closesObject (rest: string): boolean {
  return rest === '}' || (rest.length < 100 && /^,"obfuscation":"[^"\\\n]*"}$/.test(rest))
}

/** Behind the comma that follows a first member, and behind the white space that follows that. */
export function afterComma (json: Buffer, from: number): number {
  const comma = afterSpace(json, from)
  return json[comma] === COMMA ? afterSpace(json, comma + 1) : from
}

function afterSpace (json: Buffer, from: number): number {
  let i = from
  while (json[i] === SPACE || json[i] === TAB || json[i] === LF || json[i] === CR) i++
  return i
}

/** The bytes before `end`, less the ranges cut out (pairs of offsets, in order). Null if nothing is left. */
export function without (buffer: Buffer, cuts: readonly number[], end: number): Buffer | null {
  if (end === 0) return null
  if (cuts.length === 0) return end === buffer.length ? buffer : buffer.subarray(0, end)
  const out = Buffer.allocUnsafe(end)
  let size = 0
  let from = 0
  for (let i = 0; i < cuts.length; i += 2) {
    size += buffer.copy(out, size, from, cuts[i])
    from = cuts[i + 1] ?? end
  }
  size += buffer.copy(out, size, from, end)
  return size === 0 ? null : out.subarray(0, size)
}
