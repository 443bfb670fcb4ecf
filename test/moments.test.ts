import type { Locator, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { money } from '../src/console/format.js'
import { logged } from './console/logged.js'
import { MOMENTS, type Moment, atOf } from './console/moments.js'
import { type Scene, startScene } from './console/scene.js'
import { startBudgets } from './console/started-budgets.js'

// What the console says of days, weeks and months, at each of the moments: one browser, small books. In a process of
// its own, and in the order of time, for the ids of calls never go back.

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

interface Budget {
  readonly name: string
  readonly spent_usd: number
  readonly limit_usd: number
  readonly state: string
  readonly period_start: string
  readonly period_end: string
}

/** Of the started budgets, as soon as their period has spent anything. */
const STATES: Readonly<Record<string, string>> = {
  'Everything, monthly': 'warning', 'Support drafts': 'warning', 'Front page': 'exceeded'
}

const figure = (page: Page, name: string): Locator => page.getByRole('group', { name, exact: true })
const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10)
const yearIn = (at: string | number): string => String(new Date(at).getUTCFullYear())
const inUtc = (at: string): string => new Date(at).toLocaleString('en-GB',
  { timeZone: 'UTC', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit' })

async function spansSoFar (t: Test, { gateway, nowMs }: Scene, page: Page): Promise<void> {
  // The hour that is not over has no whole one before to be compared with.
  const wholeMs = Math.floor(nowMs / HOUR_MS) * HOUR_MS
  const today = Math.floor(nowMs / DAY_MS) * DAY_MS
  const date = new Date(today)
  const week = today - (date.getUTCDay() + 6) % 7 * DAY_MS
  const month = Date.UTC(date.getUTCFullYear(), date.getUTCMonth())
  const lastMonth = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() - 1)
  const spans: ReadonlyArray<[string, number, number, number]> = [
    ['Today (UTC)', today, today - DAY_MS, wholeMs - DAY_MS],
    ['This week', week, week - 7 * DAY_MS, wholeMs - 7 * DAY_MS],
    ['This month', month, lastMonth, Math.min(lastMonth + wholeMs - month, month)]
  ]
  for (const [name, from, before, beforeEnd] of spans) {
    await figure(page, name).getByText(money((await logged(gateway, from, wholeMs + HOUR_MS)).cost), { exact: true })
      .waitFor()
    if (wholeMs === from) {
      await figure(page, name).getByText('no full hour yet to compare', { exact: true }).waitFor()
      continue
    }
    const [spent, earlier] = [await logged(gateway, from, wholeMs), await logged(gateway, before, beforeEnd)]
    const until = beforeEnd % DAY_MS === 0
      ? '(24:00|the end of \\d+ [A-Z][a-z]+)'
      : `(\\d+ [A-Z][a-z]+, )?${new Date(beforeEnd).toISOString().slice(11, 16)}`
    const words = earlier.cost === 0 ? 'no spend' : 'vs\\.'
    await figure(page, name).getByText(new RegExp(`^${words} (yesterday|last week|last month) until ${until} UTC$`))
      .waitFor()
    const share = Math.round(Math.abs(spent.cost / earlier.cost - 1) * 100)
    const text = await figure(page, name).innerText()
    if (earlier.cost > 0) t.match(text, `${spent.cost < earlier.cost ? '−' : '+'}${share} %`, name)
  }
}

async function ranges (t: Test, { gateway, nowMs }: Scene, page: Page): Promise<void> {
  const endMs = Math.floor(nowMs / HOUR_MS) * HOUR_MS + HOUR_MS
  const today = Math.floor(nowMs / DAY_MS) * DAY_MS
  for (const [range, fromMs, toMs] of [
    ['24h', endMs - DAY_MS, endMs],
    ['30d', today - 29 * DAY_MS, endMs],
    ['365d', Date.UTC(new Date(nowMs).getUTCFullYear(), new Date(nowMs).getUTCMonth() - 11), endMs],
    [`${day(today - 5 * DAY_MS)}..${day(today)}`, today - 5 * DAY_MS, today + DAY_MS]
  ] as const) {
    await page.goto(`${gateway.origin}/admin/overview?range=${range}`)
    const sum = await logged(gateway, fromMs, toMs)
    await figure(page, 'Calls').getByText(sum.calls.toLocaleString('en'), { exact: true }).waitFor()
    await figure(page, 'Spend in this range').getByText(money(sum.cost), { exact: true }).waitFor()
    const failed = (await figure(page, 'Failed').innerText()).replace(/\s+/g, ' ')
    t.match(failed, new RegExp(`^Failed ${sum.failed}\\b`), range)
  }
}

async function budgets (t: Test, { gateway }: Scene, page: Page): Promise<void> {
  const { items } = (await gateway.admin('GET', '/budgets')).body as { items: Budget[] }
  for (const { name, spent_usd: spent, state, period_start: start, period_end: end } of items) {
    if (name === 'Everything, monthly') {
      const { cost } = await logged(gateway, Date.parse(start), Date.parse(end))
      t.ok(Math.abs(spent - cost) < 1e-9, `${start} to ${end}`)
    }
    t.equal(state, spent === 0 ? 'ok' : STATES[name] ?? 'ok', `${name}, ${spent}`)
  }
  await page.goto(`${gateway.origin}/admin/overview`)
  await page.getByRole('progressbar').first().waitFor()
  const fullest = [...items].sort((a, b) => b.spent_usd / b.limit_usd - a.spent_usd / a.limit_usd)[0]
  if (fullest !== undefined && fullest.spent_usd > 0) {
    t.match(await page.getByRole('progressbar').first().getAttribute('aria-label'), fullest.name)
  }
  const blocked = items.filter(({ state }) => state === 'exceeded').length
  const types = blocked === 1 ? '1 type' : `${blocked} types`
  await figure(page, 'Blocked now').getByText(types, { exact: true }).waitFor()
  if (blocked === 0) return
  await page.goto(`${gateway.origin}/admin/prompt-types/summarise_article`)
  await page.getByRole('button', { name: 'Unblock until the next period' }).click()
  const until = items.find(({ state }) => state === 'exceeded')?.period_end ?? ''
  const lifted = page.getByText(/^Lifted by hand until/)
  await lifted.waitFor()
  t.equal(await lifted.locator('time').getAttribute('datetime'), until)
  t.match(until, /-01T00:00:00\.000Z$/)
}

async function latestCalls (t: Test, { gateway, nowMs }: Scene, page: Page): Promise<void> {
  const { items } = (await gateway.admin('GET', '/usage-logs?limit=5')).body as { items: Array<{ created_at: string }> }
  await page.goto(`${gateway.origin}/admin/usage-log`)
  const times = page.locator('tbody time')
  await times.first().waitFor()
  for (const [i, { created_at: at }] of items.entries()) {
    t.equal(await times.nth(i).getAttribute('datetime'), at)
    const text = await times.nth(i).innerText()
    t.match(text, yearIn(at) === yearIn(nowMs) ? inUtc(at) : yearIn(at))
  }
}

t.test('at any moment the console says what the books of that moment hold', async t => {
  const inOrder = (Object.keys(MOMENTS) as Moment[]).sort((a, b) => atOf(a) - atOf(b))
  for (const moment of inOrder) {
    await t.test(moment, async t => {
      const scene = await startScene(t, { moment, share: 0.25 })
      if (scene === null) return
      await startBudgets(scene.gateway)
      const page = await scene.open('/admin/overview')
      await spansSoFar(t, scene, page)
      await ranges(t, scene, page)
      await budgets(t, scene, page)
      await latestCalls(t, scene, page)
    })
  }
})
