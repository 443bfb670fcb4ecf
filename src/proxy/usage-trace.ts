import { JsonMembers } from './json-members.js'
import { SPACE, dataOf } from './sse-lines.js'

const TAB = 0x09
const COMMA = 0x2c
const USAGE = Buffer.from('"usage"')
const NULL_MEMBER = ',"usage":null'

/**
 * What a stream's data line has of the question for usage (`stream_options.include_usage`): nothing, a member (from, to),
 * or all of its event, which is the extra one that carries the usage and no choices.
 */
export function usageTrace (line: Buffer): 'event' | readonly [number, number] | null {
  const at = line.indexOf(NULL_MEMBER)
  if (at !== -1 && closesObject(line.toString('latin1', at + NULL_MEMBER.length))) return [at, at + NULL_MEMBER.length]
  if (!line.includes(USAGE)) return null

  const json = dataOf(line)
  const members = new JsonMembers(new Set(['usage', 'choices']), json.length)
  members.feed(json)
  const usage = members.get('usage')
  if (!members.complete || usage === undefined) return null
  const choices = members.value('choices')
  if (usage.text !== 'null' && Array.isArray(choices) && choices.length === 0) return 'event'
  const offset = line.length - json.length
  const isFirst = usage.start === usage.keyStart
  return [offset + usage.start, offset + (isFirst ? afterComma(json, usage.valueEnd) : usage.valueEnd)]
}

/**
 * Where a chunk of ordinary events has traces of the question for usage, as pairs of offsets; null where it has to be read
 * line by line. Ordinary is what nearly every chunk is: whole events of one data line each, that end with `"usage":null`
 * where OpenAI writes it, or say nothing of usage.
 *
 * @param text the chunk as Latin-1, so that an index into it is one into the bytes
 */
export function ordinaryTraces (text: string): number[] | null {
  const cuts: number[] = []
  for (let from = 0, end = 0; from < text.length; from = end + 2) {
    end = text.indexOf('\n', from)
    if (end === -1 || text[end + 1] !== '\n' || !text.startsWith('data: {', from)) return null
    const at = text.lastIndexOf(NULL_MEMBER, end)
    const after = at + NULL_MEMBER.length
    if (at > from && closesObject(text.slice(after, end))) cuts.push(at, after)
    else if (text.slice(from, end).includes('usage"')) return null
  }
  // What may end a stream, and a line end of another kind. (Quotes are everywhere: a search for a word without its first is faster.)
  return text.includes('rror"') || text.includes('ponse.') || text.includes('\r') ? null : cuts
}

/**
 * Whether the object that ends a line closes behind a member, given what is behind it: nothing but OpenAI's
 * `obfuscation`. Then the member is a top-level one for certain, whatever stands before it.
 */
function closesObject (rest: string): boolean {
  return rest === '}' || (rest.length < 100 && /^,"obfuscation":"[^"\\\n]*"}$/.test(rest))
}

function afterComma (json: Buffer, from: number): number {
  const comma = afterSpace(json, from)
  return json[comma] === COMMA ? afterSpace(json, comma + 1) : from
}

function afterSpace (json: Buffer, from: number): number {
  let i = from
  while (json[i] === SPACE || json[i] === TAB) i++
  return i
}
