import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createDatabase, temporaryFolder } from '../helpers/database.js'
import { checkBooks, untilDegraded } from '../helpers/fault-books.js'
import { newTally, startFaultLoad } from '../helpers/fault-load.js'
import { LONGEST_WAIT_MS } from '../helpers/fault-scene.js'
import { type GatewayProcess, startGatewayProcess } from '../helpers/gateway-process.js'
import { startPlannedUpstream } from '../helpers/planned-calls.js'
import { startTcpProxy } from '../helpers/tcp-proxy.js'
import { until } from '../helpers/until.js'

interface Fault {
  readonly name: string
  readonly ulimit?: string
  readonly breakDisk?: (dataDir: string) => void
  /** Whether the disk takes some of the batches. */
  readonly partly?: boolean
}

const faults: readonly Fault[] = [
  {
    name: 'is not there',
    // A file in the folder's place: no permission would keep root out.
    breakDisk: dataDir => {
      rmSync(join(dataDir, 'journal'), { recursive: true })
      writeFileSync(join(dataDir, 'journal'), '')
    }
  },
  // No file may grow past 512 bytes, which is less than one record takes: EFBIG, where a full disk says ENOSPC.
  { name: 'is full', ulimit: '-f 1' },
  // 64 KiB: some batches fit, the next one is cut off in the middle.
  { name: 'fills up again and again', ulimit: '-f 128', partly: true }
]

for (const { name, ulimit, breakDisk, partly = false } of faults) {
  t.test(`the disk under the journal ${name} while the database is away: calls go on, and each record that is lost is counted`, async t => {
    const databaseUrl = await createDatabase()
    const proxy = await startTcpProxy(t, databaseUrl)
    const location = { databaseUrl, dataDir: temporaryFolder(t) }
    const gateway = await startGatewayProcess(t, {
      upstreamUrl: await startPlannedUpstream(t),
      location: { ...location, databaseUrl: proxy.withPort(databaseUrl) },
      ...(ulimit === undefined ? {} : { ulimit })
    })
    const tally = newTally()
    breakDisk?.(location.dataDir)
    // Before the first call: no commit is under way whose fate nobody knows.
    proxy.refuse()
    proxy.cut('all')

    const startedAtMs = performance.now()
    const load = startFaultLoad(t, gateway.origin, { tally, pauseMs: 50 })
    await untilDegraded(gateway)
    await load.answers(1500)
    await load.stop()
    const { journal } = await gateway.readyz()
    const lost = await lostRecords(gateway)
    const minutes = Math.floor((performance.now() - startedAtMs) / 60_000)
    const errors = gateway.log.filter(({ msg }) => /records are lost/.test(String(msg))).length

    if (!partly) t.equal(journal, 'failing')
    if (partly) t.ok(lost > 0 && lost < tally.answered.size, `${lost} were lost`)
    else t.equal(lost, tally.answered.size, 'the metric counts every call answered meanwhile')
    t.ok(errors >= 1 && errors <= 1 + minutes, `${errors} error lines in ${minutes} full minutes`)
    t.same([...tally.failed], [], 'no call failed')
    t.ok(tally.longestWaitMs < LONGEST_WAIT_MS, `no call waited long: ${tally.longestWaitMs.toFixed()} ms`)

    proxy.restore()
    await untilNothingWaits(gateway)
    t.equal(await lostRecords(gateway), lost, 'nothing is lost once the database is back')
    t.same(await gateway.stop(), { code: 0, signal: null })
    await checkBooks(t, { location, tally, lost })
  })
}

async function lostRecords (gateway: GatewayProcess): Promise<number> {
  return (await gateway.metrics()).get('promptmeter_records_lost_total') ?? NaN
}

async function untilNothingWaits (gateway: GatewayProcess): Promise<void> {
  await until(async () => {
    const { database, records_pending: pending } = await gateway.readyz()
    return database === 'ok' && pending === 0
  }, 50)
}
