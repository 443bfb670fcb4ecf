import { isDeeperThan } from './json-depth.js'

/** OpenAI takes 16 pairs of 64 and 512 characters; a compatible server may take more. */
export const MAX_METADATA_BYTES = 16 * 1024
const MAX_METADATA_DEPTH = 32

/** The member of a placeholder that says why the value is not there. */
const REASON = 'promptmeter_not_stored'

const placeholder = (reason: string): string => JSON.stringify({ [REASON]: reason })

/** The placeholder for metadata that was too long to retain until the end of the call. */
export const TOO_LONG_METADATA = placeholder(`The metadata was over ${MAX_METADATA_BYTES} bytes.`)
const TOO_DEEP = placeholder(`The metadata was nested over ${MAX_METADATA_DEPTH} levels deep.`)
const UNREADABLE = placeholder('The stored value is not a JSON object.')

/**
 * Metadata as it is stored: the JSON text of an object as it came, or of a placeholder where it is too long or deep.
 */
export function storedMetadata (json: string): string {
  if (json.length > MAX_METADATA_BYTES || Buffer.byteLength(json) > MAX_METADATA_BYTES) return TOO_LONG_METADATA
  return isDeeperThan(json, MAX_METADATA_DEPTH) ? TOO_DEEP : json
}

/** Far above what is stored now, and what an answer can hold: rows of older versions may have more. */
const MAX_SHOWN_DEPTH = 256

/**
 * Stored JSON text of an object, to be shown. A value that cannot be read, or not be written again, is a placeholder:
 * no row makes the others of its list unreadable. Null stays null.
 */
export function shownObject (json: string | null): Record<string, unknown> | null {
  return json === null ? null : JSON.parse(shownObjectText(json)) as Record<string, unknown>
}

/** As `shownObject`, as text: where it can be read it is as it was stored. */
export function shownObjectText (json: string): string {
  if (isDeeperThan(json, MAX_SHOWN_DEPTH)) return TOO_DEEP
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? json : UNREADABLE
  } catch {
    return UNREADABLE
  }
}
