import t, { type Test } from 'tap'
import { openDatabase } from '../../src/db/open-database.js'
import { databaseKinds, silentLog, temporaryFolder, testDatabaseOptions } from '../helpers/database.js'
import { checkBooks, untilCaughtUp } from '../helpers/fault-books.js'
import { type Tally, newTally, startFaultLoad } from '../helpers/fault-load.js'
import { startGatewayProcess } from '../helpers/gateway-process.js'
import { startPlannedUpstream } from '../helpers/planned-calls.js'
import { type TcpProxy, startTcpProxy } from '../helpers/tcp-proxy.js'
import { untilRefused } from '../helpers/until-refused.js'

interface Location {
  readonly databaseUrl: string | null
  readonly dataDir: string
}

/** Longer than the test may take: a gateway that waits for this limit does not pass. */
const NO_LIMIT = { SHUTDOWN_GRACE_MS: '3600000' }
const ended = { code: 0, signal: null }

/**
 * Whose call was not answered had no connection, or lost it before the call was begun; no call was broken off in its
 * answer.
 */
function checkFailures (t: Test, tally: Tally): void {
  const others = [...tally.failed.values()].filter(how => !/ECONNREFUSED|ECONNRESET|other side closed/.test(how))
  t.same(others.slice(0, 5), [], `no call failed otherwise than without a connection (${others.length} did)`)
}

for (const kind of databaseKinds) {
  t.test(`SIGTERM under load: no connection is taken, every call that was begun is answered and in the books, exit 0 (${kind})`, async t => {
    const upstreamUrl = await startPlannedUpstream(t)
    const location = await testDatabaseOptions(t, kind)
    const gateway = await startGatewayProcess(t, {
      upstreamUrl, location, env: { ...NO_LIMIT, RECORD_WAIT_MS: '60000' }
    })
    const tally = newTally()
    const load = startFaultLoad(t, gateway.origin, { tally })
    await load.answers(500)
    gateway.kill('SIGTERM')
    await untilRefused(gateway.origin)
    t.same(await gateway.exited, ended)
    await load.stop()
    checkFailures(t, tally)
    t.same(gateway.log.filter(line => Number(line['level']) >= 40), [])
    await checkBooks(t, { location, tally })
    t.same(
      await countLog(t, location), { calls: tally.answered.size, failures: 0 }, 'as many calls as answers: none was cut'
    )
  })
}

const outages: Array<[string, (proxy: TcpProxy) => void]> = [
  ['is away', proxy => {
    proxy.refuse()
    proxy.cut('all')
  }],
  ['does not answer', proxy => proxy.freeze()]
]
for (const [name, begin] of outages) {
  t.test(`SIGTERM under load while the database ${name}: exit 0, and the next start brings every call into the books`, async t => {
    const upstreamUrl = await startPlannedUpstream(t)
    const location = await testDatabaseOptions(t, 'postgres')
    const proxy = await startTcpProxy(t, location.databaseUrl ?? '')
    const through = { ...location, databaseUrl: proxy.withPort(location.databaseUrl ?? '') }
    const gateway = await startGatewayProcess(t, { upstreamUrl, location: through, env: NO_LIMIT })
    const tally = newTally()
    const load = startFaultLoad(t, gateway.origin, { tally })
    await load.answers(300)
    begin(proxy)
    await load.answers(300)
    t.same(await gateway.stop(), ended)
    await load.stop()
    checkFailures(t, tally)
    t.ok(tally.answered.size >= 600)

    proxy.restore()
    const next = await startGatewayProcess(t, { upstreamUrl, location: through })
    await untilCaughtUp(next)
    t.same(await next.stop(), ended)
    await checkBooks(t, { location, tally })
  })
}

async function countLog (
  t: Test, { databaseUrl, dataDir }: Location
): Promise<{ calls: number, failures: number } | undefined> {
  const database = await openDatabase({
    databaseUrl, dataDir: databaseUrl === null ? dataDir : temporaryFolder(t), log: silentLog
  })
  try {
    const [counts] = await database.operator.$client.unsafe<Array<{ calls: number, failures: number }>>(
      'select count(*)::int as calls, count(*) filter (where not success)::int as failures from usage_logs')
    return counts
  } finally {
    await database.close()
  }
}
