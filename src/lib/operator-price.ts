/** A price of an operator's own, USD per million tokens as decimal text; null: billed as what it is part of. */
export interface OperatorPrice {
  readonly model: string
  /** It holds for calls from then on, until the model's next price does. Milliseconds since the epoch. */
  readonly effectiveFromMs: number
  readonly input: string
  readonly cachedInput: string | null
  readonly output: string
  readonly audioInput: string | null
  readonly audioOutput: string | null
}
