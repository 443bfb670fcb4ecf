import type { FastifyInstance } from 'fastify'
import { GatewayError } from '../errors.js'
import { constantTimeEqual } from '../lib/constant-time-equal.js'
import type { Metrics } from './metrics.js'

export interface MetricsRouteOptions {
  readonly metrics: Pick<Metrics, 'contentType' | 'text'>
  /** `METRICS_TOKEN`; null: no one needs a token. */
  readonly token: string | null
}

/** `GET /metrics`, for Prometheus. A token is sent as RFC 6750 says. */
export function metricsRoute (app: FastifyInstance, { metrics, token }: MetricsRouteOptions, done: () => void): void {
  app.get('/metrics', async (request, reply) => {
    const sent = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? ''
    if (token !== null && !constantTimeEqual(sent, token)) {
      return reply.code(401).header('www-authenticate', 'Bearer realm="promptmeter metrics"')
        .send(tokenMissing().toBody())
    }
    return reply.type(metrics.contentType).send(await metrics.text())
  })
  done()
}

const tokenMissing = (): GatewayError => new GatewayError(401, 'invalid_metrics_token', 'invalid_request_error',
  "These metrics require a token. Send the value of METRICS_TOKEN as 'Authorization: Bearer …'.")
