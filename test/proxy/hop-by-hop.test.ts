import fc from 'fast-check'
import t from 'tap'
import { endToEndHeaders, isNamed } from '../../src/proxy/hop-by-hop.js'

const none = (): boolean => false

t.test('the headers of one connection go, whatever their case', t => {
  const names = ['Connection', 'keep-alive', 'Proxy-Connection', 'TE', 'Transfer-Encoding', 'UPGRADE']
  t.same(endToEndHeaders(names.flatMap(name => [name, 'x']), none), [])
  t.end()
})

t.test('what Connection names goes too, from each of its lines', t => {
  const headers = [
    'X-Hop', '1', 'Connection', 'close, X-HOP , ,keep-alive', 'x-end', '2', 'connection', '\tOther', 'oTHER', '3',
    'x-hop', '4', 'Close', '5'
  ]
  t.same(endToEndHeaders(headers, none), ['x-end', '2', 'Close', '5'])
  t.end()
})

t.test('all else stays: order, case, duplicates, values', t => {
  const headers = [
    'Set-Cookie', 'a=1; Path=/', 'x-b', '', 'SET-COOKIE', 'b=2', 'Trailer', 'x-sum', 'set-cookie', 'a=1; Path=/',
    'Content-Length', '5', 'X-B', 'caf\u00e9', 'TE-x', 'y'
  ]
  t.same(endToEndHeaders(headers, none), headers)
  const name = fc.stringMatching(/^x-[A-Za-z0-9-]{0,10}$/)
  fc.assert(fc.property(fc.array(fc.tuple(name, fc.string())), pairs => {
    if (JSON.stringify(endToEndHeaders(pairs.flat(), none)) !== JSON.stringify(pairs.flat())) throw new Error('changed')
  }))
  t.end()
})

t.test('the caller\'s own choice is asked by the name as it came, and never about what goes anyway', t => {
  const asked: string[] = []
  const skip = (name: string): boolean => { asked.push(name); return isNamed(name, 'host') }
  t.same(endToEndHeaders(
    ['Host', 'h', 'Connection', 'x-hop', 'X-Hop', '1', 'HOST', 'i', 'Accept', '*/*'], skip
  ), ['Accept', '*/*'])
  t.same(asked, ['Host', 'HOST', 'Accept'])
  t.end()
})
