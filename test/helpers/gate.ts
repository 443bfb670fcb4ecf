export interface Gate<Value = void> {
  /** Resolves once the gate is open. An upstream's script takes it as a step: `[…, gate.passed, …]`. */
  readonly passed: () => Promise<Value>
  readonly open: (value: Value) => void
  /** Whoever waits, or comes later, gets this error. */
  readonly fail: (error: Error) => void
}

/** A promise that the test settles. */
export function gate<Value = void> (): Gate<Value> {
  const { promise, resolve, reject } = Promise.withResolvers<Value>()
  return { passed: () => promise, open: resolve, fail: reject }
}
