import t from 'tap'
import { modelPrices } from '../../src/db/schema/index.js'
import { openTestDatabase } from '../helpers/database.js'
import { onEachDatabase } from './each-database.js'
import { allPages, errorOf, messageOf, startAdmin } from './start-admin.js'

const list = '/admin/api/prices'
const pathOf = (model: string): string => `${list}/${encodeURIComponent(model)}`
const NOW = '2028-02-29T23:59:59.999Z'
const now = (): number => Date.parse(NOW)
const nothing = { cached_input: null, audio_input: null, audio_output: null }

onEachDatabase(t, 'a price holds from now on, or from the time that it names, and the others stay', async (
  t, database
) => {
  const { call, policyChanges } = await startAdmin(t, database, now)
  const first = await call('PUT', pathOf('gpt-4o'), { input: 2.5, output: 10 })
  t.equal(first.status, 200)
  const current = { effective_from: NOW, input: 2.5, output: 10, ...nothing }
  t.strictSame(first.body, { model: 'gpt-4o', ...current, others: [] })
  const later = {
    effective_from: '2028-03-01T00:00:00.000Z',
    input: 2,
    cached_input: 0.123456,
    output: 0,
    audio_input: 1_000_000,
    audio_output: 0.000001
  }
  t.strictSame((await call('PUT', pathOf('gpt-4o'), later)).body, { model: 'gpt-4o', ...current, others: [later] })
  const earlier = { effective_from: '2027-12-31T23:59:59.999Z', input: 3, output: 12, ...nothing }
  t.strictSame((await call('PUT', pathOf('gpt-4o'), {
    ...earlier, effective_from: '2028-01-01T01:59:59.999+02:00'
  })).body,
  { model: 'gpt-4o', ...current, others: [earlier, later] })
  const corrected = { ...earlier, input: 4 }
  await call('PUT', pathOf('gpt-4o'), corrected)
  t.strictSame(
    (await call('GET', pathOf('gpt-4o'))).body,
    { model: 'gpt-4o', ...current, others: [corrected, later] },
    'the one of the same time is replaced'
  )
  t.equal(policyChanges(), 4)

  t.equal((await call('DELETE', `${pathOf('gpt-4o')}?effective_from=${NOW}`)).status, 204)
  t.strictSame(
    (await call('GET', pathOf('gpt-4o'))).body,
    { model: 'gpt-4o', ...corrected, others: [later] },
    'the one before holds'
  )
  await call('DELETE', `${pathOf('gpt-4o')}?effective_from=${corrected.effective_from}`)
  t.strictSame(
    (await call('GET', pathOf('gpt-4o'))).body,
    { model: 'gpt-4o', ...later, others: [] },
    'the earliest to come, where none holds'
  )
  await call('PUT', pathOf('gpt-4o'), { input: 1, output: 1 })
  t.equal((await call('DELETE', pathOf('gpt-4o'))).status, 204)
  t.equal(await database.operator.$count(modelPrices), 0)
  for (const method of ['GET', 'DELETE']) {
    t.equal(
      errorOf(await call(method, pathOf('gpt-4o'))), '404 price_not_found model'
    )
  }
  t.equal(errorOf(await call('DELETE', `${pathOf('gpt-4o')}?effective_from=${NOW}`)), '404 price_not_found model')
})

onEachDatabase(t, 'a model is called what it is called', async (t, database) => {
  const { call } = await startAdmin(t, database, now)
  const models = [
    'ft:gpt-4o:org::id', 'meta-llama/Llama-3:free', 'a b%2F', '"\\', 'modèle-日本', '🤖', 'x'.repeat(256), '/'.repeat(256)
  ]
  for (const model of models) {
    t.match((await call('PUT', pathOf(model), { input: 1, output: 1 })).body, { model }, model)
    t.match((await call('GET', pathOf(model))).body, { model, others: [] })
  }
  t.match(
    (await call('GET', `${list}/ft:gpt-4o:org::id`)).body, { model: 'ft:gpt-4o:org::id' }, 'colons need no encoding'
  )
  t.match((await call('GET', list)).body, { total: models.length })
  for (const model of models) t.equal((await call('DELETE', pathOf(model))).status, 204, model)
  t.match((await call('GET', list)).body, { total: 0, items: [] })
  for (const model of ['x'.repeat(257), 'a\0']) {
    t.equal(
      errorOf(await call('PUT', pathOf(model), { input: 1, output: 1 })), '400 invalid_field model'
    )
  }
})

onEachDatabase(t, 'the list has an item a model, and pages that neither skip nor repeat', async (t, database) => {
  const admin = await startAdmin(t, database, now)
  for (const model of ['b', 'a', 'c:1', 'c/1', 'C']) {
    await admin.call('PUT', pathOf(model), { input: 1, output: 1 })
    await admin.call('PUT', pathOf(model), { input: 2, output: 1, effective_from: '2029-01-01T00:00:00Z' })
  }
  const pages = await allPages(admin, `${list}?limit=2`)
  t.same(pages.map(page => page.items.length), [2, 2, 1])
  t.ok(pages.every(page => page.total === 5))
  const items = pages.flatMap(page => page.items)
  t.same(new Set(items.map(item => item['model'])), new Set(['b', 'a', 'c:1', 'c/1', 'C']))
  for (const item of items) t.match(item, { input: 1, others: [{ input: 2 }] })
  t.equal(errorOf(await admin.call('GET', `${list}?cursor=x`)), '400 invalid_cursor cursor')
})

onEachDatabase(t, 'each change is in the audit log, with what was before and after', async (t, database) => {
  const { call } = await startAdmin(t, database, now)
  const from = '2028-01-01T00:00:00.000Z'
  for (const input of [1, 2]) await call('PUT', pathOf('m'), { input, output: 0.5, effective_from: from })
  await call('DELETE', pathOf('m'))
  const made = { effective_from: from, input: 1, output: 0.5, ...nothing }
  const { items } = (await call('GET', '/admin/api/audit-log')).body as { items: Record<string, unknown>[] }
  t.match(items, [
    { action: 'price.delete', target: 'm', before: { prices: [{ ...made, input: 2 }] }, after: null },
    { action: 'price.update', target: 'm', before: made, after: { ...made, input: 2 } },
    { action: 'price.create', target: 'm', before: null, after: made }
  ])
})

t.test('a price is refused by the name of the field that is wrong', async t => {
  const { call, policyChanges } = await startAdmin(t, await openTestDatabase(t, 'postgres'), now)
  const put = async (body: object) => errorOf(await call('PUT', pathOf('m'), body))
  t.equal(await put({ output: 1 }), '400 invalid_field input')
  t.equal(await put({ input: 1 }), '400 invalid_field output')
  t.equal(await put({ input: 1, output: 1, audio: 1 }), '400 unknown_field audio')
  for (const input of [-0.000001, 1_000_000.5, 0.0000001, 0.1234567, 2.0000001, '1', null]) {
    t.equal(
      await put({ input, output: 1 }), '400 invalid_field input', String(input)
    )
  }
  for (const field of ['cached_input', 'audio_input', 'audio_output']) {
    t.equal(await put({ input: 1, output: 1, [field]: 1.1111111 }), `400 invalid_field ${field}`)
    t.equal(await put({ input: 1, output: 1, [field]: 'x' }), `400 invalid_field ${field}`)
  }
  t.match(messageOf(await call('PUT', pathOf('m'), { input: 0.1234567, output: 1 })),
    "The field 'input' must have at most six decimals (USD per million tokens), but is 0.1234567.")
  for (const time of ['now', '2028-02-30T00:00:00Z', '', 5, null]) {
    t.equal(await put({ input: 1, output: 1, effective_from: time }), '400 invalid_field effective_from', String(time))
  }
  t.equal(errorOf(await call('DELETE', `${pathOf('m')}?effective_from=x`)), '400 invalid_field effective_from')
  t.equal(errorOf(await call('DELETE', `${pathOf('m')}?from=x`)), '400 unknown_field from')
  t.equal(policyChanges(), 0)
})
