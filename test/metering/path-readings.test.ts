import fc from 'fast-check'
import t from 'tap'
import { leavesFolder, normalName, pathReadings } from '../../src/metering/path-readings.js'
import { quickestMs } from '../helpers/cpu-time.js'

t.test('a path that any server may take out of its folder is known', t => {
  for (const path of [
    '/..', '/../', '/../x', '/a/../../b', '/%2e%2e/x', '/.%2E/x', '/%2e./x', '/..%2fx', '/..%2F', '/%2e%2e%2fx', '/%2e%2e%5cx', '/..\\x', '\\..\\x', '/..%5Cx', '/..;/x',
    '/..;a=b/x', '/..%3B/x', '/;/../x', '/%252e%252e/x', '/%252e%252e%252fx', '/%25252e%25252e/x', '/a//../../x', '/a/./../../x', '/a%2Fb/../../x', '/a\\b/../../x',
    '/..%00/x', '/..%20/x', '/..%3f/x', '/..#', '/%c0%ae%c0%ae/x', '/%e0%80%ae%e0%80%ae/x', '/\xc0\xae\xc0\xae/x', '/..%c0%afx', '/x/%2e%2e/%2e%2e/v1/x'
  ]) t.equal(leavesFolder(path), true, path)
  t.end()
})

t.test('one that stays inside is let through', t => {
  for (const path of [
    '', '/', '/models/gpt-4.1', '/...', '/..a', '/a..', '/a/..', '/a/b/../../c', '/a/%2e%2e/b', '/a%2fb/..', '/a;b=c,d/../e/./f', '/files/%zz', '/%', '/a%2Fb%00', '/a\\..\\b',
    '/fine_tuning/jobs/ft:a.b::c', '/x%2e%2e', '/.%2f.', '/a/.../../b'
  ]) t.equal(leavesFolder(path), false, path)
  t.end()
})

const segment = fc.constantFrom('a', 'b.c', '.', '..', '', '%2e%2e', '.%2E', 'x%2fy')
const path = fc.array(segment, { maxLength: 8 }).map(segments => `/${segments.join('/')}`)

t.test('what the URL standard resolves to a place outside of the folder is known, however deep the folder lies', t => {
  fc.assert(fc.property(path, fc.integer({ min: 1, max: 4 }), (path, depth) => {
    const base = '/base'.repeat(depth)
    const { pathname } = new URL(`http://host${base}${path}`)
    if (pathname !== base && !pathname.startsWith(`${base}/`)) t.equal(leavesFolder(path), true, path)
  }))
  t.end()
})

t.test('the normal form is that of the URL standard, with slashes merged', t => {
  fc.assert(fc.property(path, path => {
    const merged = path.replace(/%2e/gi, '.').replace(/\/+/g, '/')
    t.equal(normalName(path), new URL(`http://host${merged}`).pathname.replace(/^\/|\/$/g, ''), path)
  }))
  t.equal(normalName('/%63hat//%7E%2f%41;a/.'), 'chat/~%2fA;a')
  t.end()
})

t.test('the longest path takes no more than time in proportion', t => {
  for (const part of ['/', '/a/..', '/%252e%252e;\\/a', '.%252541', '/a%5c;%3b/x%3f..', '..%20%00', ';', '%25', '\\']) {
    // Of five times the shortest: what others do on the machine does not count.
    const [short = 0, long = 0] = [1_200, 120_000].map(length => quickestMs(() => {
      const path = part.repeat(length / part.length)
      leavesFolder(path)
      for (const segments of pathReadings(path)) {
        if (segments !== null &&
        segments.length > length) t.fail('more segments than characters')
      }
    }))
    t.ok(long < 1000 * (short +
      0.5), `${part}: ${short} and ${long} ms`) // A hundred times as long; squared, it would be ten thousand.
  }
  t.end()
})
