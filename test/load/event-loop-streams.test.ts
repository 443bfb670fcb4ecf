import t from 'tap'
import { asks, checkTurns, startHeldLoopScene } from './held-loop.js'
import { streams } from './hostile-bodies.js'

// Apart from event-loop.test.ts, so that both run at once: no stream holds the event loop either.

const ways = [
  ['stripped', asks('"stream":true,')],
  ['watched', asks('"stream":true,"stream_options":{"include_usage":true},')]
] as const

t.test('no stream holds the event loop', async t => {
  const scene = await startHeldLoopScene(t)
  for (const [name, bodyOf] of Object.entries(streams)) {
    scene.answer = { contentType: 'text/event-stream', body: bodyOf() }
    // One event is read alike in both ways.
    const used = name.startsWith('one event') ? ways.slice(0, 1) : ways
    for (const [way, request] of used) await checkTurns(t, scene, `a ${way} stream of ${name}`, request)
  }
})
