import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import closeWithGrace from 'close-with-grace'
import type { FastifyInstance } from 'fastify'
import { type Logger, pino } from 'pino'
import { loadAdminPassword } from './admin-password.js'
import type { Database } from './db/database.js'
import { openDatabase } from './db/open-database.js'
import { hasPolicyFile } from './db/policy-file.js'
import { type Config, misspeltVariables, readEnvironment, secretsOf } from './env.js'
import { greeting } from './greeting.js'
import { createLogger } from './logger.js'
import { redactKeys } from './redaction/redact.js'
import { ListenError, startFailure } from './start-failure.js'
import { onStopSignals } from './stop-signals.js'

/** When the calls are over, or cut, their records are still to be made safe, and the database to be closed. */
const LAST_RECORDS_MS = 15_000

// The heap may double before it is collected whole, bodies outside of it included: by itself V8 lets it grow by so
// little that each body of 10 MB costs a whole collection, a third of such a call's CPU
// (docs/decisions/0009-the-hot-path.md).
setFlagsFromString('--heap-growing-percent=100')

/** How long a failed start may take to close what it had opened. */
const CLEAN_UP_MS = 5_000

/** What is open by now. Until the port is, a signal ends the process at once: no call has come yet. */
interface Starting {
  config: Config | null
  log: Logger | null
  /** The last one first. */
  readonly close: Array<() => Promise<void>>
}

async function start (starting: Starting): Promise<void> {
  const config = readEnvironment()
  starting.config = config
  // The greeting goes to stdout, the log to stderr, so that either can be sent elsewhere.
  const log = createLogger(config.logLevel, destination)
  starting.log = log
  for (const { name, meant } of misspeltVariables()) {
    log.warn(`the environment has ${name}, which is not a setting; did you mean ${meant}?`)
  }
  // The embedded database starts in a thread of its own; loading the rest meanwhile saves a third of the start.
  const { databaseUrl, dataDir } = config
  const opening = openDatabase({ databaseUrl, dataDir, mayBeUnavailable: hasPolicyFile(dataDir), log })
  const [database, { buildApp }] = await Promise.all([opening, import('./app.js')])
  starting.close.unshift(() => database.close())
  const admin = await loadAdminPassword(config.adminPassword, config.dataDir)
  const app = await buildApp({ config, database, adminPassword: admin.password, log, now: Date.now })
  starting.close.unshift(() => app.close())
  const address = await app.listen({ host: config.host, port: config.port })
    .catch((error: unknown) => { throw new ListenError('The port could not be opened', { cause: error }) })
  closeOnSignal(app, database, config, log)
  process.stdout.write(greeting({ address, config, admin, databaseKind: database.kind }))
}

function closeOnSignal (app: FastifyInstance, database: Database, config: Config, log: Logger): void {
  let stopSignal: string | undefined
  const delay = config.shutdownGraceMs + LAST_RECORDS_MS
  const closing = closeWithGrace({
    delay, logger: log, skip: ['SIGINT', 'SIGTERM']
  }, async ({ err, signal = stopSignal }) => {
    if (err !== undefined) log.fatal({ err }, 'closing after an unhandled error')
    else log.info({ signal }, 'closing: no new calls are accepted, calls in flight are finished and recorded')
    const cut = setTimeout(() => {
      log.warn('SHUTDOWN_GRACE_MS is over: calls that are still in flight are cut off, and recorded as such')
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
      log.error(`second ${signal}: exiting at once`)
      process.exit(1)
    }
  })
}

/** Tells the error that came first, as the last line, whatever the closing brings to light. */
async function endFailedStart (error: unknown, { config, log, close }: Starting): Promise<never> {
  // What fails from here on, fails because of the closing.
  if (log !== null) log.level = 'silent'
  const closing = close.reduce(async (before, one) => { await before; await one().catch(() => {}) }, Promise.resolve())
  await Promise.race([closing, sleep(CLEAN_UP_MS)])
  destination.flushSync()
  const settings = config && { host: config.host, port: config.port, secrets: secretsOf(config) }
  process.stderr.write(redactKeys(startFailure(error, settings)))
  process.exit(1)
}

const destination = pino.destination({ dest: 2, sync: false })
const starting: Starting = { config: null, log: null, close: [] }
let isEnding = false
const fail = (error: unknown): void => {
  if (isEnding) return
  isEnding = true
  void endFailedStart(error, starting)
}
process.on('uncaughtException', fail)
start(starting).then(() => process.off('uncaughtException', fail), fail)
