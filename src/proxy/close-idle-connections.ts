import type { Server } from 'node:http'
import type { Socket } from 'node:net'

const LOOK_EVERY_MS = 100

/**
 * A closing server waits for its connections to end, and callers keep theirs for their next call: those on which no call
 * is under way are closed here as their calls end. Node closes the idle ones only once, at the beginning, and takes a
 * connection on which nothing was ever sent for busy. The first look comes late enough for a request that is on its way.
 *
 * @returns begins closing them, and in turn what ends that
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
