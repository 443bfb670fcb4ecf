import t from 'tap'
import { type BudgetPeriod, periodOf } from '../../src/lib/budget-period.js'

const bounds = (period: BudgetPeriod, at: string): string[] => {
  const { startMs, endMs } = periodOf(period, Date.parse(at))
  return [startMs, endMs].map(time => time === null ? 'never' : new Date(time).toISOString().replace(':00.000Z', ''))
}

t.test('a day is a UTC day, its first millisecond in and its last too', t => {
  t.same(bounds('day', '2028-02-29T00:00:00.000Z'), ['2028-02-29T00:00', '2028-03-01T00:00'])
  t.same(bounds('day', '2028-02-29T23:59:59.999Z'), ['2028-02-29T00:00', '2028-03-01T00:00'])
  t.end()
})

t.test('a week is an ISO week: from Monday, week 53 and the turn of the year included', t => {
  t.same(bounds('week', '2026-12-31T12:00:00Z'), ['2026-12-28T00:00', '2027-01-04T00:00']) // 2026-W53
  t.same(bounds('week', '2027-01-03T23:59:59.999Z'), ['2026-12-28T00:00', '2027-01-04T00:00'])
  t.same(bounds('week', '2027-01-04T00:00:00Z'), ['2027-01-04T00:00', '2027-01-11T00:00'])
  t.same(bounds('week', '1970-01-01T00:00:00Z'), ['1969-12-29T00:00', '1970-01-05T00:00'])
  t.end()
})

t.test('a month is a calendar month, leap years and the turn of the year included', t => {
  t.same(bounds('month', '2028-02-29T23:59:59.999Z'), ['2028-02-01T00:00', '2028-03-01T00:00'])
  t.same(bounds('month', '2027-02-28T23:59:59.999Z'), ['2027-02-01T00:00', '2027-03-01T00:00'])
  t.same(bounds('month', '2026-12-31T23:59:59.999Z'), ['2026-12-01T00:00', '2027-01-01T00:00'])
  t.end()
})

t.test('a total has no end', t => {
  t.same(bounds('total', '2026-11-23T04:00:00Z'), ['1970-01-01T00:00', 'never'])
  t.end()
})
