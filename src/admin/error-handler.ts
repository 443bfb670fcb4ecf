import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { GatewayError } from '../errors.js'
import { databaseBusy, databaseUnavailable, internalError, queryTimeout } from './errors.js'
import { databaseFailure } from './queries/database-error.js'

/** Answers every error of the operator API in the shape `{"error":{"message","type","param","code"}}`. */
export function answerError (error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const answer = toGatewayError(error)
  if (answer.statusCode >= 500) request.log.error({ err: databaseFailure(error).cause }, answer.message)
  void reply.code(answer.statusCode).headers(answer.headers).send(answer.toBody())
}

function toGatewayError (error: FastifyError): GatewayError {
  if (error instanceof GatewayError) return error
  // Rejected by Fastify itself: broken JSON, a body too large, an unsupported content type.
  if (error.statusCode !== undefined && error.statusCode < 500) {
    const code = error.code.replace(/^FST_(ERR_)?/, '').toLowerCase()
    return new GatewayError(error.statusCode, code, 'invalid_request_error', error.message)
  }
  switch (databaseFailure(error).reason) {
    case 'timeout': return queryTimeout()
    case 'busy': return databaseBusy()
    case 'unavailable': return databaseUnavailable()
    case 'other': return internalError()
  }
}
