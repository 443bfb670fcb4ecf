import t from 'tap'
import { createLoginFailures } from '../../src/admin/login-failures.js'

t.test('an address may fail as often as the limit says, and then has to wait until its first failure is a window old', t => {
  let now = 5_000
  const failures = createLoginFailures({ limit: 3, windowMs: 60_000, now: () => now })
  for (const time of [5_000, 6_000, 20_000]) {
    now = time
    t.equal(failures.retryAfterSeconds('a'), 0)
    failures.add('a')
  }
  t.equal(failures.retryAfterSeconds('a'), 45)
  t.equal(failures.retryAfterSeconds('b'), 0, 'another address is free')
  now = 64_999
  t.equal(failures.retryAfterSeconds('a'), 1)
  now = 65_000
  t.equal(failures.retryAfterSeconds('a'), 0)
  failures.add('a')
  t.equal(failures.retryAfterSeconds('a'), 1, 'the window slides')
  t.end()
})

t.test('a full table makes room for a new address by forgetting the one first seen', t => {
  const failures = createLoginFailures({ limit: 1, maxAddresses: 2, now: () => 0 })
  for (const address of ['a', 'b', 'b', 'c']) failures.add(address)
  t.equal(failures.retryAfterSeconds('a'), 0)
  t.equal(failures.retryAfterSeconds('b'), 60)
  t.equal(failures.retryAfterSeconds('c'), 60)
  t.end()
})

t.test('the addresses of one IPv6 subnet are one guesser, however they are written, and another subnet is another', t => {
  const failures = createLoginFailures({ limit: 1, now: () => 0 })
  failures.add('2001:db8:1:2:3:4:5:6')
  for (const same of [
    '2001:db8:1:2::', '2001:0DB8:0001:0002:ffff:ffff:ffff:ffff', '2001:db8:1:2::1%eth0', '2001:db8:1:2::192.0.2.1'
  ]) {
    t.equal(failures.retryAfterSeconds(same), 60, same)
  }
  for (const other of [
    '2001:db8:1:3::', '2001:db8::1:2', '::', '::1', 'fe80::1%eth0'
  ]) t.equal(failures.retryAfterSeconds(other), 0, other)
  failures.add('::1')
  t.equal(failures.retryAfterSeconds('0:0:0:0:0:0:0:2'), 60)
  t.end()
})

t.test('an IPv4 address is the same one where a socket for both maps it into IPv6', t => {
  const failures = createLoginFailures({ limit: 1, now: () => 0 })
  failures.add('::ffff:192.0.2.128')
  for (const same of [
    '192.0.2.128', '::FFFF:c000:280', '0:0:0:0:0:ffff:192.0.2.128'
  ]) t.equal(failures.retryAfterSeconds(same), 60, same)
  for (const other of [
    '192.0.2.129', '::ffff:192.0.2.129', '::192.0.2.128'
  ]) t.equal(failures.retryAfterSeconds(other), 0, other)
  t.end()
})

t.test('no number of addresses takes more memory than the table may', t => {
  let now = 0
  const failures = createLoginFailures({ limit: 1, maxAddresses: 3, now: () => now })
  for (let i = 0; i < 100; i++) {
    now = i
    failures.add(`10.0.0.${i}`)
  }
  const kept = Array.from({ length: 100 }, (_, i) => `10.0.0.${i}`)
    .filter(address => failures.retryAfterSeconds(address) > 0)
  t.strictSame(kept, ['10.0.0.97', '10.0.0.98', '10.0.0.99'])
  t.end()
})
