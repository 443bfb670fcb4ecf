import { createHash, timingSafeEqual } from 'node:crypto'
import type { PolicyKey } from '../db/policy-store.js'
import { gatewayKeysNotAccepted, invalidApiKey, promptTypeNotAllowed } from '../errors.js'
import { type KnowsKey, holdsGatewayKey } from './gateway-key-filter.js'
import { isNamed } from './hop-by-hop.js'

/** The caller of a request, by its key. */
export interface Caller {
  readonly keyId: string | null
  /** The user that the key stands for, else the key's name; null without a key. */
  readonly user: string | null
  /** The `Authorization` for upstream; null: the caller's own, as it came. */
  readonly upstreamAuthorization: string | null
}

/** A request that names no caller: a preflight carries no key, and gets none. */
export const ANONYMOUS: Caller = { keyId: null, user: null, upstreamAuthorization: null }

export interface IdentityOptions {
  /** `UPSTREAM_API_KEY`; null: callers bring the upstream's key themselves. */
  readonly upstreamApiKey: string | null
  readonly findKey: (keySha256: string) => PolicyKey | undefined
  readonly now: () => number
}

/** The headers that callers put a key in (Azure's and Anthropic's clients in the latter two); an earlier one wins. */
const CARRIERS = ['authorization', 'api-key', 'x-api-key'] as const

const GATEWAY_KEY = /^pm_[A-Za-z0-9_-]{43}$/
const PASS_THROUGH: Caller = { keyId: null, user: null, upstreamAuthorization: null }

/** Whether callers send a key in this header. */
export function isCredential (name: string): boolean {
  switch (name.length) {
    case 7: return isNamed(name, 'api-key')
    case 9: return isNamed(name, 'x-api-key')
    case 13: return isNamed(name, 'authorization')
    default: return false
  }
}

/** Finds the gateway's keys, revoked ones too, by their hashes. */
export function knowsKey (keys: Pick<IdentityOptions, 'findKey'>): KnowsKey {
  return key => keys.findKey(sha256(key).toString('hex')) !== undefined
}

/**
 * Decides who calls, from the first carrier that has something of a gateway key's shape: some clients send a
 * placeholder in one header and the key in another. If that key is wrong, no other is tried.
 *
 * @param rawHeaders Node's flat list of names and values
 * @throws GatewayError 401 `invalid_api_key`, 403 `prompt_type_not_allowed`
 */
export function identifyCaller (options: IdentityOptions, rawHeaders: readonly string[], promptType: string): Caller {
  if (options.upstreamApiKey === null) {
    // A gateway key must not leave the gateway, not even towards an upstream that would only reject it.
    const knows = knowsKey(options)
    if (carried(rawHeaders).some(({ value }) => holdsGatewayKey(value, knows))) throw gatewayKeysNotAccepted()
    return PASS_THROUGH
  }
  const token = gatewayKey(rawHeaders)
  const hash = sha256(token)
  const key = options.findKey(hash.toString('hex'))
  if (key === undefined ||
    !timingSafeEqual(hash, Buffer.from(key.keySha256, 'hex'))) throw invalidApiKey('This gateway key is unknown.')
  if (key.revoked) throw invalidApiKey('This gateway key was revoked.')
  if (key.expiresAtMs !== null && key.expiresAtMs <= options.now()) throw invalidApiKey('This gateway key has expired.')
  if (key.allowedPromptTypes !== null &&
    !key.allowedPromptTypes.includes(promptType)) throw promptTypeNotAllowed(promptType)
  return { keyId: key.id, user: key.user ?? key.name, upstreamAuthorization: `Bearer ${options.upstreamApiKey}` }
}

const sha256 = (key: string): Buffer => createHash('sha256').update(key).digest()

interface Carried {
  readonly name: string
  readonly value: string
}

function carried (rawHeaders: readonly string[]): Carried[] {
  const found: Carried[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? ''
    if (isCredential(name)) found.push({ name: name.toLowerCase(), value: rawHeaders[i + 1] ?? '' })
  }
  return found
}

/** @throws GatewayError 401 `invalid_api_key` where no carrier has one */
function gatewayKey (rawHeaders: readonly string[]): string {
  const all = carried(rawHeaders)
  for (const carrier of CARRIERS) {
    for (const { name, value } of all) {
      const token = name === carrier ? tokenIn(carrier, value) : ''
      if (GATEWAY_KEY.test(token)) return token
    }
  }
  const hasToken = all.some(({ name, value }) => tokenIn(name, value) !== '')
  throw invalidApiKey(hasToken ? 'This is not a gateway key.' : 'The gateway key is missing.')
}

/** Without the scheme, which `Authorization` has to have (RFC 6750 §2.1), and others may. */
function tokenIn (carrier: string, value: string): string {
  const bearer = /^bearer +(\S+)$/i.exec(value)?.[1]
  return bearer ?? (carrier === 'authorization' ? '' : value)
}
