import { createHash } from 'node:crypto'
import t from 'tap'
import { GatewayError } from '../../src/errors.js'
import type { PolicyKey } from '../../src/db/policy-store.js'
import { type Caller, type IdentityOptions, identifyCaller } from '../../src/proxy/identity.js'

const KEY = 'pm_' + 'aZ09_-x'.repeat(6) + 'q'
const sha256 = (key: string): string => createHash('sha256').update(key).digest('hex')

const known = (changes: Partial<PolicyKey> = {}): PolicyKey => ({
  id: 'key-1',
  name: 'importer',
  user: null,
  keySha256: sha256(
    KEY
  ),
  allowedPromptTypes: null,
  expiresAtMs: null,
  revoked: false,
  ...changes
})

const options = (key: PolicyKey = known()): IdentityOptions => ({
  upstreamApiKey: 'sk-upstream',
  findKey: hash => hash === key.keySha256 ? key : undefined,
  now: () => 1000
})
const openOptions: IdentityOptions = { ...options(), upstreamApiKey: null }

const identify = (
  options: IdentityOptions, authorization: string | undefined, promptType = 'hello'
): Caller | [number, string, string] =>
  identifyBy(options, authorization === undefined ? [] : ['AuthoriZation', authorization], promptType)

const identifyBy = (
  options: IdentityOptions, rawHeaders: string[], promptType = 'hello'
): Caller | [number, string, string] => {
  try {
    return identifyCaller(options, rawHeaders, promptType)
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    return [error.statusCode, error.code, error.message]
  }
}
const refused = (result: Caller | [number, string, string]): string =>
  Array.isArray(result) ? `${result[0]} ${result[1]}` : 'let in'

t.test('without an upstream key of the gateway\'s own, the caller\'s Authorization passes as it is', t => {
  for (const authorization of [undefined, '', 'Bearer sk-mine', 'Basic YTpi', 'nonsense']) {
    t.same(identify(openOptions, authorization), { keyId: null, user: null, upstreamAuthorization: null })
  }
  t.end()
})

t.test('a gateway key never leaves the gateway', t => {
  t.equal(refused(identify(openOptions, `Bearer ${KEY}`)), '401 invalid_api_key')
  t.equal(refused(identify(openOptions, `bearer   ${KEY}`)), '401 invalid_api_key')
  t.end()
})

t.test('where there is no upstream key, a gateway key in any carrier and form is refused, with what to do', t => {
  const basic = `Basic ${Buffer.from(`user:${KEY}`).toString('base64')}`
  for (const name of ['Authorization', 'API-Key', 'x-api-key']) {
    for (const value of [KEY, `Bearer ${KEY}`, basic, `%70m_${KEY.slice(3)}`, `Bearer pm_${'b'.repeat(43)}`]) {
      const result = identifyBy(openOptions, ['x-a', '1', name, value, name, 'other'])
      t.equal(refused(result), '401 invalid_api_key', `${name}: ${value}`)
      t.match(result, [401, 'invalid_api_key', /Send the upstream's own key, or set UPSTREAM_API_KEY/])
      t.notOk(JSON.stringify(result).includes('aZ09_'))
    }
  }
  t.same(
    identifyBy(openOptions, ['api-key', 'azure-key', 'cookie', KEY]),
    { keyId: null, user: null, upstreamAuthorization: null },
    'elsewhere it is taken out'
  )
  t.end()
})

t.test('a key is read from each carrier; the first that has something of its shape decides', t => {
  const other = `pm_${'b'.repeat(43)}`
  const letIn: string[][] = [
    ['api-key', KEY], ['X-API-Key', KEY], ['x-api-key', `Bearer ${KEY}`],
    [
      'Authorization', 'Bearer dummy', 'api-key', KEY
    ], ['authorization', 'Basic YTpi', 'x-api-key', KEY], ['api-key', 'azure', 'x-api-key', KEY],
    [
      'authorization', '', 'authorization', `Bearer ${KEY}`
    ], ['api-key', other, 'Authorization', `Bearer ${KEY}`], ['x-api-key', other, 'api-key', KEY]
  ]
  for (const headers of letIn) {
    t.match(
      identifyBy(options(), headers), { keyId: 'key-1', upstreamAuthorization: 'Bearer sk-upstream' }, headers.join()
    )
  }
  for (const headers of [
    ['Authorization', `Bearer ${other}`, 'api-key', KEY],
    ['api-key', other, 'x-api-key', KEY],
    ['api-key', 'azure'],
    ['proxy-authorization', `Bearer ${KEY}`],
    ['cookie', KEY]
  ]) {
    t.equal(refused(identifyBy(options(), headers)), '401 invalid_api_key', headers.join())
  }
  t.end()
})

t.test('a known key stands for its user, else its name, and the upstream\'s key takes its place', t => {
  t.same(identify(options(), `Bearer ${KEY}`), {
    keyId: 'key-1', user: 'importer', upstreamAuthorization: 'Bearer sk-upstream'
  })
  t.same(identify(options(known({ user: 'alice' })), `BEARER  ${KEY}`), {
    keyId: 'key-1', user: 'alice', upstreamAuthorization: 'Bearer sk-upstream'
  })
  t.end()
})

t.test('a key that is missing, malformed, unknown, revoked or expired is refused', t => {
  const other = 'pm_' + 'b'.repeat(43)
  for (const authorization of [undefined, '', 'Bearer ', 'Bearer', `Basic ${KEY}`, KEY, `Bearer ${KEY} x`, `Bearer ${KEY}x`, `Bearer x${KEY}`,
    'Bearer sk-mine', `Bearer ${KEY.slice(0, -1)}`, `Bearer ${KEY.toUpperCase()}`, `Bearer ${other}`]) {
    const result = identify(options(), authorization)
    t.equal(refused(result), '401 invalid_api_key', authorization ?? 'none')
    t.notOk(JSON.stringify(result).includes('aZ09_'), 'the message does not repeat the key')
  }
  t.equal(refused(identify(options(known({ revoked: true })), `Bearer ${KEY}`)), '401 invalid_api_key')
  t.equal(refused(identify(options(known({ expiresAtMs: 1000 })), `Bearer ${KEY}`)), '401 invalid_api_key')
  t.equal(refused(identify(options(known({ expiresAtMs: 999 })), `Bearer ${KEY}`)), '401 invalid_api_key')
  t.equal(refused(identify(options(known({ expiresAtMs: 1001 })), `Bearer ${KEY}`)), 'let in')
  t.end()
})

t.test('a key with a list of prompt types works for these alone', t => {
  const limited = options(known({ allowedPromptTypes: ['hello', 'Bye'] }))
  t.equal(refused(identify(limited, `Bearer ${KEY}`, 'hello')), 'let in')
  t.equal(refused(identify(limited, `Bearer ${KEY}`, 'Bye')), 'let in')
  for (const promptType of ['untyped', 'Hello', 'bye', 'hell']) {
    t.equal(
      refused(identify(limited, `Bearer ${KEY}`, promptType)), '403 prompt_type_not_allowed'
    )
  }
  t.equal(
    refused(identify(options(known({ allowedPromptTypes: [] })), `Bearer ${KEY}`, 'hello')),
    '403 prompt_type_not_allowed'
  )
  t.end()
})

t.test('a revoked key says so before its prompt types do', t => {
  const key = known({ revoked: true, allowedPromptTypes: [] })
  t.equal(refused(identify(options(key), `Bearer ${KEY}`)), '401 invalid_api_key')
  t.end()
})
