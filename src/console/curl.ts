/** What a call is repeated with. */
export interface Repeatable {
  /** What comes behind `/v1/`. */
  readonly endpoint: string
  readonly prompt_type: string
  /** The stored body; null where it was not stored. */
  readonly prompt: string | null
  /** `not_metered`: whether such a call has a body is not known. */
  readonly cost_reason: string | null
  /** The gateway key that the call came with; null where the caller brought the upstream's. */
  readonly key_id: string | null
}

/** As one word of a POSIX shell: between single quotes only the single quote itself is special. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

/** The call as a line for a shell; the key is the reader's own. */
export function curlLine (
  origin: string, { endpoint, prompt_type: promptType, prompt, cost_reason: costReason, key_id: keyId }: Repeatable
): string {
  // `--data-raw`: a body that begins with an @ is no file's name.
  const body = prompt !== null
    ? [`--data-raw ${quoted(prompt)}`]
    : costReason === 'not_metered' ? [] : ['--data-binary @body.json']
  return [
    `curl ${quoted(`${origin}/v1/${endpoint}`)}`,
    `-H "Authorization: Bearer $${keyId === null ? 'OPENAI_API_KEY' : 'GATEWAY_KEY'}"`,
    ...(body.length === 0 ? [] : ["-H 'Content-Type: application/json'"]),
    ...(promptType === 'untyped' ? [] : [`-H ${quoted(`X-Prompt-Type: ${promptType}`)}`]),
    ...body
  ].join(' \\\n  ')
}

/** Why the line does not do again what the call did; null where it does. */
export function curlCaveat ({ prompt, cost_reason: costReason }: Repeatable): string | null {
  if (prompt === null) return costReason === 'not_metered' ? null : 'The body was not stored: put one into body.json.'
  if (prompt.includes('… [truncated: ')) return 'The body was cut before it was stored: fix it first.'
  return prompt.includes('[elided ') ? 'Images, sounds and files were not stored: put them in again first.' : null
}
