import { createHash, timingSafeEqual } from 'node:crypto'
import type { PolicyKey } from '../db/policy-store.js'
import { invalidApiKey, promptTypeNotAllowed } from '../errors.js'

/** Who calls. */
export interface Caller {
  readonly keyId: string | null
  /** The user that the key stands for, else the key's name; null without a key. */
  readonly user: string | null
  /** The `Authorization` for upstream; null: the caller's own, as it came. */
  readonly upstreamAuthorization: string | null
}

export interface IdentityOptions {
  /** `UPSTREAM_API_KEY`; null: callers bring the upstream's key themselves. */
  readonly upstreamApiKey: string | null
  readonly findKey: (keySha256: string) => PolicyKey | undefined
  readonly now: () => number
}

const GATEWAY_KEY = /^pm_[A-Za-z0-9_-]{43}$/
const PASS_THROUGH: Caller = { keyId: null, user: null, upstreamAuthorization: null }

/**
 * Decides who calls, from the `Authorization` header.
 *
 * @throws GatewayError 401 `invalid_api_key`, 403 `prompt_type_not_allowed`
 */
export function identifyCaller (options: IdentityOptions, authorization: string | undefined, promptType: string): Caller {
  const token = /^bearer +(\S+)$/i.exec(authorization ?? '')?.[1] ?? ''
  if (options.upstreamApiKey === null) {
    // A gateway key must not leave the gateway, not even towards an upstream that would only refuse it.
    if (GATEWAY_KEY.test(token)) throw invalidApiKey('This gateway holds no upstream key (UPSTREAM_API_KEY), so gateway keys do not work here.')
    return PASS_THROUGH
  }
  if (!GATEWAY_KEY.test(token)) throw invalidApiKey(token === '' ? 'The gateway key is missing.' : 'That is not a gateway key.')
  const hash = createHash('sha256').update(token).digest()
  const key = options.findKey(hash.toString('hex'))
  if (key === undefined || !timingSafeEqual(hash, Buffer.from(key.keySha256, 'hex'))) throw invalidApiKey('This gateway key is unknown.')
  if (key.revoked) throw invalidApiKey('This gateway key was revoked.')
  if (key.expiresAtMs !== null && key.expiresAtMs <= options.now()) throw invalidApiKey('This gateway key has expired.')
  if (key.allowedPromptTypes !== null && !key.allowedPromptTypes.includes(promptType)) throw promptTypeNotAllowed(promptType)
  return { keyId: key.id, user: key.user ?? key.name, upstreamAuthorization: `Bearer ${options.upstreamApiKey}` }
}
