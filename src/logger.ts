import { type DestinationStream, type Logger, pino } from 'pino'
import { redactKeys } from './redaction/redact.js'

/** The gateway's own log: a line of JSON each, without API keys, whatever an error or a header brought into it. */
export function createLogger (level: string, destination: DestinationStream): Logger {
  return pino({ level, base: null, hooks: { streamWrite: line => redactKeys(line) } }, destination)
}
