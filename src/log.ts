/** The part of pino that modules below the HTTP layer use. */
export interface Log {
  debug: LogMethod
  info: LogMethod
  warn: LogMethod
  error: LogMethod
}

type LogMethod = (fields: object, message: string) => void
