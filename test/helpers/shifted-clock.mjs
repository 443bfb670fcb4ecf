// Preloaded, it moves the clock of a process and its threads: `TEST_CLOCK=2028-02-29T23:59:00Z npx tap
// --node-arg=--import=./test/helpers/shifted-clock.mjs test/…`. The system's clock and that of PostgreSQL stay as they are.
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
