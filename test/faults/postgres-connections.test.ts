import t from 'tap'
import { createDatabase } from '../helpers/database.js'
import { untilDegraded } from '../helpers/fault-books.js'
import { type Scene, endScene, startScene } from '../helpers/fault-scene.js'
import { type TcpProxy, startTcpProxy } from '../helpers/tcp-proxy.js'

/** The statement that commits a batch. */
const BATCH = /write_batch/

function throughProxy (name: string, faults: (scene: Scene, proxy: TcpProxy) => Promise<void>): void {
  t.test(`${name}: no call fails or waits, and the books are exact`, async t => {
    const databaseUrl = await createDatabase()
    const proxy = await startTcpProxy(t, databaseUrl)
    const scene = await startScene(t, { databaseUrl, gatewayUrl: proxy.withPort(databaseUrl) })
    await faults(scene, proxy)
    proxy.restore()
    await endScene(t, scene)
  })
}

throughProxy('connections cut one by one', async ({ load }, proxy) => {
  for (let cuts = 0; cuts < 30;) {
    cuts += proxy.cut('one')
    await load.answers(50)
  }
})

throughProxy('all connections cut, and new ones refused for a while', async ({ load, gateway }, proxy) => {
  for (let round = 0; round < 3; round++) {
    proxy.refuse()
    proxy.cut('all')
    await untilDegraded(gateway)
    await load.answers(300)
    proxy.restore()
    await load.answers(300)
  }
})

throughProxy('every third answer to a commit lost', async ({ load }, proxy) => {
  proxy.loseAnswers(BATCH, 3)
  await load.answers(2000)
  t.ok(proxy.lostAnswers() >= 5, `${proxy.lostAnswers()} were`)
})

throughProxy('every answer to a commit lost', async ({ load, gateway }, proxy) => {
  proxy.loseAnswers(BATCH)
  await untilDegraded(gateway)
  await load.answers(1000)
  t.ok(proxy.lostAnswers() >= 3, `${proxy.lostAnswers()} were`)
})
