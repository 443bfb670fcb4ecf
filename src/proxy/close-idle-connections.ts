import type { Server } from 'node:http'
import type { Socket } from 'node:net'

const LOOK_EVERY_MS = 100

/**
 * Closes the idle connections of a closing server, as their calls end. The server waits for its connections to end,
 * and callers keep theirs open for the next call. Node closes the idle ones only once, at the beginning, and counts a
 * connection without any request as busy. The first look comes late enough for a request that is on its way.
 *
 * @returns begins closing them, and returns what stops that
 */
export function closeIdleConnections (server: Server): () => () => void {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  const close = (): void => {
    server.closeIdleConnections()
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
  }
  return () => {
    const timer = setInterval(close, LOOK_EVERY_MS)
    return () => clearInterval(timer)
  }
}
