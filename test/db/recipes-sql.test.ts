import { readFileSync } from 'node:fs'
import postgres from 'postgres'
import t from 'tap'
import { createDatabase } from '../helpers/database.js'

const recipes = readFileSync(new URL('../../docs/recipes.md', import.meta.url), 'utf8')
const [, block = ''] = /```sql\n(.*?)```/s.exec(recipes) ?? []
const statements = block.split(';').map(part => part.trim()).filter(part => part !== '')

t.test('the SQL of docs/recipes.md says the same in a session of any time zone', async t => {
  const url = await createDatabase()
  const owner = postgres(url, { max: 1 })
  t.teardown(async () => await owner.end())
  // The last hour of the month before and the first of this one, in UTC.
  const month = Date.UTC(new Date().getUTCFullYear(), new Date().getUTCMonth())
  for (const [i, ms] of [month - 3_600_000, month].entries()) {
    await owner`insert into usage_rollups (hour, prompt_type, model, user_name, calls, failed_calls, blocked_calls, unpriced_calls,
      input_tokens, cached_input_tokens, output_tokens, reasoning_tokens, cost, duration_ms)
      values (${new Date(ms).toISOString()}, 'a', 'gpt-4o', '', ${i === 0 ? 100 : 1}, 0, 0, 0, 1, 0, 1, 0, ${1}, 1)`
  }
  t.equal(statements.length, 3)
  for (const zone of ['UTC', 'Pacific/Kiritimati', 'America/Los_Angeles']) {
    await owner.unsafe(`set time zone '${zone}'`)
    const [first, ...others] = statements
    t.match(Array.from(await owner.unsafe(first ?? '')), [{ prompt_type: 'a', model: 'gpt-4o', calls: '1' }], zone)
    for (const statement of others) t.same(Array.from(await owner.unsafe(statement)), [], zone)
  }
})
