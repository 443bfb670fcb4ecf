import { type GatewayError, promptTypeIsKey } from '../errors.js'
import { holdsKey, isKeyName, redactKeys } from '../redaction/redact.js'
import { invalidField } from './errors.js'

/** Names that calls and operators go by. */
const PROMPT_TYPE_FIELDS = new Set(['prompt_type', 'allowed_prompt_types'])
/** Of no use with a part taken out. */
const ADDRESS_FIELDS = new Set(['webhook_url', 'email'])
/** They say which of the stored names are meant, and are not stored. */
const SEARCHED_FIELDS = new Set(['prompt_types', 'filter'])

/**
 * A request body without the API keys in its texts, because none is stored. A prompt type that is a key, and an
 * address with a key in it, are rejected instead.
 */
export function withoutKeys (body: unknown): { readonly value: unknown } | { readonly error: GatewayError } {
  try {
    return { value: cleaned(body, '') }
  } catch (error) {
    if (error instanceof KeyInField) return { error: error.answer }
    throw error
  }
}

class KeyInField extends Error {
  readonly answer: GatewayError

  constructor (answer: GatewayError) {
    super(answer.message)
    this.answer = answer
  }
}

function cleaned (value: unknown, field: string): unknown {
  if (typeof value === 'string') return cleanedText(value, field)
  if (typeof value !== 'object' || value === null || SEARCHED_FIELDS.has(field)) return value
  if (Array.isArray(value)) return value.map(item => cleaned(item, field))
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, cleaned(inner, name)]))
}

function cleanedText (text: string, field: string): string {
  if (PROMPT_TYPE_FIELDS.has(field)) {
    if (isKeyName(text)) throw new KeyInField(promptTypeIsKey(field))
    return text
  }
  if (ADDRESS_FIELDS.has(field)) {
    if (!holdsKey(text)) return text
    const message = `The field '${field}' contains an API key. Remove it, and replace that key.`
    throw new KeyInField(invalidField(message, field))
  }
  return isKeyName(text) ? redactKeys(text) : text
}
