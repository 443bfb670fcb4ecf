import t from 'tap'
import { CallRecorder } from '../../src/proxy/call-recorder.js'
import type { FinishedCall } from '../../src/recording/call-record.js'
import { callRecord } from '../helpers/batches.js'

t.test('a finished call is spent, noted and counted; where that throws, it is recorded all the same', async t => {
  const call: FinishedCall = {
    record: callRecord({ keyId: 'key' }), buildPayload: () => ({ prompt: null, response: null })
  }
  for (const fails of [false, true]) {
    const did: string[] = []
    const logged: string[] = []
    const log = (_fields: object, message: string): void => { logged.push(message) }
    const calls = new CallRecorder({
      recorder: {
        expect: () => did.push('expected'), record: () => { did.push('recorded'); return Promise.resolve() }
      },
      budgets: { recorded: () => did.push('spent') },
      keyUses: { note: keyId => did.push(`noted ${keyId ?? ''}`) },
      observe: () => {
        if (fails) throw new Error('no')
        did.push('counted')
      },
      log: { debug: log, info: log, warn: log, error: log }
    })
    calls.expect()
    await calls.record(call)
    t.same(did, ['expected', 'spent', 'noted key', ...fails ? [] : ['counted'], 'recorded'])
    t.equal(logged.length, fails ? 1 : 0)
  }
})
