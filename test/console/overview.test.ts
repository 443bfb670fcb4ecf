import type { Locator, Page } from 'playwright-core'
import t from 'tap'
import { money } from '../../src/console/format.js'
import { gate } from '../helpers/gate.js'
import type { TestGateway } from '../helpers/gateway.js'
import { logged } from './logged.js'
import { startScene } from './scene.js'
import { startBudgets } from './started-budgets.js'

const DAY_MS = 86_400_000

interface Costs {
  readonly items: ReadonlyArray<{ group: string, calls: number, cost: number }>
  readonly totals: { calls: number, failed_calls: number, unpriced_calls: number, cost: number }
}

async function costs ({ admin }: TestGateway, query: string): Promise<Costs> {
  return (await admin('GET', `/costs?${query}`)).body as Costs
}

const figure = (page: Page, name: string): Locator => page.getByRole('group', { name, exact: true })
const table = (page: Page, name: string): Locator => page.getByRole('table', { name, exact: true })
const firstNames = async (table: Locator): Promise<string[]> => await table.getByRole('link').allInnerTexts()
const wholeNumber = (value: number): string => value.toLocaleString('en')

t.test('the overview', async t => {
  const scene = await startScene(t, { expected: [/status of 400/] })
  if (scene === null) return
  const { gateway, nowMs } = scene
  await startBudgets(gateway)
  const page = await scene.open('/admin/')
  await page.getByRole('heading', { name: 'Overview' }).waitFor()
  t.match(page.url(), /\/admin\/overview$/)

  await t.test('the range lives in the URL, and every figure follows it', async t => {
    await page.getByLabel('Range of time').selectOption('30d')
    await page.waitForURL(/range=30d/)
    const toMs = Math.floor(nowMs / 3_600_000) * 3_600_000 + 3_600_000
    const fromMs = Math.floor(nowMs / DAY_MS) * DAY_MS - 29 * DAY_MS
    const sum = await logged(gateway, fromMs, toMs)
    await figure(page, 'Calls').getByText(wholeNumber(sum.calls), { exact: true }).waitFor()
    await figure(page, 'Spend in this range').getByText(money(sum.cost), { exact: true }).waitFor()
    await figure(page, 'Failed').getByText(wholeNumber(sum.failed), { exact: true }).waitFor()
    const {
      items
    } = await costs(gateway, `group_by=prompt_type&from=${new Date(fromMs).toISOString()}&to=${new Date(toMs).toISOString()}&limit=10`)
    t.same(await firstNames(table(page, 'Most expensive')), items.map(({ group }) => group))
    await page.getByRole('img', { name: /^Spend over time/ }).waitFor()

    const colleague = await scene.open(new URL(page.url()).pathname + new URL(page.url()).search)
    await figure(colleague, 'Calls').getByText(wholeNumber(sum.calls), { exact: true }).waitFor()
    t.equal(await colleague.getByLabel('Range of time').inputValue(), '30d')
    await colleague.context().close()
  })

  await t.test('while those of another range are on their way, the old figures are marked as such', async t => {
    const calls = figure(page, 'Calls')
    const stale = page.locator('[aria-busy=true]')
    const held = gate()
    await page.route('**/admin/api/costs?*', async route => {
      await held.passed()
      await route.continue()
    })
    const old = await calls.innerText()
    await page.getByLabel('Range of time').selectOption('90d')
    await stale.getByRole('group', { name: 'Calls', exact: true }).waitFor()
    await stale.getByRole('table', { name: 'Most expensive' }).waitFor()
    await stale.getByRole('img', { name: 'Spend over time' }).waitFor()
    t.equal(await calls.innerText(), old)
    held.open()
    await calls.getByText(old.replace(/^Calls\s+/, '').split('\n')[0] ?? '', { exact: true })
      .waitFor({ state: 'detached' })
    await stale.first().waitFor({ state: 'detached' })
    await page.unroute('**/admin/api/costs?*')
  })

  await t.test('two dates of the reader, the last one included', async () => {
    const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10)
    const today = Math.floor(nowMs / DAY_MS) * DAY_MS
    await page.getByLabel('Range of time').selectOption('own')
    await page.getByLabel('From (UTC)').fill(day(today - 9 * DAY_MS))
    await page.getByLabel('To, included (UTC)').fill(day(today - 5 * DAY_MS))
    await page.waitForURL(url =>
      url.searchParams.get('range') === `${day(today - 9 * DAY_MS)}..${day(today - 5 * DAY_MS)}`)
    const sum = await logged(gateway, today - 9 * DAY_MS, today - 4 * DAY_MS)
    await figure(page, 'Calls').getByText(wholeNumber(sum.calls), { exact: true }).waitFor()
    await figure(page, 'Spend in this range').getByText(money(sum.cost), { exact: true }).waitFor()

    await page.goto(`${gateway.origin}/admin/overview?range=${day(today - 5 * DAY_MS)}..${day(today - 9 * DAY_MS)}`)
    await figure(page, 'Calls').getByText(wholeNumber(sum.calls), { exact: true }).waitFor()
  })

  await t.test('nonsense in the URL is the range that it would be without it', async t => {
    for (const range of ['toString', '..', '2026-99-99..2026-99-99', '2026-01-01..', '9999-12-31..9999-12-31', '%00']) {
      await page.goto(`${gateway.origin}/admin/overview?range=${range}&by=toString`)
      await figure(page, 'Calls').waitFor()
      await page.getByRole('heading', { name: 'Most expensive' }).waitFor()
      if (!range.includes('..')) t.equal(await page.getByLabel('Range of time').inputValue(), '7d', range)
    }
  })

  await t.test('spend is stacked by prompt type, model or user', async t => {
    await page.goto(`${gateway.origin}/admin/overview?range=30d`)
    const legend = page.getByRole('listitem')
    await legend.filter({ hasText: 'summarise_article' }).waitFor()
    await page.getByText('Model', { exact: true }).click()
    await legend.filter({ hasText: 'gpt-4.1-mini' }).waitFor()
    t.match(page.url(), /by=model/)
    await page.getByText('User', { exact: true }).click()
    await legend.filter({ hasText: 'grace' }).waitFor()
    t.equal(await legend.filter({ hasText: 'summarise_article' }).count(), 0)
  })

  await t.test('what grows fastest, and a way to each that keeps the range', async t => {
    const growing = await firstNames(table(page, 'Fastest growing'))
    t.ok(growing.includes('answer_support_ticket'))
    const movers = async (direction: string): Promise<Array<{
      group: string, previous_cost: number, cost: number, change: number
    }>> => ((await gateway.admin('GET',
      `/costs/top-movers?direction=${direction}&limit=6&from=2026-10-20T00:00:00Z&to=2026-11-18T14:00:00Z&previous_from=2026-09-20T00:00:00Z&previous_to=2026-10-19T14:00:00Z`
    )).body as { items: Array<{ group: string, previous_cost: number, cost: number, change: number }> }).items
    const items = await movers('up')
    t.same(growing, items.map(({ group }) => group), 'by dollars')
    const cells = await table(page, 'Fastest growing').locator('tbody tr').first().locator('td').allInnerTexts()
    t.same(cells.slice(1, 4), [money(items[0]?.previous_cost), money(items[0]?.cost), `+${money(items[0]?.change)}`])
    await page.getByText('the same part of the period before, 20 Sept, 00:00 to 19 Oct, 14:00 UTC.').waitFor()
    await page.getByLabel('Range of time').selectOption('24h')
    await table(page, 'Fastest falling').getByText(/^−\$/).first().waitFor()
    const falling = (await table(page, 'Fastest falling').locator('tbody td:nth-child(4)')
      .allInnerTexts()).map(text => Number(text.replace('−$', '')))
    t.same(falling, [...falling].sort((a, b) => b - a))
    await page.getByLabel('Range of time').selectOption('30d')
    await page.waitForURL(/range=30d/)
    await table(page, 'Fastest growing').getByRole('link', { name: 'answer_support_ticket' }).click()
    await page.getByRole('heading', { name: 'answer_support_ticket' }).waitFor()
    t.match(page.url(), /\/prompt-types\/answer_support_ticket\?range=30d$/)
    await page.goBack()
  })

  await t.test('budgets, the fullest first, and the types that they block', async t => {
    const bars = page.getByRole('progressbar')
    await bars.first().waitFor()
    t.match(await bars.first().getAttribute('aria-label'), /^Front page: 1\d\d % spent$/)
    t.equal(await bars.count(), 4)
    await figure(page, 'Blocked now').getByText('1 type', { exact: true }).waitFor()
    await figure(page, 'Blocked now').getByRole('link', { name: 'see them' }).click()
    await page.getByRole('link', { name: 'summarise_article' }).waitFor()
    t.equal(await page.getByRole('link', { name: 'translate_page' }).count(), 0)
  })

  await t.test('failed calls are shown in the usage log, of the same range', async t => {
    await page.goto(`${gateway.origin}/admin/overview?range=24h`)
    const {
      totals
    } = await costs(gateway, `from=${new Date(Math.ceil(nowMs / 3_600_000) * 3_600_000 - DAY_MS).toISOString()}`)
    await figure(page, 'Failed').getByText(String(totals.failed_calls), { exact: true }).waitFor()
    t.ok(totals.failed_calls > 0)
    await figure(page, 'Failed').getByRole('link').click()
    await page.getByText(`${totals.failed_calls} calls match`).waitFor()
  })
})

t.test('the overview says when the database is away or records wait in the journal, in every page\'s header too', async t => {
  const scene = await startScene(t, { expected: [/status of 503/] })
  if (scene === null) return
  const page = await scene.open('/admin/overview')
  await page.getByRole('status', { name: /^Gateway ok/ }).waitFor()
  await page.route('**/readyz', async route =>
    await route.fulfill({
      json: { status: 'degraded', database: 'degraded', journal: 'in_use', records_pending: 1234 }
    }))
  await page.reload()
  const banner = page.getByRole('alert').filter({ hasText: 'The gateway is degraded' })
  await banner.getByText('The database is unavailable.').waitFor()
  await banner.getByText('1,234 records are on the way from the journal into the database.').waitFor()
  await page.getByRole('status', { name: /^Gateway degraded\. Database: degraded\. Journal: in use\./ }).waitFor()

  await page.route('**/admin/api/**', async route => await route.fulfill({
    status: 503,
    json: {
      error: {
        message: 'The database cannot be reached just now.',
        type: 'api_error',
        param: null,
        code: 'database_unavailable'
      }
    }
  }))
  await page.reload()
  await page.getByText('The database cannot be reached just now.').first().waitFor()
  await page.unroute('**/admin/api/**')
  await page.getByRole('button', { name: 'Try again' }).first().click()
  await figure(page, 'Calls').waitFor()
  t.pass('and a retry brings the figures')
})

t.test('where no call has come by yet, the overview says how to make the first one', async t => {
  const scene = await startScene(t, { empty: true })
  if (scene === null) return
  const page = await scene.open('/admin/overview', { permissions: ['clipboard-read', 'clipboard-write'] })
  await page.getByText('No calls yet').waitFor()
  await page.getByRole('button', { name: 'Copy' }).click()
  await page.getByRole('button', { name: 'Copied' }).waitFor()
  t.match(await page.evaluate('navigator.clipboard.readText()'), `curl ${scene.gateway.origin}/v1/chat/completions`)
  await page.getByText('Nothing was spent.').waitFor()
  await page.getByText('There are none.').waitFor()
})

t.test('in the first hour of the books there is nothing to compare with, and the overview says why', async t => {
  const scene = await startScene(t, { empty: true })
  if (scene === null) return
  const answer = await fetch(`${scene.gateway.origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'hi' }] })
  })
  t.equal(answer.status, 200)
  await answer.text()
  const page = await scene.open('/admin/overview')
  const why = 'There is no period before to compare with yet: no call ended in 5 Nov, 00:00 to 11 Nov, 14:00 UTC.'
  await page.getByText(why).nth(1).waitFor()
  t.equal(await page.getByText(why).count(), 2, 'of what grows, and of what falls')
  t.match(await figure(page, 'Today (UTC)').innerText(), /no spend yesterday until 14:00 UTC$/)
  t.match(await figure(page, 'Calls').innerText(), /none in the period before$/)
})
