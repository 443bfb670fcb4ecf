import { once } from 'node:events'
import { connect } from 'node:net'
import { until } from './until.js'

/** Resolves once nobody takes connections at the origin any more. */
export async function untilRefused (origin: string): Promise<void> {
  await until(async () => {
    const socket = connect(Number(new URL(origin).port), '127.0.0.1')
    const outcome = await Promise.race([
      once(socket, 'connect').then(() => 'taken', String), once(socket, 'close').then(() => 'closed')
    ])
    socket.destroy()
    return outcome.includes('ECONNREFUSED')
  })
}
