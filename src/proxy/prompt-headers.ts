import { invalidPromptHeader, invalidPromptType, promptTypeIsKey } from '../errors.js'
import { isKeyName, redactKeys } from '../redaction/redact.js'
import { UNTYPED } from '../policy/policy.js'

/** What a caller says about its call in `X-Prompt-*` headers. */
export interface PromptHeaders {
  readonly promptType: string
  readonly description: string | null
  readonly user: string | null
  /** JSON text of an object. */
  readonly metadata: string | null
  /** Null: as the type's `track_full_data` says. */
  readonly storeFullData: boolean | null
}

const PROMPT_TYPE = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/
const MAX_DESCRIPTION_CHARACTERS = 1000
const MAX_METADATA_BYTES = 4096
/** What no header value may bring into the books. */
const CONTROL = /\p{Cc}/u

/**
 * Reads and checks the prompt headers of a request.
 *
 * @param rawHeaders Node's flat list of names and values
 * @param pathPromptType the type named by the path form, percent-encoded; the header wins
 * @throws GatewayError 400 `invalid_prompt_type`, `invalid_prompt_header`
 */
export function parsePromptHeaders (rawHeaders: readonly string[], pathPromptType: string | null): PromptHeaders {
  const found = new Map<string, string>()
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? ''
    if (!isPromptHeader(name)) continue
    const key = name.toLowerCase()
    const value = rawHeaders[i + 1] ?? ''
    const before = found.get(key)
    if (before !== undefined) {
      throw key === 'x-prompt-type'
        ? invalidPromptType(printable(`${before}, ${value}`))
        : invalidPromptHeader(name, 'was sent more than once. Send it once.')
    }
    found.set(key, value)
  }
  return {
    promptType: promptType(found.get('x-prompt-type') ?? null, pathPromptType),
    description: description(found.get('x-prompt-description')),
    user: text('X-Prompt-User', found.get('x-prompt-user')),
    metadata: metadata(found.get('x-prompt-metadata')),
    storeFullData: storeFullData(found.get('x-prompt-store-full-data'))
  }
}

const PROMPT_HEADERS = new Set([
  'x-prompt-type', 'x-prompt-description', 'x-prompt-user', 'x-prompt-metadata', 'x-prompt-store-full-data'
])

/** Whether the gateway reads this header, and so does not send it upstream. */
export function isPromptHeader (name: string): boolean {
  const first = name.charCodeAt(0) | 0x20
  return first === 0x78 /* x */ && name.length >= 13 && PROMPT_HEADERS.has(name.toLowerCase())
}

function promptType (header: string | null, path: string | null): string {
  const name = header ?? (path === null ? UNTYPED : decodePath(path))
  if (!PROMPT_TYPE.test(name)) throw invalidPromptType(printable(name))
  if (isKeyName(name)) throw promptTypeIsKey()
  return name
}

function decodePath (path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    throw invalidPromptType(printable(path))
  }
}

function description (value: string | undefined): string | null {
  const decoded = text('X-Prompt-Description', value)
  if (decoded !== null && decoded.length > MAX_DESCRIPTION_CHARACTERS &&
    Array.from(decoded).length > MAX_DESCRIPTION_CHARACTERS) {
    throw invalidPromptHeader('X-Prompt-Description', `is over ${MAX_DESCRIPTION_CHARACTERS} characters. Shorten it.`)
  }
  return decoded
}

/** A header's text: UTF-8 bytes as they are, or percent-encoded (RFC 3986). */
function text (name: string, value: string | undefined): string | null {
  if (value === undefined || value === '') return null
  const decoded = percentDecoded(utf8(name, value))
  if (CONTROL.test(decoded)) throw invalidPromptHeader(name, 'contains control characters. Send printable text.')
  return decoded
}

/** Node hands header bytes over as Latin-1. */
function utf8 (name: string, value: string): string {
  if (!/[\x80-\xff]/.test(value)) return value
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(value, 'latin1'))
  } catch {
    throw invalidPromptHeader(name, 'is not UTF-8. Send UTF-8 or percent-encoded UTF-8.')
  }
}

/** Decoded where the whole value is well-formed percent-encoding; "100% sure" stays as it is. */
function percentDecoded (value: string): string {
  if (!value.includes('%')) return value
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}

function metadata (value: string | undefined): string | null {
  if (value === undefined || value === '') return null
  if (Buffer.byteLength(value, 'latin1') > MAX_METADATA_BYTES) {
    throw invalidPromptHeader('X-Prompt-Metadata', `is over ${MAX_METADATA_BYTES} bytes. Send less.`)
  }
  const json = utf8('X-Prompt-Metadata', value)
  if (!isObjectText(json)) {
    throw invalidPromptHeader(
      'X-Prompt-Metadata', 'is not a JSON object. Send one, such as {"team":"search"}.'
    )
  }
  return json
}

function isObjectText (json: string): boolean {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
  } catch {
    return false
  }
}

function storeFullData (value: string | undefined): boolean | null {
  if (value === undefined) return null
  if (value === 'true') return true
  if (value === 'false') return false
  throw invalidPromptHeader('X-Prompt-Store-Full-Data', `must be true or false, but is '${printable(value)}'.`)
}

/** Without keys before it is cut: half a key would not be known for one. */
function printable (value: string): string {
  const named = redactKeys(value)
  const short = named.length > 128 ? named.slice(0, 128) + '…' : named
  return short.replace(/[^\x20-\x7e…]/g, '?')
}
