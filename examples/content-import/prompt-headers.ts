/** What the gateway is told about a call. */
export interface PromptLabel {
  /** The stable name of this kind of prompt: its books and its switches hang on it. */
  readonly type: string
  readonly description: string
  /** Whom the call is for. */
  readonly user: string
  readonly metadata: Readonly<Record<string, string | number | boolean>>
}

/**
 * The label as request headers. Header values are ASCII on the wire for most clients, so text is percent-encoded and
 * JSON keeps its non-ASCII characters as `\u` escapes.
 */
export function promptHeaders ({ type, description, user, metadata }: PromptLabel): Record<string, string> {
  return {
    'X-Prompt-Type': type,
    'X-Prompt-Description': encodeURIComponent(description),
    'X-Prompt-User': encodeURIComponent(user),
    'X-Prompt-Metadata': JSON.stringify(metadata)
      .replace(/[^\x20-\x7e]/g, unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
  }
}
