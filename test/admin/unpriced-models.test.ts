import t from 'tap'
import { usageRollups } from '../../src/db/schema/index.js'
import { onEachDatabase } from './each-database.js'
import { allPages, errorOf, startAdmin } from './start-admin.js'

const list = '/admin/api/unpriced-models'

const rollup = (fields: Partial<typeof usageRollups.$inferInsert>): typeof usageRollups.$inferInsert => ({
  hour: '2028-02-29T23:00:00Z',
  prompt_type: 'a',
  model: 'our-own',
  user_name: '',
  calls: 10,
  failed_calls: 0,
  blocked_calls: 0,
  unpriced_calls: 0,
  input_tokens: 0,
  cached_input_tokens: 0,
  output_tokens: 0,
  reasoning_tokens: 0,
  cost: '0',
  duration_ms: 0,
  ...fields
})

onEachDatabase(t, 'models with calls without a cost are listed over all types and hours, with whether they have a price now', async (
  t, database
) => {
  await database.operator.insert(usageRollups).values([
    rollup({ unpriced_calls: 2 }),
    rollup({ unpriced_calls: 3, prompt_type: 'b', hour: '2028-03-01T00:00:00Z' }),
    rollup({ unpriced_calls: 1, user_name: 'ann', hour: '2027-12-31T23:00:00Z' }),
    rollup({ unpriced_calls: 6, model: 'x/y' }),
    rollup({ unpriced_calls: 1, model: 'gpt-4o' }),
    rollup({ unpriced_calls: 1, model: '' }),
    rollup({ model: 'gpt-4' })
  ])
  const admin = await startAdmin(t, database)
  await admin.call('PUT', '/admin/api/prices/x%2Fy', { input: 1, output: 1 })
  const hour = '2028-02-29T23:00:00.000Z'
  const expected = [
    {
      model: 'our-own',
      unpriced_calls: 6,
      since: '2027-12-31T23:00:00.000Z',
      last_seen: '2028-03-01T00:00:00.000Z',
      first_call_at: null,
      later_price: null,
      has_price: false
    },
    {
      model: 'x/y',
      unpriced_calls: 6,
      since: hour,
      last_seen: hour,
      first_call_at: null,
      later_price: null,
      has_price: true
    },
    {
      model: '',
      unpriced_calls: 1,
      since: hour,
      last_seen: hour,
      first_call_at: null,
      later_price: null,
      has_price: false
    },
    {
      model: 'gpt-4o',
      unpriced_calls: 1,
      since: hour,
      last_seen: hour,
      first_call_at: null,
      later_price: null,
      has_price: true
    }
  ]
  t.strictSame((await admin.call('GET', list)).body, { items: expected, total: 4, next_cursor: null })
  const pages = await allPages(admin, `${list}?limit=1`)
  t.strictSame(pages.flatMap(page => page.items), expected)
  t.equal(errorOf(await admin.call('GET', `${list}?cursor=eyJ9`)), '400 invalid_cursor cursor')
})
