import t from 'tap'
import fc from 'fast-check'
import { createPartitions, monthOf } from '../../src/db/partitions.js'
import { usageLogs } from '../../src/db/schema/index.js'
import { countUsageLogs, listUsageLogs, type UsageLogFilter } from '../../src/admin/queries/usage-logs.js'
import type { NewestFirstPlace } from '../../src/admin/queries/newest-first.js'
import { onEachDatabase } from './each-database.js'
import { usageLogRow, uuidv7 } from './rows.js'

const second = (number: number): string => new Date(Date.UTC(2026, 10, 2) + number * 1000).toISOString()
/** A window of few rows, and no time for a second one. */
const hurried = { windowRows: 7, budgetMs: -1 }
const unhurried = { windowRows: 7, budgetMs: Infinity }

onEachDatabase(t, 'a search for something rare ends when its time is up, says how far it came, and finds all in the end', async (
  t, database
) => {
  await createPartitions(database.operator, [monthOf(Date.UTC(2026, 10))])
  const rare = new Set([3, 4, 20, 49])
  await database.operator.insert(usageLogs)
    .values(
      Array.from({ length: 50 }, (_, i) =>
        usageLogRow({ created_at: second(i), user_name: rare.has(i) ? 'rare' : 'common' }))
    )
  const pages: number[] = []
  const found: string[] = []
  for (let after: NewestFirstPlace | null = null; ;) {
    const { items, next } = await listUsageLogs(database.operator, { user: 'rare' }, 10, after, hurried)
    pages.push(items.length)
    found.push(...items.map(item => item.created_at))
    if (next === null) break
    after = next
  }
  t.strictSame(pages, [1, 0, 0, 0, 1, 0, 2, 0])
  t.strictSame(found, [49, 20, 4, 3].map(second))
  const whole = await listUsageLogs(database.operator, { user: 'rare' }, 10, null, unhurried)
  t.strictSame([whole.items.length, whole.next], [4, null], 'with time enough it is one page')

  t.strictSame(await countUsageLogs(database.operator, { user: 'rare' }, 100, unhurried), { total: 4, isExact: true })
  t.strictSame(
    await countUsageLogs(database.operator, { user: 'rare' }, 100, hurried),
    { total: 1, isExact: false },
    'so many or more'
  )
  t.strictSame(await countUsageLogs(database.operator, { user: 'common' }, 5, unhurried), { total: 5, isExact: false })
  t.strictSame(
    await countUsageLogs(database.operator, {}, 100, hurried),
    { total: 50, isExact: true },
    'what an index counts needs no search'
  )
})

onEachDatabase(t, 'while rows arrive, new ones and late ones, pages neither skip nor repeat what was there', async (
  t, database
) => {
  await createPartitions(database.operator, [monthOf(Date.UTC(2026, 10))])
  const filters: UsageLogFilter[] = [
    {}, { prompt_type: 'a' }, { user: 'u' }, { success: false }, { prompt_type: 'a', user: 'u', success: true }
  ]
  const row = fc.record({
    created_at: fc.nat(20)
      .map(second),
    prompt_type: fc.constantFrom('a', 'b'),
    user_name: fc.constantFrom('u', 'v'),
    success: fc.boolean()
  })
  let number = 0
  await fc.assert(fc.asyncProperty(
    fc.array(row, {
      minLength: 10, maxLength: 40
    }), fc.array(fc.array(row, { maxLength: 4 }), {
      minLength: 3, maxLength: 10
    }), fc.constantFrom(...filters), fc.integer({ min: 1, max: 6 }), fc.boolean(),
    async (first, later, filter, limit, isHurried) => {
      await database.operator.delete(usageLogs)
      const insert = async (rows: typeof first): Promise<string[]> => {
        if (rows.length === 0) return []
        const values = rows.map(fields => usageLogRow({ ...fields, id: uuidv7(fields.created_at, number++) }))
        await database.operator.insert(usageLogs).values(values)
        return values.filter(value =>
          (filter.prompt_type ?? value.prompt_type) === value.prompt_type &&
            (filter.user ?? value.user_name) === value.user_name &&
          (filter.success ?? value.success) === value.success).map(value => value.id)
      }
      const there = await insert(first)
      const late: string[] = []
      const seen: string[] = []
      let order = ''
      for (let after: NewestFirstPlace | null = null, page = 0; ; page++) {
        const { items, next } = await listUsageLogs(
          database.operator, filter, limit, after, isHurried ? hurried : unhurried
        )
        seen.push(...items.map(item => item.id))
        for (const item of items) {
          const place = `${item.created_at} ${item.id}`
          if (order !== '' && place >= order) throw new Error(`${place} comes after ${order}`)
          order = place
        }
        if (next === null) break
        after = next
        late.push(...await insert(later[page] ?? []))
      }
      const strangers = seen.filter(id => !there.includes(id) && !late.includes(id))
      if (new Set(seen).size !== seen.length || there.some(id => !seen.includes(id)) ||
        strangers.length > 0) throw new Error('skipped or repeated')
    }), { numRuns: 20 })
  t.pass()
})
