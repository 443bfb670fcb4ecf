import { and, sql, type AnyColumn, type SQL } from 'drizzle-orm'

/** A moment as the JSON bodies have it: RFC 3339, UTC, milliseconds. Null stays null. */
export const instant = (column: AnyColumn | SQL): SQL<string | null> =>
  sql<string | null>`to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`

/** As `instant`, of a column that is never null. */
export const instantNotNull = (column: AnyColumn | SQL): SQL<string> => instant(column) as SQL<string>

/** A moment as microseconds since the epoch: the full precision of Postgres, so that a page can begin exactly there. */
export const microseconds = (column: AnyColumn): SQL<number> =>
  sql`(extract(epoch from ${column}) * 1000000)::bigint`.mapWith(Number)

/** The inverse of `microseconds`, exact, and a constant to the planner: an index on the column serves it. */
export const fromMicroseconds = (value: number): SQL =>
  sql`(timestamptz '1970-01-01 00:00:00Z' + ${value}::text::bigint * interval '1 microsecond')`

/** An RFC 3339 moment for Postgres, which rejects some offsets (+23:59). */
export const inUtc = (moment: string): string => new Date(moment).toISOString()

/** Exact USD as the nearest double, rounded once, at the end. Null stays null. */
export const usdNumber = (amount: AnyColumn | SQL): SQL<number | null> => sql<number | null>`${amount}`.mapWith(Number)

/** Exact USD as decimal text, without needless zeros. Null stays null. */
export const exactUsd = (amount: AnyColumn | SQL): SQL<string | null> => sql<string | null>`trim_scale(${amount})::text`

/** A LIKE pattern that matches the text anywhere, the text's own wildcards being plain characters. */
export const containing = (text: string): string => `%${text.replace(/[\\%_]/g, '\\$&')}%`

/** The conditions that are asked for; none is true. */
export const all = (...conditions: (SQL | undefined)[]): SQL => and(sql`true`, ...conditions) ?? sql`true`
