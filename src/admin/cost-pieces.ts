import { type CostRange, DAY_MS, monthStart, startOf } from './cost-range.js'

/** What the books hold beside the rollups, as of one snapshot. */
export interface SummaryState {
  /** Rollups of earlier UTC days are summarised, but for the stale days; null: none are. */
  readonly summarisedToMs: number | null
  /** Starts of days whose summaries are out of date, and of the months that hold one. */
  readonly staleDays: ReadonlySet<number>
  readonly staleMonths: ReadonlySet<number>
}

/** A part of a range, and what is to be summed over it: the rows of a grain of `usage_summaries`, or the rollups. */
export interface CostPiece extends CostRange {
  readonly source: 'month' | 'day' | 'hour' | 'rollups'
}

/**
 * Cuts a range into pieces that are each read from the coarsest rows that say exactly what it asks for. A month's row
 * holds its days before `summarisedToMs`, so the month that is under way can be read in one piece up to there.
 *
 * @param coarsest the coarsest grain that can answer; null: none can
 * @param hasHours whether hours are summarised, too: then the part of a day at the range's edge is
 */
export function piecesOf (
  { fromMs, toMs }: CostRange, { coarsest, hasHours }: { coarsest: 'month' | 'day' | 'hour' | null, hasHours: boolean }, state: SummaryState
): CostPiece[] {
  const pieces: CostPiece[] = []
  const add = (piece: CostPiece): void => {
    const last = pieces.at(-1)
    if (last?.source === piece.source && last.toMs === piece.fromMs) pieces.splice(-1, 1, { ...last, toMs: piece.toMs })
    else pieces.push(piece)
  }
  const summarisedToMs = coarsest === null ? -Infinity : state.summarisedToMs ?? -Infinity
  let at = fromMs
  while (at < toMs) {
    const piece = pieceAt(at)
    add(piece)
    at = piece.toMs
  }
  return pieces

  function pieceAt (at: number): CostPiece {
    if (at >= summarisedToMs) return { source: 'rollups', fromMs: at, toMs }
    const monthEnds = Math.min(monthStart(at, 1), summarisedToMs)
    if (coarsest === 'month' && at === startOf('month', at) && monthEnds <= toMs && !state.staleMonths.has(at)) {
      return { source: 'month', fromMs: at, toMs: monthEnds }
    }
    const dayStarts = startOf('day', at)
    const dayEnds = dayStarts + DAY_MS
    if (at === dayStarts && dayEnds <= toMs && !state.staleDays.has(at)) {
      return { source: coarsest === 'hour' ? 'hour' : 'day', fromMs: at, toMs: dayEnds }
    }
    return { source: hasHours && !state.staleDays.has(dayStarts) ? 'hour' : 'rollups', fromMs: at, toMs: Math.min(dayEnds, toMs) }
  }
}
