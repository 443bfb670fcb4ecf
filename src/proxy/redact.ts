/** OpenAI's keys (`sk-…`, `sk-proj-…`, `sk-admin-…`) and this gateway's. */
const KEYS = /\bsk-[A-Za-z0-9_-]{20,}|\bpm_[A-Za-z0-9_-]{43}/g

/** The text without API keys: none is ever stored, whoever put it there. */
export function redactKeys (text: string): string {
  return text.includes('sk-') || text.includes('pm_') ? text.replace(KEYS, '[redacted key]') : text
}
