import type { Locator } from 'playwright-core'
import t from 'tap'
import { money } from '../../src/console/format.js'
import { startScene } from './scene.js'

t.test('a price that begins after the calls: the repricing says so, and the day of the first is one click away', async t => {
  const scene = await startScene(t, { share: 0.25 })
  if (scene === null) return
  const { admin } = scene.gateway
  const page = await scene.open('/admin/prices')
  const dialog = page.getByRole('dialog')
  const { items: [unpriced] } = (await admin('GET', '/unpriced-models')).body as {
    items: Array<{ first_call_at: string, unpriced_calls: number }>
  }
  const first = unpriced?.first_call_at ?? ''
  const calls = unpriced?.unpriced_calls ?? 0
  const day = `${first.slice(0, 10)}T00:00:00.000Z`
  const shown = (
    instant: string
  ): string => `${new Date(instant).toLocaleString('en-GB', { timeZone: 'UTC', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', second: '2-digit' })} UTC`

  await t.test('without a price it says that, and leads to the form, which offers that day', async t => {
    await page.getByRole('button', { name: 'Reprice…' }).click()
    await dialog.getByRole('button', { name: 'Reprice', exact: true }).click()
    await dialog.getByText(`our-own-model (${calls} calls): it has no price.`).waitFor()
    await dialog.getByRole('button', { name: 'Set a price' }).click()
    await page.getByRole('dialog', { name: 'Reprice calls' }).waitFor({ state: 'detached' })
    await dialog.getByRole('button', { name: `From ${shown(day)}` }).click()
    t.equal(await dialog.getByLabel('From (UTC)').inputValue(), day.slice(0, 16))
  })

  await t.test('from now on: nothing changes, and why', async () => {
    await dialog.getByLabel('From (UTC)').fill('')
    await dialog.getByRole('textbox', { name: /^Input/ }).fill('2')
    await dialog.getByRole('textbox', { name: /^Output/ }).fill('4')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await dialog.waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'our-own-model has a price now' }).click()
    await dialog.getByRole('button', { name: 'Reprice', exact: true }).click()
    await dialog.getByText('0 calls have a new cost').waitFor()
    await dialog.getByText(`its price applies from ${shown(new Date(scene.nowMs).toISOString())} on, but the first of these calls began at ${shown(first)}.`)
      .waitFor()
  })

  await t.test('one click: the same rates from that day on, and every call has its cost', async t => {
    await dialog.getByRole('button', { name: `Apply it from ${shown(day)} and reprice` }).click()
    await dialog.getByText(`${calls} calls have a new cost`).waitFor()
    t.match((await admin('GET', '/prices/our-own-model')).body, {
      others: [{ effective_from: day, input: 2, output: 4 }]
    })
    t.match((await admin('GET', '/unpriced-models')).body, { total: 0 })
    await dialog.getByRole('button', { name: 'Reprice', exact: true }).click()
    await dialog.getByText('Nothing to do: each call that can have a cost has one.').waitFor()
  })
})

t.test('a model without a price gets one, and its calls a cost', async t => {
  const scene = await startScene(t, { expected: [/status of 400/] })
  if (scene === null) return
  const { admin } = scene.gateway
  const totalCost = async (): Promise<number> => ((await admin(
    'GET', '/prompt-configs/classify_lead'
  )).body as { total_cost: number }).total_cost
  const page = await scene.open('/admin/prices')
  const dialog = page.getByRole('dialog')
  const row = (name: string): Locator => page.getByRole('row').filter({ hasText: name })
  const close = async (): Promise<void> => {
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
  }
  const { items: rows, total } = (await admin(
    'GET', '/usage-logs?prompt_type=classify_lead&success=true&limit=500'
  )).body as {
    items: Array<{ input_tokens: number, output_tokens: number, cost: null }>, total: number
  }
  t.equal(rows.length, total)
  t.equal(await totalCost(), 0)

  await t.test('it is named, with how many calls wait', async () => {
    await page.getByRole('heading', { name: 'Models that need a price' }).waitFor()
    const { items: [unpriced] } = (await admin('GET', '/unpriced-models')).body as {
      items: Array<{ last_seen: string }>
    }
    const hour = Date.parse(unpriced?.last_seen ?? '')
    const day = new Date(hour).toLocaleDateString('en-GB', { timeZone: 'UTC', day: 'numeric', month: 'short' })
    const [from, to] = [hour, hour + 3_600_000].map(ms => new Date(ms).toISOString().slice(11, 16))
    await page.getByText(`${total} unpriced calls, the last one ${day}, ${from ?? ''} to ${to ?? ''} UTC`).waitFor()
    await page.getByText('No prices of your own').waitFor()
  })

  await t.test('an error stands beside its field; then the price is listed', async t => {
    await page.getByRole('button', { name: 'Set a price for our-own-model' }).click()
    t.equal(await dialog.getByLabel('Model').inputValue(), 'our-own-model')
    await dialog.getByLabel('Input', { exact: false }).first().fill('2000000')
    await dialog.getByRole('textbox', { name: /^Output/ }).fill('4')
    await dialog.getByLabel('From').fill('2020-01-01T01:00')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await dialog.locator('[aria-invalid=true]').waitFor()
    t.equal(await dialog.locator('[aria-invalid=true]').getAttribute('name'), 'input')
    await dialog.getByRole('textbox', { name: /^Input/ }).fill('2')
    await dialog.getByRole('textbox', { name: /^Input/ }).press('Enter')
    await dialog.waitFor({ state: 'detached' })
    await row('our-own-model').waitFor()
    t.match((await admin('GET', '/prices')).body, {
      items: [{ model: 'our-own-model', input: 2, output: 4, effective_from: '2020-01-01T01:00:00.000Z' }]
    })
    t.equal(await totalCost(), 0, 'what has been called keeps what it cost')
  })

  await t.test('repriced: with what it was before and is after, and the statistics follow', async t => {
    await page.getByRole('button', { name: 'our-own-model has a price now' }).click()
    const type = dialog.getByRole('combobox', { name: 'Prompt type' })
    await type.fill('classify_led')
    await type.press('Enter')
    await dialog.getByText('No call had the prompt type “classify_led” yet.').waitFor()
    await type.fill('classify_l')
    await page.getByRole('option', { name: 'classify_lead' }).click()
    await dialog.getByRole('button', { name: 'Reprice', exact: true }).click()
    const expected = rows.reduce((sum, call) => sum + (call.input_tokens * 2 + call.output_tokens * 4) / 1e6, 0)
    const said = dialog.getByRole('status')
    await said.getByText(`${total} calls have a new cost`).waitFor()
    t.match((await said.innerText()).replace(/\s+/g, ' '), `before $0 → after ${money(expected)}`)
    t.ok(Math.abs(await totalCost() - expected) < 1e-9)
    await close()
    await page.getByRole('heading', { name: 'Models that need a price' }).waitFor({ state: 'detached' })
  })

  await t.test('a second time changes nothing', async t => {
    await page.getByRole('button', { name: 'Reprice…' }).click()
    t.equal(await dialog.getByRole('status').count(), 0, 'the last result is not shown again')
    await dialog.getByRole('button', { name: 'Reprice', exact: true }).click()
    await dialog.getByText('0 calls have a new cost').waitFor()
    await close()
  })

  await t.test('a price is changed from what it was, and deleted once that was confirmed', async t => {
    await page.getByRole('button', { name: 'Change the price of our-own-model' }).click()
    t.equal(await dialog.getByRole('textbox', { name: /^Output/ }).inputValue(), '4')
    await dialog.getByRole('textbox', { name: /^Output/ }).fill('5.5')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await row('our-own-model').filter({ hasText: '5.5' }).waitFor()
    await page.getByRole('button', { name: 'Delete the price of our-own-model' }).first().click()
    await dialog.getByRole('button', { name: 'Delete' }).click()
    await page.getByText('No prices of your own').waitFor()
    t.match((await admin('GET', '/prices')).body, { total: 0 })
  })
})
