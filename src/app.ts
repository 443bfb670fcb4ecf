import Fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyReply, LogController } from 'fastify'
import { adminPlugin } from './admin/plugin.js'
import type { Database } from './db/database.js'
import { writeKeyUses } from './db/key-uses.js'
import { policyFile } from './db/policy-file.js'
import { loadPolicy, readPolicyPulse } from './db/policy-store.js'
import type { Config } from './env.js'
import { GatewayError } from './errors.js'
import { frontPage } from './front-page.js'
import { healthRoutes } from './health.js'
import { type Metrics, createMetrics } from './metrics/metrics.js'
import { metricsRoute } from './metrics/metrics-route.js'
import { BodyRoom, bodyRoomBytes } from './proxy/body-room.js'
import { BudgetGate } from './policy/budget-gate.js'
import type { ConnectionLimits } from './proxy/connection-limits.js'
import { Cors } from './proxy/cors.js'
import { KeyUses } from './policy/key-uses.js'
import { Policy } from './policy/policy.js'
import { type Pricing, createPricing } from './pricing/pricing.js'
import { redactKeys } from './redaction/redact.js'
import { CallRecorder } from './proxy/call-recorder.js'
import { type ProxyRoute, createProxyRoute } from './proxy/route.js'
import { createProxyServer } from './proxy/server.js'
import { StreamUsageExceptions } from './metering/stream-usage-exceptions.js'
import { type Tokenizer, createTokenizer } from './metering/tokenizer.js'
import { type Upstream, createUpstream } from './proxy/upstream.js'
import { Recorder } from './recording/recorder.js'
import { clientAddress } from './lib/trusted-proxies.js'
import { answerClientError } from './proxy/client-error.js'
import { closeIdleConnections } from './proxy/close-idle-connections.js'
import { startJobs } from './start-jobs.js'
import { VERSION } from './version.js'

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

/**
 * Builds the gateway with both its planes; never listens. `close` waits for the calls in flight and for their records.
 */
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

/** What holds for the next call, and what it may cost. */
interface PolicyParts {
  readonly pricing: Pricing
  readonly budgets: BudgetGate
  readonly policy: Policy
}

/** The policy is not started: that reads it, which waits for the database. */
async function openPolicy ({ config, database, log, now }: AppDeps, tokenizer: Tokenizer): Promise<PolicyParts> {
  const file = policyFile(config.dataDir)
  const pricing = createPricing({ provider: config.upstreamProvider })
  const budgets = new BudgetGate(now)
  const policy = new Policy({
    load: () => loadPolicy(database.recording),
    readPulse: () => readPolicyPulse(database.recording),
    kept: await file.read(log),
    keep: data => file.write({ ...data, budgets: budgets.withSpent(data.budgets) }),
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
  return { pricing, budgets, policy }
}

/** What becomes of finished calls. */
interface RecordingParts {
  readonly metrics: Metrics
  readonly recorder: Recorder
  readonly keyUses: KeyUses
  readonly calls: CallRecorder
}

async function openRecording ({ config, database, log, now }: AppDeps, budgets: BudgetGate): Promise<RecordingParts> {
  const metrics = createMetrics({ version: VERSION, redact: redactKeys })
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
  const calls = new CallRecorder({ recorder, budgets, keyUses, observe: record => metrics.observeCall(record), log })
  return { metrics, recorder, keyUses, calls }
}

/** The way to the upstream. */
interface ProxyParts {
  readonly upstream: Upstream
  readonly streamUsageExceptions: StreamUsageExceptions
  readonly route: ProxyRoute
}

function openProxy (
  { config, log, now, bodyRoom }: AppDeps, parts: PolicyParts & {
    readonly calls: CallRecorder, readonly tokenizer: Tokenizer
  }
): ProxyParts {
  const upstream = createUpstream(config.upstreamBaseUrl, config.upstreamTimeoutMs)
  const streamUsageExceptions = new StreamUsageExceptions(now)
  const route = createProxyRoute({
    provider: config.upstreamProvider,
    pricing: parts.pricing,
    tokenizer: parts.tokenizer,
    payloadMaxBytes: config.payloadMaxBytes,
    now,
    policy: parts.policy,
    budgets: parts.budgets,
    upstream,
    recorder: parts.calls,
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
  return { upstream, streamUsageExceptions, route }
}

interface DataPlane {
  readonly policy: Policy
  readonly recorder: Recorder
  readonly metrics: Metrics
  readonly route: ProxyRoute
  readonly close: () => Promise<void>
}

async function startDataPlane (deps: AppDeps): Promise<DataPlane> {
  const { config, log, now } = deps
  const tokenizer = createTokenizer({
    onError: error => log.warn({ err: error }, 'the tokenizer failed and starts again; estimates are rough meanwhile')
  })
  if (config.streamUsage === 'estimate') void tokenizer.count('o200k_base', [])
  const policyParts = await openPolicy(deps, tokenizer)
  const { policy } = policyParts
  const { metrics, recorder, keyUses, calls } = await openRecording(deps, policyParts.budgets)
  await policy.start()
  const jobs = await startJobs(deps, policy, metrics.alertAttempt)
  const { upstream, streamUsageExceptions, route } = openProxy(deps, { ...policyParts, calls, tokenizer })
  metrics.watch({
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
  return {
    policy,
    recorder,
    metrics,
    route,
    close: async () => {
      await recorder.close()
      metrics.close()
      await Promise.all([policy.close(), keyUses.close(), upstream.close(), tokenizer.close(), jobs.close()])
    }
  }
}
