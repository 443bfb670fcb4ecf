import fc from 'fast-check'
import t from 'tap'
import { comparison, spanText, untilText } from '../../src/console/comparison.js'
import { rangeOf } from '../../src/console/range.js'
import { fieldText, instantOf, linkText } from '../../src/console/utc.js'

const HOUR_MS = 3_600_000
const compared = (range: string, now: string): string[] | null => {
  const found = comparison(rangeOf(range, Date.parse(now)), Date.parse(now))
  return found === null
    ? null
    : [found.now, found.before].map(({ from, to }) => `${from.slice(0, 16)} ${to.slice(0, 16)}`)
}

t.test('a range that is not over is compared with the same part of the period before, by whole hours', t => {
  for (const [range, now, expected] of [
    ['today', '2026-11-28T14:05:00Z', ['2026-11-28T00:00 2026-11-28T14:00', '2026-11-27T00:00 2026-11-27T14:00']],
    ['week', '2026-11-28T14:05:00Z', ['2026-11-23T00:00 2026-11-28T14:00', '2026-11-16T00:00 2026-11-21T14:00']],
    ['week', '2026-11-29T23:59:00Z', ['2026-11-23T00:00 2026-11-29T23:00', '2026-11-16T00:00 2026-11-22T23:00']],
    ['week', '2026-11-30T01:00:00Z', ['2026-11-30T00:00 2026-11-30T01:00', '2026-11-23T00:00 2026-11-23T01:00']],
    ['7d', '2026-11-28T14:05:00Z', ['2026-11-22T00:00 2026-11-28T14:00', '2026-11-15T00:00 2026-11-21T14:00']],
    ['24h', '2026-11-28T14:05:00Z', ['2026-11-27T15:00 2026-11-28T14:00', '2026-11-26T15:00 2026-11-27T14:00']],
    ['month', '2026-11-28T14:05:00Z', ['2026-11-01T00:00 2026-11-28T14:00', '2026-10-01T00:00 2026-10-28T14:00']],
    // A month that is too short has ended by then.
    ['month', '2027-03-31T14:05:00Z', ['2027-03-01T00:00 2027-03-31T14:00', '2027-02-01T00:00 2027-03-01T00:00']],
    ['month', '2028-03-30T14:05:00Z', ['2028-03-01T00:00 2028-03-30T14:00', '2028-02-01T00:00 2028-03-01T00:00']],
    ['365d', '2028-02-29T12:00:00Z', ['2027-03-01T00:00 2028-02-29T12:00', '2026-03-01T00:00 2027-03-01T00:00']],
    [
      '2026-11-01..2026-11-28',
      '2026-11-28T14:05:00Z',
      ['2026-11-01T00:00 2026-11-28T14:00', '2026-10-01T00:00 2026-10-28T14:00']
    ],
    [
      '2026-11-01..2026-11-30',
      '2026-11-28T14:05:00Z',
      ['2026-11-01T00:00 2026-11-28T14:00', '2026-10-01T00:00 2026-10-28T14:00']
    ],
    // What is over is compared whole: months with months, days with as many days.
    [
      '2026-10-01..2026-10-31',
      '2026-11-28T14:05:00Z',
      ['2026-10-01T00:00 2026-11-01T00:00', '2026-09-01T00:00 2026-10-01T00:00']
    ],
    [
      '2026-11-09..2026-11-15',
      '2026-11-28T14:05:00Z',
      ['2026-11-09T00:00 2026-11-16T00:00', '2026-11-02T00:00 2026-11-09T00:00']
    ],
    ['today', '2026-11-28T00:59:59Z', null],
    ['month', '2027-01-01T00:00:00Z', null]
  ] as const) t.same(compared(range, now), expected, `${range} at ${now}`)
  t.end()
})

t.test('at any moment both spans end at the same hour, do not overlap, and leave out only the hour that is', t => {
  const range = fc.constantFrom('today', 'week', 'month', '24h', '7d', '30d', '90d', '365d')
  fc.assert(fc.property(range, fc.integer({ min: Date.UTC(2026, 0), max: Date.UTC(2030, 0) }), (name, nowMs) => {
    const found = comparison(rangeOf(name, nowMs), nowMs)
    if (found === null) return nowMs - Date.parse(rangeOf(name, nowMs).from) < HOUR_MS
    const [nowEnd, beforeEnd] = [found.now.to, found.before.to].map(to => Date.parse(to)) as [number, number]
    const isSameHour = (nowEnd - beforeEnd) % (24 * HOUR_MS) === 0 || found.before.to.endsWith('-01T00:00:00.000Z')
    return found.isPart && nowEnd === Math.floor(nowMs / HOUR_MS) * HOUR_MS && isSameHour &&
      beforeEnd <= Date.parse(found.now.from) && found.before.from < found.before.to
  }))
  t.end()
})

t.test('spans are said with their zone', t => {
  const span = (from: string, to: string): { from: string, to: string } => ({ from: `${from}:00Z`, to: `${to}:00Z` })
  t.equal(spanText(span('2026-11-21T00:00', '2026-11-22T00:00')), '21 Nov (UTC)')
  t.equal(spanText(span('2026-11-15T00:00', '2026-11-22T00:00')), '15 Nov to 21 Nov (UTC)')
  t.equal(spanText(span('2026-12-15T00:00', '2027-01-02T14:00')), '15 Dec 2026, 00:00 to 2 Jan 2027, 14:00 UTC')
  t.equal(untilText(span('2026-11-21T00:00', '2026-11-21T14:00')), '14:00 UTC')
  t.equal(untilText(span('2026-11-01T00:00', '2026-11-21T14:00')), '21 Nov, 14:00 UTC')
  t.equal(untilText(span('2027-02-01T00:00', '2027-03-01T00:00')), 'the end of 28 Feb UTC')
  t.end()
})

t.test('a time in a field or a link is one instant, and the field shows all of it', t => {
  t.equal(instantOf('2026-11-01T02:30'), '2026-11-01T02:30:00.000Z')
  t.equal(instantOf('2026-11-01'), '2026-11-01T00:00:00.000Z')
  t.equal(instantOf('2026-11-01T02:30:15+05:30'), '2026-10-31T21:00:15.000Z')
  for (const text of [
    '', '2026-02-30', '2026-02-30T00:00', '0202-01-01T00:00', '2026-13-01', '2026-11-01T25:00', '2026-11-01 02:30',
    'now', '2026-11-01T02:30:00:00Z'
  ]) t.equal(instantOf(text), null, text)
  fc.assert(fc.property(fc.date({
    min: new Date('1900-01-01T00:00:00Z'), max: new Date('2999-12-31T00:00:00Z'), noInvalidDate: true
  }), date => {
    const instant = date.toISOString()
    return instantOf(fieldText(instant)) === instant && instantOf(linkText(instant)) === instant
  }))
  t.end()
})
