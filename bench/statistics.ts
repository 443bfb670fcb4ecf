/** The value that the given part of all values does not exceed (nearest rank); NaN of none. */
export function percentile (sorted: Float64Array, part: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? NaN
}

/** What several rounds measured of one figure. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

export function spreadOf (values: readonly number[]): Spread {
  const sorted = Float64Array.from(values).sort()
  const middle = (sorted.length - 1) / 2
  return {
    median: ((sorted[Math.floor(middle)] ?? NaN) + (sorted[Math.ceil(middle)] ?? NaN)) / 2,
    min: sorted[0] ?? NaN,
    max: sorted.at(-1) ?? NaN
  }
}
