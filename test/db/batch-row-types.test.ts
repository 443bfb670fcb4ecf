import { sql } from 'drizzle-orm'
import t from 'tap'
import { batchRowTypes } from '../../src/db/batch-statement.js'
import { logFields, rollupRowFields, typeFields } from '../../src/recording/batch-columns.js'
import { forEachDatabase } from '../helpers/database.js'

forEachDatabase(t, 'the writer and the function agree on the rows, member by member, as the schema has them', async (
  t, database
) => {
  const members = async (type: string): Promise<string[]> => {
    const rows = await database.operator.execute<{ member: string }>(sql`
      select attname || ' ' || format_type(atttypid, atttypmod) as member
      from pg_attribute where attrelid = ${type}::regclass and attnum > 0 order by attnum`)
    return rows.map(({ member }) => member)
  }
  const written = (fields: readonly { name: string, type: string }[]): string[] =>
    fields.map(({ name, type }) => `${name} ${type.replace(', ', ',')}`)
  t.same(await members(batchRowTypes.type), written(typeFields))
  t.same(await members(batchRowTypes.rollup), written(rollupRowFields))
  t.same(await members(batchRowTypes.log), written(logFields))
})
