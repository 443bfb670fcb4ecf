import fc from 'fast-check'
import t from 'tap'
import { readObject } from '../../src/decoders/json-object.js'

const WANTED = new Set(['model', 'n', 'max_tokens', 'prompt'])

async function read (text: string | Buffer): Promise<Record<string, unknown> | string> {
  const body = Buffer.from(text as string)
  const found = await readObject(body, WANTED)
  if ('why' in found) return found.why
  return Object.fromEntries(
    [...found].map(([name, { start, end }]) => [name, JSON.parse(body.toString('utf8', start, end)) as unknown])
  )
}

const isRead = async (text: string | Buffer): Promise<boolean> => typeof await read(text) === 'object'

t.test('what JSON.parse takes for an object is read, what it does not is not', async () => {
  const value = fc.json({ maxDepth: 4 }).map(text => text)
  const spaced = fc.tuple(value, fc.constantFrom('', ' ', '\n\t\r ')).map(([text, space]) => space + text + space)
  const object = fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('model', 'n', 'prompt')), spaced)
    .map(members => `{${Object.entries(members).map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(',')}}`)
  const piece = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '\\',
    '\\u00',
    'e',
    '-',
    '.',
    '0',
    '1',
    'true',
    'nul',
    ' ',
    '\n',
    '\x01',
    '/*',
    'NaN',
    "'"
  )
  const broken = fc.tuple(object, fc.nat(), piece, fc.nat(2)).map(([text, at, piece, cut]) => {
    const i = at % (text.length + 1)
    return text.slice(0, i) + piece + text.slice(i + cut)
  })
  const isObject = (text: string): boolean => {
    try {
      const value = JSON.parse(text) as unknown
      return typeof value === 'object' && value !== null && !Array.isArray(value)
    } catch {
      return false
    }
  }
  await fc.assert(fc.asyncProperty(fc.oneof(
    object, broken, spaced, fc.array(piece, { maxLength: 8 }).map(pieces => `{"a":${pieces.join('')}}`)
  ), async text => {
    const found = await read(text)
    if (typeof found === 'string' && /twice|case/.test(found)) return
    if ((typeof found === 'object') !== isObject(
      text
    )) throw new Error(`${JSON.stringify(text)}: ${JSON.stringify(found)}`)
    if (typeof found !== 'object') return
    const parsed = JSON.parse(text) as Record<string, unknown>
    for (const name of WANTED) {
      if (JSON.stringify(found[name]) !== JSON.stringify(
        parsed[name]
      )) throw new Error(`${text}: ${name} is ${JSON.stringify(found[name])}`)
    }
  }), { numRuns: 3000 })
})

t.test('numbers and literals are those of RFC 8259', async t => {
  for (const text of [
    '0', '-0', '10', '1.5', '1e9', '1E+9', '1.0e-09', '-1', 'true', 'false', 'null', '""', '[]', '{}', '"\\u00e9\\n"',
    '[1 , 2]'
  ]) t.ok(await isRead(`{"n":${text}}`), text)
  for (const text of [
    '01', '+1', '1.', '.5', '1e', '1e+', '-', '0x10', 'NaN', 'Infinity', 'tru', 'True', '"\n"', '"\\x"', '"\\u12g4"',
    "'a'", '1 2', '[1,]', '{"a":1,}', '[', '"', '"\\', ''
  ]) {
    t.notOk(await isRead(`{"n":${text}}`), text)
  }
})

t.test('names are found however they are written, values in any place', async t => {
  t.same(await read('{ "\\u006dodel" : "a", "x": {"model":"b","n":[{"n":2}]}, "n":3 }'), { model: 'a', n: 3 })
  t.same(await read('\ufeff{"model":"a"}'), { model: 'a' }, 'behind a byte order mark')
  const found = await readObject(Buffer.from('{"prompt":[[1,2],[3,4],"a",{"b":[1,2,3]}],"n":[],"model":[[]]}'), WANTED)
  if ('why' in found) throw new Error(found.why)
  t.same(['prompt', 'n', 'model'].map(name => found.get(name)?.elements), [4, 0, 1])
})

t.test('what servers could read in more than one way is not read', async t => {
  const bodies = [
    '{"model":"a","model":"b"}', '{"model":"a","\\u006dodel":"a"}', '{"Model":"a"}', '{"model":"a","MODEL":"b"}', '{"max_tokens":1,"Max_Tokens":2}', '{"model":"a","mode\u212a":1,"n":1,"N":2}',
    '[{"model":"a"}]', '"model"', '1', 'null', '', ' ', '\0', '{"model":"a"}{"model":"b"}', '{"model":"a"} x', '{"model":"a" /* "n":1 */}', '// a\n{"model":"a"}', '{model:"a"}', '{"model":"a"\0}'
  ]
  for (const body of bodies) t.type(await read(body), 'string', body)
  const json = '{"model":"a"}'
  t.type(await read(Buffer.from(json, 'utf16le')), 'string', 'UTF-16')
  t.type(
    await read(Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(json, 'utf16le')])),
    'string',
    'UTF-16 with its mark'
  )
  t.type(await read(Buffer.from(json, 'utf16le').swap16()), 'string', 'UTF-16, the other way')
  t.type(
    await read(Buffer.from(Array.from(json).flatMap(character => [character.charCodeAt(0), 0, 0, 0]))),
    'string',
    'UTF-32'
  )
  t.type(
    await read(Buffer.concat([Buffer.from('{"model":"a","x":"'), Buffer.from([0xe9]), Buffer.from('"}')])),
    'string',
    'Latin-1'
  )
  t.type(await read(Buffer.concat([Buffer.from('+ADw-'), Buffer.from(json)])), 'string', 'UTF-7')
})

t.test('depth is bounded, and no body holds the event loop', async t => {
  t.ok(await isRead(`{"a":${'['.repeat(500)}${']'.repeat(500)}}`))
  t.match(await read(`{"a":${'['.repeat(5_000_000)}`), /deep/)
  const size = 30_000_000
  const bodies = [
    '{"a":"' + 'x'.repeat(size) + '"}',
    '{"a":[' + '1,'.repeat(size / 2) + '1]}',
    '{"a":' + '1'.repeat(size) + '}',
    '{' + ' '.repeat(size) + '}',
    '{"a":"' + '\\u0041'.repeat(size / 6) + '"}'
  ]
  for (const body of bodies) {
    let last = performance.now()
    let longest = 0
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last)
      last = performance.now()
    }, 1)
    t.ok(await isRead(body), body.slice(0, 9))
    clearInterval(timer)
    t.ok(longest < 500, `${longest} ms`)
  }
})
