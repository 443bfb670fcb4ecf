import { type CostRange, DAY_MS, nextStart, startOf } from './cost-range.js'

/** The state of the summaries, as of one snapshot. */
export interface SummaryState {
  /** Rollups of earlier UTC days are summarised, but for the stale days; null: none are. */
  readonly summarisedToMs: number | null
  /** Starts of days in the range whose summaries are out of date, and so are those of all that holds one. */
  readonly staleDays: ReadonlySet<number>
}

/** What the rows of `usage_summaries` each sum up. */
export type Grain = 'quarter' | 'month' | 'week' | 'day' | 'hour'

/** A part of a range, and what is to be summed over it: the rows of a grain of `usage_summaries`, or the rollups. */
export interface CostPiece extends CostRange {
  readonly source: Grain | 'rollups'
}

/**
 * Cuts a range into pieces, each read from the coarsest rows that are exact for it. The row of the current period
 * covers its days before `summarisedToMs`, so a month up to there is one piece.
 *
 * @param grains those that can answer, the coarsest first
 */
export function costPieces (range: CostRange, grains: readonly Grain[], state: SummaryState): CostPiece[] {
  const cut = cutBy(range, grains, state)
  // Where quarters can answer, months need not be kept to: thirty days are often fewer rows by weeks alone.
  const cutByWeeks = grains.includes('quarter') ? cutBy(range, grains.filter(grain => grain !== 'month'), state) : cut
  return (cutByWeeks.rows < cut.rows ? cutByWeeks : cut).pieces
}

/** The pieces, neighbours of one source in one, and how many rows a group has in them at most. */
function cutBy (
  { fromMs, toMs }: CostRange, grains: readonly Grain[], state: SummaryState
): { pieces: CostPiece[], rows: number } {
  const pieces: CostPiece[] = []
  let rows = 0
  const summarisedToMs = grains.length === 0 ? -Infinity : state.summarisedToMs ?? -Infinity
  for (let at = fromMs; at < toMs;) {
    const piece = at < summarisedToMs ? pieceAt(at) : { source: 'rollups' as const, fromMs: at, toMs }
    const last = pieces.at(-1)
    if (last?.source === piece.source) pieces.splice(-1, 1, { ...last, toMs: piece.toMs })
    else pieces.push(piece)
    rows++
    at = piece.toMs
  }
  return { pieces, rows }

  function pieceAt (at: number): CostPiece {
    for (const source of grains) {
      if (source === 'hour' || at !== startOf(source, at)) continue
      const ends = Math.min(nextStart(source, at), summarisedToMs)
      // A week that goes on in the next month would be in the way of that month's row.
      const isTooLong = ends > toMs ||
        (source === 'week' && grains.includes('month') && ends > nextStart('month', startOf('month', at)))
      if (!isTooLong && !isStale(at, ends)) return { source, fromMs: at, toMs: ends }
    }
    const dayStarts = startOf('day', at)
    const dayEnds = dayStarts + DAY_MS
    return {
      source: grains.includes('hour') && !isStale(dayStarts, dayEnds) ? 'hour' : 'rollups',
      fromMs: at,
      toMs: Math.min(dayEnds, toMs)
    }
  }

  function isStale (fromMs: number, toMs: number): boolean {
    for (const day of state.staleDays) if (day >= fromMs && day < toMs) return true
    return false
  }
}
