import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { type Answer, type HeldLoopScene, call, longestTurn, startHeldLoopScene } from './held-loop.js'
import { answers, requests, streams } from './hostile-bodies.js'

// One call never holds the gateway's event loop for long, whatever its bodies are, with as much stored of them as can be.
// What counts is the main thread's own CPU time in one turn, without garbage collections: by the clock a turn is longer
// on a machine that does other things too. (Before Node 23.9 a process does not know that time: there it is the clock.)

const LIMIT_MS = 100
/** Where a body is read in one step it takes several times the limit, each time. */
const TRIES = 5
const env = { PAYLOAD_MAX_BYTES: '16777216' }

const asks = (more: string): Buffer =>
  Buffer.from(`{"model":"gpt-4o-mini",${more}"messages":[{"role":"user","content":"Say hello."}]}`)
const short = asks('')
const ways = [
  ['stripped', asks('"stream":true,')],
  ['watched', asks('"stream":true,"stream_options":{"include_usage":true},')]
] as const
const hello: Answer = {
  contentType: 'application/json',
  body: Buffer.from('{"model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":"Hello."}}]}')
}

/** The least of a few tries, and at once what is below the limit. */
async function leastMs (scene: HeldLoopScene, body: Buffer, headers: Record<string, string>): Promise<number> {
  let least = Infinity
  for (let tries = 0; tries < TRIES && least >= LIMIT_MS; tries++) {
    await longestTurn(scene)
    if (await call(scene, body, headers) !== 200) return Infinity
    await sleep(200) // What is done behind the answer is this call's, too.
    least = Math.min(least, (await longestTurn(scene)).workMs)
  }
  return Math.round(least)
}

async function startScene (t: Test): Promise<HeldLoopScene> {
  const scene = await startHeldLoopScene(t, 'embedded', env)
  scene.answer = hello
  for (let warm = 0; warm < 30; warm++) await call(scene, short)
  return scene
}

async function check (
  t: Test, scene: HeldLoopScene, name: string, body: Buffer, headers: Record<string, string> = {}
): Promise<void> {
  const heldMs = await leastMs(scene, body, headers)
  t.ok(heldMs < LIMIT_MS, `${name}: ${heldMs} ms`)
}

t.test('no request holds the event loop', async t => {
  const scene = await startScene(t)
  for (const [name, bodyOf] of Object.entries(requests)) await check(t, scene, `a request of ${name}`, bodyOf())
})

t.test('no coded request holds the event loop', async t => {
  const scene = await startScene(t)
  for (const name of ['a text of key markers', 'two million messages', 'base64 with escaped slashes']) {
    const body = gzipSync(requests[name]?.() ?? '', { level: 1 })
    await check(t, scene, `a coded request of ${name}`, body, { 'content-encoding': 'gzip' })
  }
})

t.test('no answer holds the event loop', async t => {
  const scene = await startScene(t)
  for (const [name, bodyOf] of Object.entries(answers)) {
    scene.answer = { ...hello, body: bodyOf() }
    await check(t, scene, `an answer of ${name}`, short)
  }
})

t.test('no stream holds the event loop', async t => {
  const scene = await startScene(t)
  for (const [name, bodyOf] of Object.entries(streams)) {
    scene.answer = { contentType: 'text/event-stream', body: bodyOf() }
    // One event is read alike in both ways.
    const used = name.startsWith('one event') ? ways.slice(0, 1) : ways
    for (const [way, request] of used) await check(t, scene, `a ${way} stream of ${name}`, request)
  }
})
