import Fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyReply, LogController } from 'fastify'
import { adminPlugin } from './admin/plugin.js'
import type { Database } from './db/database.js'
import { writeKeyUses } from './db/key-uses.js'
import { policyFile } from './db/policy-file.js'
import { POLICY_CHANNEL, loadPolicy, readPolicyPulse } from './db/policy-store.js'
import type { Config } from './env.js'
import { GatewayError } from './errors.js'
import { frontPage } from './front-page.js'
import { healthRoutes } from './health.js'
import type { Job } from './lib/scheduled-job.js'
import type { Deliver } from './alerts/alert-attempt.js'
import { webhookDelivery } from './alerts/alert-webhook.js'
import { scheduleAlerts } from './alerts/alerts.js'
import { schedulePartitions } from './jobs/partitions.js'
import { scheduleRecordedBatches } from './jobs/recorded-batches.js'
import { scheduleRetention } from './jobs/retention.js'
import { scheduleSummaries } from './jobs/summaries.js'
import { type Metrics, createMetrics } from './metrics/metrics.js'
import { metricsRoute } from './metrics/metrics-route.js'
import { BodyRoom, bodyRoomBytes } from './proxy/body-room.js'
import { BudgetGate } from './policy/budget-gate.js'
import type { ConnectionLimits } from './proxy/connection-limits.js'
import { Cors } from './proxy/cors.js'
import { KeyUses } from './policy/key-uses.js'
import { Policy } from './policy/policy.js'
import { createPricing } from './pricing/pricing.js'
import { redactKeys } from './redaction/redact.js'
import { type ProxyRoute, createProxyRoute } from './proxy/route.js'
import { createProxyServer } from './proxy/server.js'
import { StreamUsageExceptions } from './metering/stream-usage-exceptions.js'
import { createTokenizer } from './metering/tokenizer.js'
import { createUpstream } from './proxy/upstream.js'
import { Recorder } from './recording/recorder.js'
import { clientAddress } from './lib/trusted-proxies.js'
import { answerClientError } from './proxy/client-error.js'
import { closeIdleConnections } from './proxy/close-idle-connections.js'
import { VERSION } from './version.js'
import { loadWebhookSecret } from './alerts/webhook-secret.js'

export interface AppDeps {
  readonly config: Config
  /** Open and migrated. Whoever opened it closes it, after the app. */
  readonly database: Database
  readonly adminPassword: string
  readonly log: FastifyBaseLogger
  /** Wall clock, milliseconds since the epoch. */
  readonly now: () => number
  /** Of callers' connections, where the usual ones do not fit. */
  readonly connectionLimits?: Partial<ConnectionLimits>
  /** For the request bodies that are gathered. */
  readonly bodyRoom?: BodyRoom
}

/** Builds the gateway with both its planes; never listens. `close` waits for the calls under way and for their records. */
export async function buildApp (deps: AppDeps): Promise<FastifyInstance> {
  const { config, database, adminPassword, log } = deps
  const { policy, recorder, metrics, route, close } = await startDataPlane(deps)
  const app = Fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    serverFactory: handler => createProxyServer({ route, others: handler, log, limits: deps.connectionLimits }),
    routerOptions: { maxParamLength: 1024 },
    return503OnClosing: false,
    clientErrorHandler: answerClientError,
    // What the router itself refuses: a path that does not decode, or with an endless segment.
    frameworkErrors: (error, _request, reply: FastifyReply) => {
      const answer = new GatewayError(error.statusCode ?? 400, 'invalid_path', 'invalid_request_error', error.message)
      void reply.code(answer.statusCode).send(answer.toBody())
    }
  })
  await app.register(frontPage)
  await app.register(healthRoutes, { database, policy, recorder })
  await app.register(metricsRoute, { metrics, token: config.metricsToken })
  await app.register(adminPlugin, {
    database,
    username: config.adminUsername,
    password: adminPassword,
    clientAddress: clientAddress(config.trustedProxies),
    now: deps.now,
    provider: config.upstreamProvider,
    acceptsGatewayKeys: config.upstreamApiKey !== null,
    alertChannels: { email: config.smtpUrl !== null, privateWebhooks: config.webhookAllowPrivate },
    onPolicyChange: () => policy.refresh(),
    version: VERSION
  })
  app.setNotFoundHandler((request, reply) => {
    const error = new GatewayError(404, 'not_found', 'invalid_request_error',
      `Nothing is at ${request.method} ${request.url}. Calls go to /v1/…, operators to /admin.`)
    return reply.code(404).send(error.toBody())
  })
  const closeUnused = closeIdleConnections(app.server)
  let stopClosing = (): void => undefined
  app.addHook('preClose', done => {
    stopClosing = closeUnused()
    done()
  })
  app.addHook('onClose', async () => {
    stopClosing()
    await close()
  })
  return app
}

interface DataPlane {
  readonly policy: Policy
  readonly recorder: Recorder
  readonly metrics: Metrics
  readonly route: ProxyRoute
  readonly close: () => Promise<void>
}

async function startDataPlane ({ config, database, log, now, bodyRoom }: AppDeps): Promise<DataPlane> {
  const kept = policyFile(config.dataDir)
  const pricing = createPricing({ provider: config.upstreamProvider })
  const budgets = new BudgetGate(now)
  const policy = new Policy({
    load: () => loadPolicy(database.recording),
    readPulse: () => readPolicyPulse(database.recording),
    kept: await kept.read(log),
    keep: data => kept.write({ ...data, budgets: budgets.withSpent(data.budgets) }),
    onRead: data => {
      pricing.use(data.prices)
      budgets.use(data.budgets)
      // Its first count takes longer than a call may wait, so it is made before there are calls.
      if (data.budgets.some(({ strict }) => strict)) void tokenizer.count('o200k_base', [])
    },
    onSpent: spent => budgets.learn(spent),
    maxPromptTypes: config.maxPromptTypes,
    log
  })
  const upstream = createUpstream(config.upstreamBaseUrl, config.upstreamTimeoutMs)
  const tokenizer = createTokenizer({ onError: error => log.warn({ err: error }, 'the tokenizer failed and starts again; estimates are rough meanwhile') })
  if (config.streamUsage === 'estimate') void tokenizer.count('o200k_base', [])
  const streamUsageExceptions = new StreamUsageExceptions(now)
  const metrics = createMetrics({
    version: VERSION,
    redact: redactKeys,
    upstream: () => {
      const { connected, free, running, pending } = upstream.stats()
      return { connected, free, running, queued: pending }
    },
    streamUsageExceptions: () => streamUsageExceptions.size,
    pending: () => recorder.pending,
    journal: () => {
      const { sizeBytes, oldestAtMs } = recorder.journal
      return { sizeBytes, oldestAgeMs: oldestAtMs === null ? null : now() - oldestAtMs }
    }
  })
  const recorder = await Recorder.open({
    database,
    dataDir: config.dataDir,
    recordWaitMs: config.recordWaitMs,
    observer: metrics.recorder,
    onSpent: spent => budgets.learn(spent),
    onSettled: records => budgets.settled(records),
    now,
    log
  })
  const keyUses = new KeyUses({ write: uses => writeKeyUses(database.recording, uses), log })
  await policy.start()
  const jobs = await startJobs({ config, database, log, now }, policy, metrics)
  const route = createProxyRoute({
    provider: config.upstreamProvider,
    pricing,
    tokenizer,
    payloadMaxBytes: config.payloadMaxBytes,
    now,
    policy,
    budgets,
    upstream,
    recorder: {
      expect: () => recorder.expect(),
      record: call => {
        metrics.observeCall(call.record)
        budgets.recorded(call.record)
        keyUses.note(call.record.keyId, call.record.createdAtMs)
        return recorder.record(call)
      }
    },
    upstreamApiKey: config.upstreamApiKey,
    cors: config.corsOrigins === null ? null : new Cors(config.corsOrigins),
    promptTypeRequired: config.promptTypeRequired,
    upstreamTimeoutMs: config.upstreamTimeoutMs,
    streamUsage: config.streamUsage,
    streamUsageExceptions,
    maxBodyBytes: config.maxBodyBytes,
    bodyRoom: bodyRoom ?? new BodyRoom(bodyRoomBytes(config.maxBodyBytes)),
    log
  })
  return {
    policy,
    recorder,
    metrics,
    route,
    close: async () => {
      await recorder.close()
      metrics.close()
      await Promise.all([policy.close(), keyUses.close(), upstream.close(), tokenizer.close(), ...jobs.map(job => job.close())])
    }
  }
}

/** What the database tells by itself, and what is done in it by the clock. One that is away can wait for both. */
async function startJobs ({ config, database, log, now }: Omit<AppDeps, 'adminPassword'>, policy: Policy, metrics: Metrics): Promise<Job[]> {
  const listening = database.listen(POLICY_CHANNEL, () => policy.heard())
  const partitions = schedulePartitions(database.operator, log, now)
  const recordedBatches = scheduleRecordedBatches(database.operator, log, now)
  const summaries = scheduleSummaries(database.operator, log, now)
  const retention = scheduleRetention(database.operator, { logs: config.logRetentionDays, payloads: config.payloadRetentionDays }, log, now)
  const alerts = scheduleAlerts({
    database,
    webhook: webhookDelivery({ secret: await loadWebhookSecret(config.webhookSecret, config.dataDir), allowPrivate: config.webhookAllowPrivate, now }),
    email: await loadEmailDelivery(config),
    observe: metrics.alertAttempt,
    log,
    now
  })
  // Making a partition locks the log for a moment: not under the first calls.
  if (policy.fresh) await Promise.all([listening, partitions.firstRun])
  else listening.catch((error: unknown) => log.warn({ err: error }, 'changes of policy are not heard of; they are asked for every second'))
  return [partitions, recordedBatches, summaries, retention, alerts]
}

/** Null where e-mail is not configured: then 4 MB of mail library are not loaded either. */
async function loadEmailDelivery ({ smtpUrl, alertEmailFrom }: Config): Promise<Deliver | null> {
  if (smtpUrl === null || alertEmailFrom === null) return null
  const { emailDelivery } = await import('./alerts/alert-email.js')
  return emailDelivery({ smtpUrl, from: alertEmailFrom })
}
