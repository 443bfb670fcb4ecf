import t from 'tap'
import { type CpuProfile, sharesByModule } from '../../bench/profile-shares.js'

const frame = (id: number, functionName: string, url: string, children: number[] = []): CpuProfile['nodes'][number] =>
  ({ id, callFrame: { functionName, url }, children })

const profile: CpuProfile = {
  nodes: [
    frame(1, '(root)', '', [2, 6, 7, 8]),
    frame(2, 'onData', 'file:///app/dist/proxy/relay.js', [3, 4]),
    frame(3, 'emit', 'node:events'),
    frame(4, 'dispatch', 'file:///app/node_modules/@scope/client/lib/client.js', [5]),
    frame(5, 'writev', ''),
    frame(6, '(garbage collector)', ''),
    frame(7, '(idle)', ''),
    frame(8, 'processTimers', 'node:internal/timers')
  ],
  startTime: 1000,
  samples: [2, 3, 4, 5, 6, 7, 8, 2],
  timeDeltas: [10, 20, 30, 40, 50, 60, 70, 80]
}

t.test('time goes to the nearest module up the stack; garbage, writes and Node by itself stand apart; idling does not count', t => {
  t.same(sharesByModule(profile, 0, Infinity), [
    { module: 'src/proxy/relay.ts', selfUs: 110 },
    { module: 'node:internal/timers', selfUs: 70 },
    { module: 'garbage collection', selfUs: 50 },
    { module: 'writes to sockets', selfUs: 40 },
    { module: '@scope/client', selfUs: 30 }
  ])
  t.end()
})

t.test('what was sampled before and after does not count', t => {
  t.same(sharesByModule(profile, 1030, 1060), [
    { module: '@scope/client', selfUs: 30 }, { module: 'src/proxy/relay.ts', selfUs: 20 }
  ])
  t.end()
})
