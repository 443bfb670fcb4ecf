import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { temporaryFolder, testDatabaseOptions } from '../helpers/database.js'
import { checkBooks } from '../helpers/fault-books.js'
import { newTally, startFaultLoad } from '../helpers/fault-load.js'
import { startGatewayProcess } from '../helpers/gateway-process.js'
import { operatorCall } from '../helpers/operator-call.js'
import { startPlannedUpstream } from '../helpers/planned-calls.js'

const CALLERS = 100
const CALLS = 2000
/** Callers of all gateways come to a new prompt type at the same time, and leave it to the next after so many calls. */
const CALLS_PER_TYPE = 100
const promptType = (call: number): string => `type-${Math.floor(call / CALLS_PER_TYPE)}`

for (const count of [2, 5]) {
  t.test(`${count} gateways on one database count the same prompt types: exact to the digit as soon as the last answer is in`, async t => {
    const upstreamUrl = await startPlannedUpstream(t)
    const { databaseUrl } = await testDatabaseOptions(t, 'postgres')
    // No answer overtakes its record, so that a deadlock could not hide in the journal.
    const env = { RECORD_WAIT_MS: '60000', LOG_LEVEL: 'warn' }
    const gateways = await Promise.all(Array.from({ length: count }, async () =>
      await startGatewayProcess(t, { upstreamUrl, location: { databaseUrl, dataDir: temporaryFolder(t) }, env })))
    const tally = newTally()
    const loads = gateways.map(({ origin }) =>
      startFaultLoad(t, origin, { tally, callers: CALLERS / count, promptType }))
    const statuses = new Set<number>()
    for (let turn = 0; tally.answered.size < CALLS && tally.failed.size === 0; turn++) {
      const gateway = gateways[turn % count]
      // A type that callers came to a while ago, and most are still counting.
      const call = tally.answered.size - 2 * CALLERS
      if (gateway !== undefined && call >= 0) {
        const { status } = await operatorCall(gateway.origin, 'PATCH', `/prompt-configs/${promptType(call)}`, {
          track_full_data: turn % 2 === 0
        })
        statuses.add(status)
      }
      await sleep(10)
    }
    await Promise.all(loads.map(async load => await load.stop()))
    t.same([...tally.failed], [])
    t.same([...statuses], [200], 'an operator\'s changes meanwhile are all taken')
    await checkBooks(t, { location: { databaseUrl, dataDir: '' }, tally, promptType })
    t.same(
      gateways.flatMap(gateway => gateway.log.filter(line => Number(line['level']) >= 40)),
      [],
      'nothing went wrong that a log tells of'
    )
    t.same(
      await Promise.all(gateways.map(async gateway => await gateway.stop())),
      gateways.map(() => ({ code: 0, signal: null }))
    )
  })
}
