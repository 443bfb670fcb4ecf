import t from 'tap'
import { writeKeyUses } from '../../src/db/key-uses.js'
import { gatewayKeys } from '../../src/db/schema/index.js'
import { KeyUses } from '../../src/policy/key-uses.js'
import { forEachDatabase, silentLog } from '../helpers/database.js'

type Uses = Array<[string, number]>

/** Notes what is written; fails as often as `failures` says. */
function writer (): { written: Uses[], failures: number, write: (uses: ReadonlyMap<string, number>) => Promise<void> } {
  const state = {
    written: [] as Uses[],
    failures: 0,
    write: async (uses: ReadonlyMap<string, number>) => {
      await Promise.resolve()
      if (state.failures-- > 0) throw new Error('away')
      state.written.push([...uses])
    }
  }
  return state
}

t.test('the latest use of each key is written once, and nothing where there was none', async t => {
  const state = writer()
  const uses = new KeyUses({ write: state.write, log: silentLog })
  await uses.flush()
  for (const [keyId, atMs] of [['a', 5], [null, 9], ['b', 1], ['a', 3]] as const) uses.note(keyId, atMs)
  await uses.flush()
  await uses.flush()
  t.same(state.written, [[['a', 5], ['b', 1]]])
  uses.note('b', 2)
  await uses.close()
  t.same(state.written[1], [['b', 2]], 'closing writes what is left')
})

t.test('a write that is never answered does not hold up the next for ever', async t => {
  const state = writer()
  let hangs = true
  const uses = new KeyUses({
    write: async written => hangs ? await new Promise<never>(() => {}) : await state.write(written),
    log: silentLog,
    writeMs: 5,
    everyMs: 3_600_000
  })
  uses.note('a', 5)
  const holds = setTimeout(() => {}, 60_000) // The product's own timers let a process end.
  await uses.flush()
  clearTimeout(holds)
  hangs = false
  await uses.flush()
  t.same(state.written, [[['a', 5]]])
  await uses.close()
})

t.test('what a failing database did not take waits for the next time, and is warned of once', async t => {
  const warnings: string[] = []
  const state = writer()
  const uses = new KeyUses({
    write: state.write, log: { ...silentLog, warn: (_details: object, message: string) => { warnings.push(message) } }
  })
  uses.note('a', 5)
  state.failures = 2
  const flushed = uses.flush()
  uses.note('a', 7)
  uses.note('b', 1)
  await flushed
  await uses.flush()
  t.same(state.written, [])
  await uses.flush()
  t.same(state.written.map(written => new Map(written)), [new Map([['a', 7], ['b', 1]])])
  t.same(warnings, ['the last use of gateway keys cannot be written; trying again'])
  await uses.close()
})

t.test('a use that comes while others are written is not lost, and two flushes do not write at once', async t => {
  const state = writer()
  const uses = new KeyUses({ write: state.write, log: silentLog })
  uses.note('a', 1)
  const first = uses.flush()
  uses.note('a', 2)
  await Promise.all([first, uses.flush(), uses.flush()])
  t.same(state.written, [[['a', 1]], [['a', 2]]])
  await uses.close()
})

t.test('it writes by itself from time to time', async t => {
  const written = new Promise<Uses>(resolve => {
    const write = async (uses: ReadonlyMap<string, number>): Promise<void> => {
      resolve([...uses])
      await Promise.resolve()
    }
    const uses = new KeyUses({ write, log: silentLog, everyMs: 5 })
    uses.note('a', 1)
    t.teardown(async () => await uses.close())
  })
  // Its own timer keeps no process from ending: the test's does.
  const holding = setInterval(() => {}, 1000)
  t.same(await written, [['a', 1]])
  clearInterval(holding)
})

t.test('a database that does not answer does not hold up the end', async t => {
  const uses = new KeyUses({ write: async () => await new Promise(() => {}), log: silentLog })
  uses.note('a', 1)
  await t.resolves(uses.close())
})

forEachDatabase(t, 'of two instances\' times the later one stays; a key that is gone is nobody\'s trouble', async (
  t, database
) => {
  const id = (n: number): string => `00000000-0000-4000-8000-${n.toString().padStart(12, '0')}`
  await database.operator.insert(gatewayKeys)
    .values(Array.from({ length: 3 }, (_, n) => ({ id: id(n), name: `${n}`, key_sha256: `${n}` })))
  const leapDay = Date.UTC(2028, 1, 29, 23, 59, 59, 999)
  await writeKeyUses(database.recording, new Map([[id(1), leapDay], [id(0), leapDay]]))
  await writeKeyUses(database.recording, new Map([[id(1), leapDay - 1], [id(0), leapDay + 1], [id(9), 1]]))
  const rows = await database.operator.select().from(gatewayKeys).orderBy(gatewayKeys.id)
  t.same(rows.map(row => row.last_used_at === null ? null : Date.parse(row.last_used_at)), [leapDay + 1, leapDay, null])
})
