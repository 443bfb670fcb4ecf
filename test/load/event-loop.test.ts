import { gzipSync } from 'node:zlib'
import t from 'tap'
import { asks, checkTurns, hello, startHeldLoopScene } from './held-loop.js'
import { answers, requests } from './hostile-bodies.js'

// One call never holds the gateway's event loop for long, whatever its bodies are, with as much stored of them as can
// be.

t.test('no request holds the event loop', async t => {
  const scene = await startHeldLoopScene(t)
  for (const [name, bodyOf] of Object.entries(requests)) await checkTurns(t, scene, `a request of ${name}`, bodyOf())
})

t.test('no coded request holds the event loop', async t => {
  const scene = await startHeldLoopScene(t)
  for (const name of ['a text of key markers', 'two million messages', 'base64 with escaped slashes']) {
    const body = gzipSync(requests[name]?.() ?? '', { level: 1 })
    await checkTurns(t, scene, `a coded request of ${name}`, body, { headers: { 'content-encoding': 'gzip' } })
  }
})

t.test('no answer holds the event loop', async t => {
  const scene = await startHeldLoopScene(t)
  for (const [name, bodyOf] of Object.entries(answers)) {
    scene.answer = { ...hello, body: bodyOf() }
    await checkTurns(t, scene, `an answer of ${name}`, asks(''))
  }
})
