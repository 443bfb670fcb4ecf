/** The counts of a histogram. Adding a value is a short loop and two additions, on the path of every call. */
export class Buckets {
  /** Upper bounds, inclusive and rising, as a histogram's `le` has them. */
  readonly bounds: readonly number[]
  /** How many values fell into each bucket alone; the last takes what is over every bound. */
  readonly counts: number[]
  sum = 0

  constructor (bounds: readonly number[]) {
    this.bounds = bounds
    this.counts = new Array<number>(bounds.length + 1).fill(0)
  }

  add (value: number): void {
    let i = 0
    while (value > (this.bounds[i] ?? Infinity)) i++
    this.counts[i] = (this.counts[i] ?? 0) + 1
    this.sum += value
  }
}
