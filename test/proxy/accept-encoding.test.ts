import t from 'tap'
import { redoableCodings } from '../../src/proxy/accept-encoding.js'

t.test('Accept-Encoding keeps what can be undone and done again, in its order and with its weights', t => {
  const cases = [
    ['gzip, deflate, br', 'gzip, deflate, br'],
    ['gzip, deflate, br, zstd', 'gzip, deflate, br'],
    ['zstd;q=1.0, GZip;q=0.5 ,identity;q=0', 'GZip;q=0.5 ,identity;q=0'],
    ['x-gzip', 'x-gzip'],
    ['zstd', 'identity'],
    ['*', 'identity'],
    ['zstd, *;q=0.1', 'identity'],
    ['', 'identity'],
    [' , ', 'identity'],
    ['identity', 'identity'],
    ['zstd, identity;q=0.5', 'identity;q=0.5'],
    ['compress, dcb, *', 'identity']
  ] as const
  for (const [accept, expected] of cases) t.equal(redoableCodings(accept), expected, accept)
  t.end()
})

t.test('what the caller refuses stays refused', t => {
  const cases = [
    ['gzip;q=0', 'gzip;q=0, identity'],
    ['gzip;q=0.000, zstd', 'gzip;q=0.000, identity'],
    ['zstd;q=0, br ; q=0.9', 'zstd;q=0, br ; q=0.9'],
    ['gzip, *;q=0', 'gzip, *;q=0'],
    ['zstd, *;q=0, identity', '*;q=0, identity']
  ] as const
  for (const [accept, expected] of cases) t.equal(redoableCodings(accept), expected, accept)
  t.end()
})

t.test('a caller that takes neither such a coding nor none cannot be served', t => {
  for (const accept of [
    'zstd, identity;q=0', 'zstd, *;q=0', '*;q=0', 'identity;q=0', 'gzip; Q=0.0, zstd, *;q=0', 'zstd, Identity ; q = 0'
  ]) {
    t.equal(redoableCodings(accept), null, accept)
  }
  t.end()
})
