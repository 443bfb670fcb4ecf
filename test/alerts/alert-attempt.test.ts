import { readFileSync } from 'node:fs'
import t from 'tap'
import { nextAttemptAtMs } from '../../src/alerts/alert-attempt.js'

const HOUR_MS = 3_600_000

/** When a delivery that always fails was tried but for the last time, milliseconds after its first attempt. */
function retriesMs (random: number): number[] {
  const retries: number[] = []
  for (let atMs: number | null = 0; atMs !== null;) {
    const claim = { attempt: retries.length + 1, firstAttemptAtMs: retries.length === 0 ? null : 0 }
    const nextMs = nextAttemptAtMs(claim, { statusCode: 503, error: 'HTTP 503' }, atMs, atMs, random)
    if (nextMs !== null) retries.push(atMs)
    atMs = nextMs
  }
  return retries
}

t.test('the rule of docs/operating.md is heard within five minutes, and until a delivery is given up', t => {
  const page = readFileSync(new URL('../../docs/operating.md', import.meta.url), 'utf8')
  const [, hours, limit] = /attempts_total\{result="retried"\}\[(\d+)h\]\)\) > (\d+)$/m.exec(page) ?? []
  for (const random of [0, 0.5, 1]) {
    const retries = retriesMs(random)
    const countUntil = (atMs: number): number =>
      retries.filter(retry => retry <= atMs && retry > atMs - Number(hours) * HOUR_MS).length
    const minutes = Array.from({ length: 24 * 60 }, (_, minute) => minute).slice(5)
    t.notOk(minutes.find(minute => !(countUntil(minute * 60_000) > Number(limit))), 'no minute at which it is silent')
    t.ok(retries.length > 20)
  }
  t.end()
})
