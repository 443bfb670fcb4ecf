import fc from 'fast-check'
import t from 'tap'
import { check, chunksOf, relay, sizes } from '../proxy/relayed-stream.js'

/** A line of a stream, as a server writes it that was asked for usage; `both`: it writes it unasked, too. */
interface Line { readonly asked: string, readonly plain: string | null, readonly kind: 'data' | 'field' | 'blank' | 'comment' | 'done' }
/** A stream in both forms. `due`: behind so many bytes asked, so many plain ones have gone on. */
interface Stream { readonly asked: Buffer, readonly plain: Buffer, readonly due: ReadonlyArray<readonly [number, number]>, readonly usage: object | undefined }

const USAGE = { prompt_tokens: 12, completion_tokens: 3, total_tokens: 15 }

type Members = ReadonlyArray<readonly [string, string]>
/** Between members, behind a colon, inside the braces. */
type Style = readonly [string, string, string]

const jsonOf = (
  members: Members, [comma, colon, pad]: Style
): string => `{${pad}${members.map(([key, value]) => `"${key}"${colon}${value}`).join(comma)}${pad}}`
const style = fc.tuple(
  fc.constantFrom(',', ', ', ',\n  '), fc.constantFrom(':', ': ', ' :\n'), fc.constantFrom('', ' ', '\n')
)
const content = fc.constantFrom('', 'é', '\u{1f600} "usage":null', ',"usage":null}', '[DONE]', '\r\n', 'a\\')
const choices = fc.record({
  index: fc.nat(), delta: fc.record({ content }), usage: fc.constantFrom(null, { a: 1 })
}, { requiredKeys: ['delta'] })
  .map(choice => JSON.stringify([choice]))
const extras = fc.uniqueArray(fc.constantFrom<[string, string]>([
  'obfuscation', '"aB3"'
], ['x', '{"usage":null}'], ['usages', 'null']), {
  selector: ([key]) => key
})
const fields = fc.subarray(['event: chunk', 'id: 7', 'retry: 10', 'data', 'data:'])

const object = fc.record({ choices, extras, usageAt: fc.nat({ max: 6 }), hasNull: fc.boolean() })
const shape = fc.record({
  bom: fc.boolean(),
  prefix: fc.constantFrom('data: ', 'data:'),
  style,
  /** Blank lines behind an event: a server that writes none is read line by line. */
  blanks: fc.nat({ max: 3 }),
  events: fc.array(fc.record({
    comments: fc.subarray([': ping', ':']),
    before: fields,
    objects: fc.array(object, { minLength: 1, maxLength: 3 }),
    after: fields
  }), { maxLength: 4 }),
  extra: fc.constantFrom('none', 'an event', 'a line of the last event'),
  extraFields: fields,
  done: fc.boolean(),
  ends: fc.array(fc.constantFrom('\n', '\r\n', '\r'), { minLength: 1, maxLength: 7 }),
  ending: fc.constantFrom('whole', 'no blank line', 'no line end')
})

const stream = shape.map(({ bom, prefix, style, blanks, events, extra, extraFields, done, ends, ending }): Stream => {
  const lines: Line[] = []
  const both = (kind: Line['kind'], text: string): void => { lines.push({ asked: text, plain: text, kind }) }
  const asked = (kind: Line['kind'], text: string): void => { lines.push({ asked: text, plain: null, kind }) }
  const separator = (add: typeof both): void => { for (let i = 0; i < blanks; i++) add('blank', '') }
  const extraObject = (): void => {
    const members: Members = [
      ['model', '"gpt-4o-2024"'], ['choices', '[]'], ['usage', JSON.stringify(USAGE)], ['obfuscation', '"x"']
    ]
    for (const line of jsonOf(members, style).split('\n')) asked('data', prefix + line)
  }
  for (const [i, { comments, before, objects, after }] of events.entries()) {
    for (const text of comments) both('comment', text)
    for (const text of before) both('field', text)
    for (const { choices, extras, usageAt, hasNull } of objects) {
      const members: Members = [['id', '"chatcmpl-1"'], ['model', '"gpt-4o-2024"'], ['choices', choices], ...extras]
      objectLines(lines, members, hasNull ? usageAt : null, prefix, style)
    }
    if (extra === 'a line of the last event' && i === events.length - 1) extraObject()
    if (blanks > 0) for (const text of after) both('field', text)
    separator(both)
  }
  const hasExtra = extra === 'an event' || (extra === 'a line of the last event' && events.length > 0)
  if (extra === 'an event') {
    for (const text of extraFields) asked('field', text)
    extraObject()
    if (blanks > 0) for (const text of extraFields) asked('field', text)
    separator(asked)
  }
  if (done) {
    both('done', `${prefix.trimEnd()} [DONE]`)
    separator(both)
  }
  return written(lines, { bom, ends, ending, usage: hasExtra ? USAGE : undefined })
})

/** An object's data lines: where the asked form has a null member, lines may be longer, or more. */
function objectLines (lines: Line[], members: Members, usageAt: number | null, prefix: string, style: Style): void {
  const plain = jsonOf(members, style).split('\n').map(line => prefix + line)
  const asked = usageAt === null
    ? plain
    : jsonOf(members.toSpliced(usageAt, 0, ['usage', 'null']), style).split('\n').map(line => prefix + line)
  // Both begin and end alike; which of the lines between them is the longer form's does not matter for the bytes.
  lines.push({ asked: asked.join('\0'), plain: plain.join('\0'), kind: 'data' })
}

/** Gives each line its end. No LF stands behind a CR that is another line's end, in either form. */
function written (
  lines: readonly Line[],
  { bom, ends, ending, usage }: { bom: boolean, ends: readonly string[], ending: string, usage: object | undefined }
): Stream {
  const kept = ending === 'whole' ? lines : lines.slice(0, lines.findLastIndex(({ kind }) => kind !== 'blank') + 1)
  let asked = bom ? '\ufeff' : ''
  let plain = asked
  const due: Array<[number, number]> = []
  let isEnded = false
  for (const [i, line] of kept.entries()) {
    let end = ends[i % ends.length] ?? '\n'
    if (line.kind === 'blank' && end === '\n' && (asked.endsWith('\r') || plain.endsWith('\r'))) end = '\r'
    if (ending === 'no line end' && i === kept.length - 1) end = ''
    isEnded ||= line.kind === 'done'
    // The lines of one object end alike.
    const inner = end === '' ? '\n' : end
    asked += line.asked.replaceAll('\0', inner) + end
    if (line.plain !== null) plain += line.plain.replaceAll('\0', inner) + end
    if (line.kind !== 'field' && !isEnded && line.plain !== null &&
      end !== '') due.push([Buffer.byteLength(asked), Buffer.byteLength(plain)])
  }
  return { asked: Buffer.from(asked), plain: Buffer.from(plain), due, usage }
}

t.test('the bytes are those of the upstream that was not asked, whatever the framing and the chunks', t => {
  fc.assert(fc.property(stream, sizes, ({ asked, plain, usage }, sizes) => {
    const { output, facts } = relay('strip', chunksOf(asked, sizes))
    check(output.equals(
      plain
    ), `${JSON.stringify(asked.toString())}\nto  ${JSON.stringify(output.toString())}\nnot ${JSON.stringify(plain.toString())}`)
    check(JSON.stringify(facts.usage) === JSON.stringify(usage), 'another usage')
  }), { numRuns: 3000 })
  t.end()
})

t.test('a line goes on with the chunk that brings its end, or its object\'s, and a field with its data line', t => {
  fc.assert(fc.property(stream, sizes, ({ asked, due }, sizes) => {
    relay('strip', chunksOf(asked, sizes), (inputBytes, outputBytes) => {
      // A CR that comes last may be half a line end.
      const expected = due.findLast(([end]) => end + 1 <= inputBytes)?.[1] ?? 0
      check(outputBytes >= expected, `${outputBytes} of ${expected} bytes after ${inputBytes}`)
    })
  }), { numRuns: 1000 })
  t.end()
})

t.test('a stream that is only watched keeps each byte, and its usage is read in any framing', t => {
  fc.assert(fc.property(stream, sizes, ({ asked, usage }, sizes) => {
    const { output, facts } = relay('watch', chunksOf(asked, sizes))
    check(output.equals(asked), 'bytes changed')
    check(JSON.stringify(facts.usage) === JSON.stringify(usage), `another usage in ${JSON.stringify(asked.toString())}`)
  }), { numRuns: 2000 })
  t.end()
})
