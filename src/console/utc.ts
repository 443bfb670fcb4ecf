// One rule for the whole console: times are shown, typed and asked for in UTC, as the books keep their days.

const INSTANT = /^((?:19|2\d)\d\d-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?)(Z|[+-]\d\d:\d\d)?)?$/

/**
 * What a field or a link says, as the API takes it: RFC 3339. A text without a zone is UTC's, a date its first moment.
 * Null: no time.
 */
export function instantOf (text: string): string | null {
  const [, date, time = '00:00', zone = 'Z'] = INSTANT.exec(text) ?? []
  if (date === undefined) return null
  const [midnight, ms] = [Date.parse(`${date}T00:00:00Z`), Date.parse(`${date}T${time}${zone}`)]
  // The browser takes 30 February for a day in March.
  return Number.isNaN(ms) || Number.isNaN(midnight) || !new Date(midnight).toISOString().startsWith(date)
    ? null
    : new Date(ms).toISOString()
}

/** An instant as a `datetime-local` field shows it in UTC: all of it, without the zeros at its end. */
export const fieldText = (instant: string | null): string =>
  instant === null ? '' : instant.slice(0, -1).replace(/(:00)?\.000$/, '')

/** An instant as links have it: `2026-11-18T14:25Z`; none is empty. */
export const linkText = (instant: string | null): string => instant === null ? '' : `${fieldText(instant)}Z`

/** The start of the UTC day into which an instant falls. */
export const dayStart = (instant: string): string => `${instant.slice(0, 10)}T00:00:00.000Z`

/** The times among a page's parameters, by name; those that are none are left out, as their fields show nothing. */
export const instantsIn = (params: URLSearchParams, names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.flatMap(name => {
    const instant = instantOf(params.get(name) ?? '')
    return instant === null ? [] : [[name, instant]]
  }))
