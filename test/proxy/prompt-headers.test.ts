import fc from 'fast-check'
import t from 'tap'
import { GatewayError } from '../../src/errors.js'
import { type PromptHeaders, isPromptHeader, parsePromptHeaders } from '../../src/proxy/prompt-headers.js'

/** A header value as Node hands over its UTF-8 bytes. */
const wire = (text: string): string => Buffer.from(text).toString('latin1')

const parse = (...headers: string[]): PromptHeaders => parsePromptHeaders(headers, null)

function refusal (headers: readonly string[], path: string | null = null): GatewayError | null {
  try {
    parsePromptHeaders(headers, path)
    return null
  } catch (error) {
    if (error instanceof GatewayError) return error
    throw error
  }
}
const code = (headers: readonly string[], path: string | null = null): string | undefined =>
  refusal(headers, path)?.code

t.test('a call without prompt headers is untyped, and says nothing else', t => {
  const none = { promptType: 'untyped', description: null, user: null, metadata: null, storeFullData: null }
  t.same(parse('Authorization', 'Bearer x', 'X-Prompt', 'y', 'X-Prompt-Types', 'z'), none)
  t.same(parse('X-Prompt-Description', '', 'X-Prompt-User', '', 'X-Prompt-Metadata', ''), none)
  t.end()
})

t.test('all five headers are read, whatever the case of their names', t => {
  t.same(parse('x-PROMPT-type', 'Import:page.v1_a-b', 'X-Prompt-Description', 'Imports a page', 'x-prompt-user', 'ann@example.com',
    'X-PROMPT-METADATA', '{"page": 1}', 'X-Prompt-Store-Full-Data', 'true'), {
    promptType: 'Import:page.v1_a-b',
    description: 'Imports a page',
    user: 'ann@example.com',
    metadata: '{"page": 1}',
    storeFullData: true
  })
  t.equal(parse('x-prompt-store-full-data', 'false').storeFullData, false)
  t.end()
})

t.test('just these five are kept from going upstream', t => {
  for (const name of [
    'X-Prompt-Type', 'x-prompt-description', 'X-PROMPT-USER', 'x-Prompt-Metadata', 'X-Prompt-Store-Full-Data'
  ]) t.equal(isPromptHeader(name), true, name)
  for (const name of [
    '', 'x', 'x-prompt', 'x-prompt-', 'x-prompt-typ', 'x-prompt-types', 'y-prompt-type', 'x-prompt-other',
    '\u0398-prompt-type'
  ]) t.equal(isPromptHeader(name), false, name)
  t.end()
})

t.test('a prompt type has 1 to 128 characters of its alphabet, a letter or digit first', t => {
  for (const name of ['a', '0', 'untyped', 'Z9', 'a.b_c:d-e', 'a'.repeat(128)]) {
    t.equal(parse('X-Prompt-Type', name).promptType, name)
    t.equal(parsePromptHeaders([], name).promptType, name)
  }
  for (const name of [
    '', ' ', '-a', '.a', '_a', ':a', 'a b', 'a/b', 'a,b', 'a\n', wire('é'), 'a%62', 'a'.repeat(129), 'a'.repeat(10_000)
  ]) {
    const error = refusal(['X-Prompt-Type', name])
    t.match(error, { statusCode: 400, code: 'invalid_prompt_type', param: 'X-Prompt-Type' })
    t.match(
      error?.message, /^'[\x20-\x7e…]{0,129}' is not a valid prompt type\. Use /, 'the message is short and printable'
    )
  }
  t.end()
})

t.test('the path names the type too, percent-encoded; the header wins', t => {
  t.equal(parsePromptHeaders([], 'import%3Apage').promptType, 'import:page')
  t.equal(parsePromptHeaders(['X-Prompt-Type', 'header'], 'path').promptType, 'header')
  t.equal(parsePromptHeaders(['X-Prompt-Type', 'header'], '%').promptType, 'header', 'whatever the path says')
  for (const path of [
    '', '%', '%ff', 'a%2fb', 'a%20b', '%00', 'a%0d%0aX-Evil:1', '-a', 'a'.repeat(129)
  ]) t.equal(code([], path), 'invalid_prompt_type', path)
  t.equal(code(['X-Prompt-Type', ''], 'path'), 'invalid_prompt_type', 'an empty header is a bad one')
  t.end()
})

t.test('a header that stands twice is refused, be it the same', t => {
  t.match(refusal(['X-Prompt-Type', 'a', 'x-prompt-type', 'a']), {
    statusCode: 400, code: 'invalid_prompt_type', message: /'a, a'/
  })
  for (const [name, value] of [
    ['X-Prompt-Description', 'd'],
    ['X-Prompt-User', 'u'],
    ['X-Prompt-Metadata', '{}'],
    ['X-Prompt-Store-Full-Data', 'true']
  ] as const) {
    t.match(refusal([name, value, 'host', 'h', name.toLowerCase(), value]), {
      statusCode: 400, code: 'invalid_prompt_header', param: name.toLowerCase()
    })
    t.match(refusal([name, '', name, value]), { code: 'invalid_prompt_header', param: name })
  }
  t.end()
})

t.test('a description and a user are UTF-8 or percent-encoded, with the same result', t => {
  const printable = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
    .filter(text => text.trim() === text && !text.includes('%') && text !== '' && !text.startsWith('\ufeff'))
  fc.assert(fc.property(printable, text => {
    for (const value of [wire(text), encodeURIComponent(text)]) {
      const { description, user } = parse('X-Prompt-Description', value, 'X-Prompt-User', value)
      if (description !== text || user !== text) throw new Error(`${value} gave ${description ?? 'null'}`)
    }
  }))
  t.equal(parse('X-Prompt-Description', '100% sure').description, '100% sure')
  t.equal(parse('X-Prompt-Description', wire('100% für')).description, '100% für')
  t.equal(parse('X-Prompt-Description', wire('é%20%C3%A9')).description, 'é é')
  t.equal(parse('X-Prompt-User', '%ff').user, '%ff', 'what encodes no UTF-8 stays as it is')
  t.end()
})

t.test('bytes that are no UTF-8 are refused', t => {
  for (const name of ['X-Prompt-Description', 'X-Prompt-User', 'X-Prompt-Metadata']) {
    for (const value of ['caf\xe9', '\xc3', '\xff', '\xed\xa0\x80', '\xc0\xaf']) {
      t.match(refusal([name, value]), {
        code: 'invalid_prompt_header', param: name, message: /UTF-8/
      })
    }
  }
  t.end()
})

t.test('control characters are refused, encoded or not: no header is injected, no log line made up', t => {
  for (const name of ['X-Prompt-Description', 'X-Prompt-User']) {
    for (const value of ['a%0d%0aX-Evil:%201', 'a%0A', '%00', 'a\tb', '\x7f', '%7f', '\xc2\x85', '%C2%9B', '%1b[31m']) {
      t.match(refusal([name, value]), { code: 'invalid_prompt_header', param: name, message: /control characters/ })
    }
  }
  t.end()
})

t.test('a description has at most 1,000 characters, whatever their bytes', t => {
  for (const character of ['x', 'é', '\u{1f600}']) {
    const longest = character.repeat(1000)
    t.equal(parse('X-Prompt-Description', wire(longest)).description, longest)
    t.equal(parse('X-Prompt-Description', encodeURIComponent(longest)).description, longest)
    t.match(refusal(['X-Prompt-Description', wire(longest + character)]), {
      code: 'invalid_prompt_header', message: /1000 characters/
    })
    t.equal(code(['X-Prompt-Description', encodeURIComponent(longest + character)]), 'invalid_prompt_header')
  }
  t.end()
})

t.test('metadata is a JSON object of at most 4 KiB, kept as it was written', t => {
  for (const json of ['{}', ' {"b": 1.0, "a": [null]} ', '{"é":"\\u00e9"}']) {
    t.equal(
      parse('X-Prompt-Metadata', wire(json)).metadata, json
    )
  }
  const fits = `{"é":"${'x'.repeat(4096 - 9)}"}`
  t.equal(wire(fits).length, 4096)
  t.equal(parse('X-Prompt-Metadata', wire(fits)).metadata, fits)
  t.match(refusal(['X-Prompt-Metadata', wire(fits) + ' ']), { code: 'invalid_prompt_header', message: /4096 bytes/ })
  for (const json of ['[]', 'null', '"{}"', '1', '{', '{"a":1,}', "{'a':1}", 'team=search', '%7B%7D', ' ']) {
    t.match(refusal(['X-Prompt-Metadata', json]), {
      statusCode: 400, code: 'invalid_prompt_header', param: 'X-Prompt-Metadata', message: /JSON object/
    })
  }
  t.end()
})

t.test('store-full-data takes true or false and nothing else', t => {
  for (const value of ['', 'TRUE', 'False', '1', '0', 'yes', ' true', 'true,true', 'x'.repeat(1000), '\x01']) {
    const error = refusal(['X-Prompt-Store-Full-Data', value])
    t.match(error, { statusCode: 400, code: 'invalid_prompt_header', param: 'X-Prompt-Store-Full-Data' })
    t.match(error?.message, /^X-Prompt-Store-Full-Data must be true or false, but is '[\x20-\x7e…]{0,129}'\.$/)
  }
  t.end()
})
