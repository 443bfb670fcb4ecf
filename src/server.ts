import { setFlagsFromString } from 'node:v8'
import closeWithGrace from 'close-with-grace'
import { type Logger, pino } from 'pino'
import { loadAdminPassword } from './admin-password.js'
import type { buildApp } from './app.js'
import { type Database, openDatabase } from './db/client.js'
import { hasPolicyFile } from './db/policy-file.js'
import { type Config, readEnvironment } from './env.js'
import { greeting } from './greeting.js'
import { createLogger } from './logger.js'
import { redactKeys } from './redaction/redact.js'
import { onStopSignals } from './stop-signals.js'

/** When the calls are over, or cut, their records are still to be made safe, and the database to be closed. */
const LAST_RECORDS_MS = 15_000

// The heap may double before it is collected whole, bodies outside of it included: by itself V8 lets it grow by so little that
// each body of 10 MB costs a whole collection, a third of such a call's CPU (docs/decisions/0009-the-hot-path.md).
setFlagsFromString('--heap-growing-percent=100')

async function start (): Promise<void> {
  const config = readEnvironment()
  // The greeting goes to stdout, the log to stderr, so that either can be sent elsewhere.
  const log = createLogger(config.logLevel, pino.destination({ dest: 2, sync: false }))
  // The embedded database starts in a thread of its own; loading the rest meanwhile saves a third of the start.
  const [database, app] = await Promise.all([
    openDatabase({ databaseUrl: config.databaseUrl, dataDir: config.dataDir, mayBeAway: hasPolicyFile(config.dataDir), log }),
    import('./app.js')
  ])
  try {
    await serve(app.buildApp, config, database, log)
  } catch (error) {
    await database.close()
    throw error
  }
}

async function serve (build: typeof buildApp, config: Config, database: Database, log: Logger): Promise<void> {
  const admin = await loadAdminPassword(config.adminPassword, config.dataDir)
  const app = await build({ config, database, adminPassword: admin.password, log, now: Date.now })
  let stopSignal: string | undefined
  const delay = config.shutdownGraceMs + LAST_RECORDS_MS
  const closing = closeWithGrace({ delay, logger: log, skip: ['SIGINT', 'SIGTERM'] }, async ({ err, signal = stopSignal }) => {
    if (err !== undefined) log.fatal({ err }, 'closing after an error that nobody handled')
    else log.info({ signal }, 'closing: no new calls, those under way are finished and recorded')
    const cut = setTimeout(() => {
      log.warn('SHUTDOWN_GRACE_MS is over: the calls that are still under way are cut, and recorded as that')
      app.server.closeAllConnections()
    }, config.shutdownGraceMs)
    await app.close()
    clearTimeout(cut)
    await database.close()
  })
  onStopSignals({
    stop: signal => {
      stopSignal = signal
      closing.close()
    },
    again: signal => {
      log.error(`second ${signal}: ending at once`)
      process.exit(1)
    }
  })
  const address = await app.listen({ host: config.host, port: config.port })
  process.stdout.write(greeting({ address, config, admin, databaseKind: database.kind }))
}

try {
  await start()
} catch (error) {
  const reason = redactKeys(error instanceof Error ? error.message : String(error))
  process.stderr.write(`promptmeter did not start: ${reason}\n`)
  process.exit(1)
}
