import t from 'tap'
import { sql } from 'drizzle-orm'
import type { Database } from '../../src/db/database.js'
import { auditLog, promptConfigs } from '../../src/db/schema/index.js'
import { onEachDatabase } from './each-database.js'
import { errorOf, messageOf, startAdmin } from './start-admin.js'

const bulk = '/admin/api/prompt-configs/bulk'

async function fill (database: Database, ...names: string[]): Promise<void> {
  await database.operator.execute(sql`truncate ${auditLog}`)
  await database.operator.insert(promptConfigs)
    .values(names.map(name => ({ prompt_type: name, description: `does ${name}` })))
}

/** Names of the configs that have each switch on. */
async function switches (database: Database): Promise<{ full: string, active: string }> {
  const rows = await database.operator.select().from(promptConfigs).orderBy(promptConfigs.prompt_type)
  const those = (is: (row: typeof rows[number]) => boolean): string =>
    rows.filter(is).map(row => row.prompt_type).join(' ')
  return { full: those(row => row.track_full_data), active: those(row => row.is_active) }
}

onEachDatabase(t, 'configs are switched by names or by filter, and only the switches that are given', async (
  t, database
) => {
  const admin = await startAdmin(t, database)
  await fill(database, 'a', 'b', 'c')
  const set = async (body: unknown) => (await admin.call('POST', bulk, body)).body
  t.strictSame(await set({ prompt_types: ['a', 'c', 'a'], set: { track_full_data: true } }), { updated: 2 })
  t.strictSame(await switches(database), { full: 'a c', active: 'a b c' })
  t.strictSame(await set({
    filter: { track_full_data: true, search: 'DOES C' }, set: { is_active: false, track_full_data: false }
  }), { updated: 1 })
  t.strictSame(await switches(database), { full: 'a', active: 'a b' })
  t.strictSame(await set({ filter: { search: 'none' }, set: { is_active: false } }), { updated: 0 })
  t.strictSame(await set({ filter: {}, set: { is_active: false } }), { updated: 3 })
  t.strictSame(await switches(database), { full: 'a', active: '' })
  t.equal(admin.policyChanges(), 4, 'each holds for the next call')
})

onEachDatabase(t, 'a name without a config changes nothing at all', async (t, database) => {
  const admin = await startAdmin(t, database)
  await fill(database, 'a')
  const answer = await admin.call('POST', bulk, {
    prompt_types: ['a', 'x1', 'x2', 'x3', 'x4', 'x5', 'x6', 'x7'], set: { is_active: false }
  })
  t.equal(errorOf(answer), '404 prompt_config_not_found prompt_types')
  t.match(messageOf(answer), "'x1', 'x2', 'x3', 'x4', 'x5' and 2 more. Nothing was changed")
  t.strictSame(await switches(database), { full: '', active: 'a' })
  t.equal(await database.operator.$count(auditLog), 0)
  t.equal(admin.policyChanges(), 0)
})

onEachDatabase(t, 'the audit log has one row, with what each config had before', async (t, database) => {
  const admin = await startAdmin(t, database)
  await fill(database, 'a', 'b', 'c')
  await admin.call('POST', bulk, { prompt_types: ['b'], set: { track_full_data: true } })
  await admin.call('POST', bulk, { filter: {}, set: { is_active: false } })
  await admin.call('POST', bulk, { filter: {}, set: { is_active: false } })
  const { items } = (await admin.call('GET', '/admin/api/audit-log')).body as { items: unknown[] }
  t.match(items, [
    {
      action: 'prompt_config.bulk_update',
      target: '3 prompt configs',
      before: {
        prompt_configs: [
          { track_full_data: false, is_active: true, prompt_types: ['a', 'c'] },
          { track_full_data: true, is_active: true, prompt_types: ['b'] }
        ]
      },
      after: {
        prompt_configs: [
          { track_full_data: false, is_active: false, prompt_types: ['a', 'c'] },
          { track_full_data: true, is_active: false, prompt_types: ['b'] }
        ]
      }
    },
    { target: '1 prompt configs', before: { prompt_configs: [{ track_full_data: false, prompt_types: ['b'] }] } }
  ])
  t.equal(items.length, 2, 'what changed nothing is not in it')
})

onEachDatabase(t, 'ten thousand configs are switched by their names at once', async (t, database) => {
  const admin = await startAdmin(t, database)
  const names = Array.from({ length: 10_000 }, (_, i) => `${'long-name-'.repeat(12)}${i}`)
  await database.operator.execute(
    sql`insert into ${promptConfigs} (prompt_type) select jsonb_array_elements_text(${JSON.stringify(names)}::text::jsonb)`
  )
  t.strictSame((await admin.call('POST', bulk, {
    prompt_types: names, set: { is_active: false }
  })).body, { updated: 10_000 })
  t.equal((await switches(database)).active, '')
})

onEachDatabase(t, 'a body that says no change, or not of what, is refused by the name of the field', async (
  t, database
) => {
  const admin = await startAdmin(t, database)
  for (const [body, error] of [
    [{ set: { is_active: true } }, 'invalid_field prompt_types'],
    [{ prompt_types: ['a'], filter: {}, set: { is_active: true } }, 'invalid_field filter'],
    [{ prompt_types: ['a'] }, 'invalid_field set'],
    [{ prompt_types: [], set: { is_active: true } }, 'invalid_field prompt_types'],
    [{ prompt_types: ['a,b'], set: { is_active: true } }, 'invalid_field prompt_types.0'],
    [{ prompt_types: ['a'], set: { is_active: 'yes' } }, 'invalid_field set.is_active'],
    [{ prompt_types: ['a'], set: { description: 'x' } }, 'unknown_field description'],
    [{ filter: { colour: 1 }, set: { is_active: true } }, 'unknown_field colour'],
    [{ prompt_types: ['a'], set: {} }, 'invalid_field set']
  ] as const) t.equal(errorOf(await admin.call('POST', bulk, body)), `400 ${error}`, JSON.stringify(body))
})
