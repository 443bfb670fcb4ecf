import t from 'tap'
import { createLogger } from '../src/logger.js'

const key = `sk-proj-${'aB3dE6gH9jK2mN5p'.repeat(3)}`

t.test('no log line has a key in it, whatever brought it there, and each stays a line of JSON', t => {
  const lines: string[] = []
  const log = createLogger('debug', { write: line => { lines.push(line) } })
  const cause = Object.assign(new Error(`"${key}"`), {
    detail: `Failing row contains (${key}\n).`, headers: { 'api-key': key }
  })
  log.error({ err: new Error(`refused: ?k%3D${key}`, { cause }), [key]: key }, `a call with ${key} failed`)
  log.child({ request: key }).info({}, 'a child says the same')
  t.equal(lines.length, 2)
  t.notOk(lines.join('').includes(key))
  t.match(lines.map(line => JSON.parse(line) as unknown), [
    { level: 50, msg: 'a call with [redacted key] failed', err: { message: /redacted key/ } },
    { request: '[redacted key]' }
  ])
  t.end()
})
