import t from 'tap'
import { endScene, startOwnPostgres, startScene } from '../helpers/fault-scene.js'

/**
 * Between the 10,000th and the 50,000th call of an outage. A call that stayed in memory, with its two bodies, its
 * record and what holds them together, would take 2 kB or more: 80 MB, more than the heap is given. What is left to
 * grow is what the collector has not come to yet, and what the sockets' buffers take.
 */
const MAX_GROWTH_BYTES = 48 * 1024 * 1024

t.test('an outage of 50,000 calls does not fill the memory, and all of them come into the books', async t => {
  const server = await startOwnPostgres(t)
  const scene = await startScene(t, { databaseUrl: server.url(), pauseMs: 0, nodeArgs: ['--max-old-space-size=96'] })
  await server.stop('immediate')
  await scene.load.answers(10_000)
  const early = scene.gateway.residentBytes()
  await scene.load.answers(40_000)
  const late = scene.gateway.residentBytes()
  t.match(await scene.gateway.readyz(), { status: 'degraded', journal: 'in_use' })
  await server.start()
  await endScene(t, scene)
  t.comment(`resident: ${megabytes(early)} after 10,000 calls, ${megabytes(late)} after 50,000`)
  t.ok(late - early < MAX_GROWTH_BYTES, `it grew by ${megabytes(late - early)}`)
})

const megabytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed()} MB`
