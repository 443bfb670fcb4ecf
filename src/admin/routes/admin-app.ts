import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type {
  FastifyBaseLogger, FastifyInstance, RawReplyDefaultExpression, RawRequestDefaultExpression, RawServerDefault
} from 'fastify'
import type { Database } from '../../db/database.js'
import type { AlertChannels } from '../alert-channels.js'
import type { ChangePolicy } from '../queries/policy-change.js'

/** The Fastify scope under /admin/api, whose handlers take their types from the TypeBox schemas. */
export type AdminApp = FastifyInstance<
  RawServerDefault, RawRequestDefaultExpression, RawReplyDefaultExpression, FastifyBaseLogger, TypeBoxTypeProvider>

export interface RouteDependencies {
  readonly database: Database
  /** Wall clock, milliseconds since the epoch. */
  readonly now: () => number
  /** Whose prices apply: `UPSTREAM_PROVIDER`. */
  readonly provider: string
  readonly changePolicy: ChangePolicy
  readonly alertChannels: AlertChannels
  /** Calls with a gateway key are served. */
  readonly acceptsGatewayKeys: boolean
}

/** A resource of the API, one a file: adds the schemas that it shares under their `$id`, and its routes. */
export type AdminResource = (app: AdminApp, dependencies: RouteDependencies) => void
