import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** Resolves once nobody takes connections at the origin any more. */
export async function untilRefused (origin: string): Promise<void> {
  for (;;) {
    const socket = connect(Number(new URL(origin).port), '127.0.0.1')
    const outcome = await Promise.race([once(socket, 'connect').then(() => 'taken', String), once(socket, 'close').then(() => 'closed')])
    socket.destroy()
    if (outcome.includes('ECONNREFUSED')) return
    await sleep(5)
  }
}
