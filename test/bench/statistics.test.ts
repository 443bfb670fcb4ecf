import t from 'tap'
import { percentile, spreadOf } from '../../bench/statistics.js'

t.test('a percentile is the least value that this part of all values does not exceed', t => {
  const hundred = Float64Array.from({ length: 100 }, (_, i) => i + 1)
  t.equal(percentile(hundred, 0.5), 50)
  t.equal(percentile(hundred, 0.99), 99)
  t.equal(percentile(Float64Array.of(7), 0.99), 7)
  t.ok(Number.isNaN(percentile(Float64Array.of(), 0.5)))
  t.end()
})

t.test('the median of an even number of rounds lies between the two in the middle', t => {
  t.same(spreadOf([10, 9, 100, 11]), { median: 10.5, min: 9, max: 100 })
  t.same(spreadOf([3, 1, 2]), { median: 2, min: 1, max: 3 })
  t.end()
})
