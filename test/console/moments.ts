/**
 * Moments at which books, budgets, gateway and browser of a console test stand. Periods begin and end in UTC, as all
 * times are shown, while the browser is in Prague's zone: no test depends on the day on which it runs.
 */
export const MOMENTS = {
  'a Wednesday in mid-month': '2026-11-18T14:25:36Z',
  'the first day of a month': '2027-02-01T09:41:07Z',
  'the last day of a month': '2027-01-31T17:05:59Z',
  '29 February': '2028-02-29T12:00:00Z',
  "New Year's Eve, one minute to midnight": '2026-12-31T23:59:00Z',
  'the first second of a year': '2027-01-01T00:00:00Z',
  'a Monday': '2026-11-30T07:30:00Z',
  'a Sunday, one minute to midnight': '2027-01-03T23:59:00Z',
  'the change to summer time': '2027-03-28T01:00:00Z',
  'the change from summer time': '2027-10-31T00:59:59Z'
} as const

export type Moment = keyof typeof MOMENTS

export const atOf = (moment: Moment): number => Date.parse(MOMENTS[moment])
