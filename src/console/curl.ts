/** What a call is repeated with: its endpoint behind `/v1/`, its prompt type and its body. */
export interface Repeatable {
  readonly endpoint: string
  readonly prompt_type: string
  readonly prompt: string | null
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

/** The call as a line for a shell; the key is the reader's own. */
export function curlLine (origin: string, call: Repeatable): string {
  return [
    `curl ${quoted(`${origin}/v1/${call.endpoint}`)}`,
    '-H "Authorization: Bearer $OPENAI_API_KEY"',
    "-H 'Content-Type: application/json'",
    ...(call.prompt_type === 'untyped' ? [] : [`-H ${quoted(`X-Prompt-Type: ${call.prompt_type}`)}`]),
    ...(call.prompt === null ? [] : [`-d ${quoted(call.prompt)}`])
  ].join(' \\\n  ')
}
