import type { Socket } from 'node:net'
import { GatewayError, requestTimeout } from '../errors.js'

/**
 * Answers a request that the HTTP parser rejects, and closes the connection (RFC 9112 §2.2). If bytes were already
 * written to it, an answer would land in the middle of another: then it is only closed.
 */
export function answerClientError (error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable || socket.bytesWritten > 0) {
    socket.destroy()
    return
  }
  const answer = answerTo(error.code)
  const body = JSON.stringify(answer.toBody())
  socket.end(`HTTP/1.1 ${answer.statusCode} ${REASONS[answer.statusCode] ?? ''}\r\nconnection: close\r\n` +
    `content-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request', 408: 'Request Timeout', 431: 'Request Header Fields Too Large'
}

function answerTo (code: string | undefined): GatewayError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new GatewayError(
        431,
        'headers_too_large',
        'invalid_request_error',
        'The request headers are too large. Send fewer or shorter ones.'
      )
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return requestTimeout()
    default:
      return new GatewayError(400, 'invalid_request', 'invalid_request_error', `The gateway cannot read this as an HTTP request (${code ?? 'unknown'}). Fix the client: send HTTP/1.1.`)
  }
}
