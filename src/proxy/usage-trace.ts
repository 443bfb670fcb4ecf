import { JsonMembers } from './json-members.js'
import { SPACE, dataOf } from './sse-lines.js'

const TAB = 0x09
const COMMA = 0x2c
const CLOSE_BRACE = 0x7d
const USAGE = Buffer.from('"usage"')
const NULL_MEMBER = Buffer.from(',"usage":null')

/**
 * What a stream's data line has of the question for usage (`stream_options.include_usage`): nothing, a member (from, to),
 * or all of its event, which is the extra one that carries the usage and no choices.
 */
export function usageTrace (line: Buffer): 'event' | readonly [number, number] | null {
  const at = line.indexOf(NULL_MEMBER)
  if (at !== -1 && closesObject(line, at + NULL_MEMBER.length)) return [at, at + NULL_MEMBER.length]
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
 * Whether the object that ends the line closes at `at`, with nothing but OpenAI's `obfuscation` between: then a member
 * that ends there is a top-level one for certain, whatever stands before it.
 */
function closesObject (line: Buffer, at: number): boolean {
  if (at === line.length - 1) return line[at] === CLOSE_BRACE
  return line.length - at < 100 && /^,"obfuscation":"[^"\\]*"}$/.test(line.toString('latin1', at))
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
