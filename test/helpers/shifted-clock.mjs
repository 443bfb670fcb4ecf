// Preloaded (`--node-arg=--import=./test/helpers/shifted-clock.mjs`), it moves the clock of a test's process and its
// threads to TEST_CLOCK, such as 2028-02-29T23:59:00Z. The system's clock and PostgreSQL's stay as they are.
const Real = Date
const offsetMs = Real.parse(process.env.TEST_CLOCK ?? new Real().toISOString()) - Real.now()

globalThis.Date = class Date extends Real {
  constructor (...args) {
    super(...(args.length === 0 ? [Real.now() + offsetMs] : args))
  }

  static now () {
    return Real.now() + offsetMs
  }
}
