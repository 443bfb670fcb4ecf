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
