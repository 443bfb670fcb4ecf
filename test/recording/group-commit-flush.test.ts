import t from 'tap'
import { GroupCommit } from '../../src/recording/group-commit.js'
import { callRecord } from '../helpers/batches.js'
import { silentLog } from '../helpers/database.js'

const timers = (): number => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length

t.test('a flushed recorder leaves nothing that keeps the process from ending', async t => {
  const recorder = new GroupCommit({
    write: () => Promise.resolve(),
    isRefusal: () => false,
    setAside: () => Promise.resolve(),
    recordWaitMs: 60_000,
    now: Date.now,
    log: silentLog
  })
  const before = timers()
  await recorder.record({ record: callRecord(), buildPayload: () => ({ prompt: null, response: null }) })
  t.equal(timers(), before + 1, 'one timer for all who wait')
  await recorder.flush()
  t.equal(timers(), before)
})
