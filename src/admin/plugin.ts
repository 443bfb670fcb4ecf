import basicAuth from '@fastify/basic-auth'
import helmet from '@fastify/helmet'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Database } from '../db/database.js'
import { constantTimeEqual } from '../lib/constant-time-equal.js'
import type { ClientAddress } from '../lib/trusted-proxies.js'
import type { AlertChannels } from './alert-channels.js'
import { consoleRoutes } from './console.js'
import { answerError } from './error-handler.js'
import { loginRequired, tooManyFailedLogins, unknownRoute } from './errors.js'
import { rejectCrossSite } from './guards.js'
import { createLoginFailures } from './login-failures.js'
import { openapiOptions } from './openapi.js'
import { createChangePolicy } from './queries/policy-change.js'
import type { AdminApp, AdminResource } from './routes/admin-app.js'
import { auditLogRoutes } from './routes/audit-log.js'
import { budgetAlertRoutes } from './routes/budget-alerts.js'
import { budgetRoutes } from './routes/budgets.js'
import { costRoutes } from './routes/costs.js'
import { dailyCostRoutes } from './routes/daily-costs.js'
import { keyRoutes } from './routes/keys.js'
import { openapiRoutes } from './routes/openapi.js'
import { priceRoutes } from './routes/prices.js'
import { promptConfigBulkRoutes } from './routes/prompt-config-bulk.js'
import { promptConfigExportRoutes } from './routes/prompt-config-export.js'
import { promptConfigRoutes } from './routes/prompt-configs.js'
import { repriceRoutes } from './routes/reprice.js'
import { settingsRoutes } from './routes/settings.js'
import { unpricedModelRoutes } from './routes/unpriced-models.js'
import { usageLogExportRoutes } from './routes/usage-log-export.js'
import { usageLogRoutes } from './routes/usage-logs.js'
import { whatIfRoutes } from './routes/what-if.js'
import { ErrorSchema } from './schemas/common.js'
import { validatorCompiler } from './validation.js'

export interface AdminOptions {
  readonly database: Database
  readonly username: string
  readonly password: string
  /** Whose failed logins they are; left out, those of the connection's address. */
  readonly clientAddress?: ClientAddress
  /** Wall clock, milliseconds since the epoch. */
  readonly now: () => number
  /** Whose prices apply: `UPSTREAM_PROVIDER`. */
  readonly provider: string
  /** How alerts can be delivered; left out, only to webhooks at public addresses. */
  readonly alertChannels?: AlertChannels
  /** Calls with a gateway key are served, as there is an `UPSTREAM_API_KEY`; left out, they are. */
  readonly acceptsGatewayKeys?: boolean
  /** Resolves when this instance goes by the policy that the database has now. */
  readonly onPolicyChange: () => Promise<void>
  /** The gateway's own version, for the OpenAPI document. */
  readonly version: string
}

const BODY_LIMIT_BYTES = 1024 * 1024
const noQuery = Type.Object({}, { additionalProperties: false })
/** A prompt type of 128 characters, each of them percent-encoded. */
const LONGEST_PARAM = 3 * 128

/** The resources of the API, in the OpenAPI document's order. */
const RESOURCES: readonly AdminResource[] = [
  promptConfigRoutes,
  promptConfigBulkRoutes,
  promptConfigExportRoutes,
  usageLogRoutes,
  usageLogExportRoutes,
  costRoutes,
  dailyCostRoutes,
  whatIfRoutes,
  keyRoutes,
  priceRoutes,
  unpricedModelRoutes,
  repriceRoutes,
  settingsRoutes,
  budgetRoutes,
  budgetAlertRoutes,
  auditLogRoutes,
  openapiRoutes
]

/**
 * The control plane: everything under /admin, behind the operator's login. Its schemas, hooks, parsers and error
 * answers are its own and affect no other route.
 * @throws Error if the app's router would reject a long prompt type in a path
 */
export async function adminPlugin (root: FastifyInstance, options: AdminOptions): Promise<void> {
  if ((root.initialConfig.routerOptions?.maxParamLength ?? 0) < LONGEST_PARAM) {
    throw new Error(`The app needs routerOptions.maxParamLength of at least ${LONGEST_PARAM}`)
  }
  await root.register(async scope => await serveAdmin(scope, options), { prefix: '/admin' })
}

async function serveAdmin (scope: FastifyInstance, options: AdminOptions): Promise<void> {
  const app = scope.withTypeProvider<TypeBoxTypeProvider>()
  app.setErrorHandler(answerError)
  // A body that is left out is the schema's to judge, so that the message names the fields.
  app.removeAllContentTypeParsers()
  const parseJson = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined)
    else void parseJson(request, body.toString(), done)
  })
  app.addHook('onRoute', route => { route.bodyLimit ??= BODY_LIMIT_BYTES })

  await addHeaders(app)
  await requireLogin(app, options)
  app.setNotFoundHandler(request => { throw unknownRoute(request.method, request.url) })

  app.addSchema(ErrorSchema)
  await app.register(swagger, openapiOptions(options.version))
  await app.register(swaggerUi, { routePrefix: '/docs', indexPrefix: '/admin' })
  await consoleRoutes(app)
  await app.register((api, _options, done) => {
    // Here and not above: a scope that adds schemas gets Fastify's own compiler, unless it sets one.
    api.setValidatorCompiler(validatorCompiler)
    // A route without query parameters rejects any, as it rejects unknown fields of a body.
    api.addHook('onRoute', ({ schema }) => { if (schema !== undefined) schema.querystring ??= noQuery })
    addResources(api.withTypeProvider<TypeBoxTypeProvider>(), options)
    done()
  }, { prefix: '/api' })
}

function addResources (
  api: AdminApp,
  {
    database, now, provider, username, onPolicyChange,
    acceptsGatewayKeys = true, alertChannels = { email: false, privateWebhooks: false }
  }: AdminOptions
): void {
  const changePolicy = createChangePolicy(database, username, now, onPolicyChange)
  const dependencies = { database, now, provider, alertChannels, acceptsGatewayKeys, changePolicy }
  for (const addResource of RESOURCES) addResource(api, dependencies)
}

async function addHeaders (app: FastifyInstance): Promise<void> {
  await app.register(helmet, {
    // The gateway speaks plain HTTP, often inside a private network: a page that upgrades its own requests to HTTPS
    // would get no answer. Whether a host is HTTPS only is for the proxy that ends TLS to say.
    contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } },
    strictTransportSecurity: false
  })
  app.addHook('onRequest', (_request, reply, done) => {
    reply.header('cache-control', 'no-store')
    done()
  })
}

async function requireLogin (
  app: FastifyInstance, { username, password, clientAddress = peer => peer }: AdminOptions
): Promise<void> {
  await app.register(basicAuth, {
    authenticate: { realm: 'promptmeter' },
    validate: (givenUsername, givenPassword, _request, _reply, done) => {
      const rightUsername = constantTimeEqual(givenUsername, username)
      const rightPassword = constantTimeEqual(givenPassword, password)
      done(rightUsername && rightPassword ? undefined : loginRequired())
    }
  })
  const failures = createLoginFailures()
  app.addHook('onRequest', (request, reply, done) => {
    const address = clientAddress(request.ip, forwardedFor(request))
    const retryAfterSeconds = failures.retryAfterSeconds(address)
    if (retryAfterSeconds > 0) {
      done(tooManyFailedLogins(retryAfterSeconds))
      return
    }
    app.basicAuth(request, reply, error => {
      // A request without any login guesses nothing: it is how a browser finds out that it has to ask for one.
      if (error !== undefined && request.headers.authorization !== undefined) failures.add(address)
      done(error === undefined ? undefined : loginRequired())
    })
  })
  app.addHook('onRequest', (request, _reply, done) => {
    rejectCrossSite(request)
    done()
  })
}

/** Node joins the header's lines in their order. */
function forwardedFor ({ headers }: FastifyRequest): string | undefined {
  const value = headers['x-forwarded-for']
  return typeof value === 'string' ? value : value?.join(',')
}
