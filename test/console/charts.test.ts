import type { Locator, Page } from 'playwright-core'
import t from 'tap'
import { money } from '../../src/console/format.js'
import { drawnColumns } from './drawn-columns.js'
import { settled, startScene } from './scene.js'

interface Item { readonly group: string, readonly bucket: string, readonly cost: number }

const chart = (page: Page): Locator => page.getByRole('img', { name: 'Spend over time' })
const readout = (page: Page): Locator => page.locator('.readout')

/** How many runs of a chart's columns of pixels have something of the colour of its first series. */
async function barsIn (chart: Locator): Promise<number> {
  const drawn = (await drawnColumns(chart)).columns
  return drawn.filter((column, i) => column - (drawn[i - 1] ?? -9) > 1).length
}

t.test('charts say the values under the cursor, of every series', async t => {
  const scene = await startScene(t)
  if (scene === null) return
  const { items } = (await scene.gateway.admin(
    'GET', '/costs?group_by=model&interval=day&from=2026-10-20T00:00:00Z&to=2026-11-18T15:00:00Z'
  )).body as { items: Item[] }
  const on = (day: string): Item[] => items.filter(item => item.bucket === `${day}T00:00:00.000Z`)
  const total = (day: string): string => money(on(day).reduce((sum, { cost }) => sum + cost, 0))
  const page = await scene.open('/admin/overview?range=30d&by=model')
  await chart(page).locator('canvas').waitFor()

  await t.test('by mouse: each its own value though they are stacked, and their sum', async t => {
    await chart(page).scrollIntoViewIfNeeded()
    const over = await chart(page).locator('.u-over').boundingBox()
    if (over === null) throw new Error('the chart is not drawn')
    // Thirty days: the tenth from the left.
    await page.mouse.move(over.x + over.width * 9.5 / 30, over.y + 20)
    await readout(page).getByText('Thu, 29 Oct 2026 (UTC)').waitFor()
    const text = (await readout(page).innerText()).replace(/\s+/g, ' ')
    t.ok(on('2026-10-29').length > 4)
    for (const {
      group, cost
    } of on(
        '2026-10-29'
      )) if (group !== 'our-own-model') t.ok(text.includes(`${group} ${money(cost)}`), `${group} ${money(cost)}: ${text}`)
    t.match(text, `Total ${total('2026-10-29')}`)
    t.match(text, 'our-own-model unpriced')
    await page.mouse.move(over.x + 5, over.y - 200)
    await readout(page).waitFor({ state: 'detached' })
  })

  await t.test('by the arrow keys, and said to screen readers', async t => {
    const slider = page.getByRole('slider', { name: 'Spend over time, by time' })
    await slider.focus()
    await readout(page).getByText('Wed, 18 Nov 2026 (UTC)').waitFor()
    await page.keyboard.press('ArrowLeft')
    await readout(page).getByText('Tue, 17 Nov 2026 (UTC)').waitFor()
    const said = await slider.getAttribute('aria-valuetext') ?? ''
    t.match(said, `Tue, 17 Nov 2026 (UTC): total ${total('2026-11-17')}, `)
    for (const { group, cost } of on('2026-11-17')) {
      if (group !== 'our-own-model') {
        t.ok(
          said.includes(`${group} ${money(cost)}`), group
        )
      }
    }
    await page.keyboard.press('Home')
    await readout(page).getByText('Tue, 20 Oct 2026 (UTC)').waitFor()
    await page.keyboard.press('Escape')
    await readout(page).waitFor({ state: 'detached' })
  })

  await t.test('by a finger on a phone, within the screen', async t => {
    const phone = await scene.open('/admin/overview?range=30d', {
      viewport: { width: 390, height: 844 }, hasTouch: true
    })
    await chart(phone).locator('canvas').waitFor()
    await settled(phone)
    for (const share of [0.02, 0.5, 0.98]) {
      await chart(phone).scrollIntoViewIfNeeded()
      const over = await chart(phone).locator('.u-over').boundingBox()
      if (over === null) throw new Error('the chart is not drawn')
      await phone.touchscreen.tap(over.x + over.width * share, over.y + over.height / 2)
      await readout(phone).waitFor()
      const box = await readout(phone).boundingBox()
      t.ok(box !== null && box.x >= 0 && box.x + box.width <= 390, `${share}: ${JSON.stringify(box)}`)
      t.equal(await phone.evaluate('document.documentElement.scrollWidth'), 390)
    }
  })

  await t.test('of days: a bar each, none of them joined to the next', async t => {
    await page.goto(`${scene.gateway.origin}/admin/prompt-types/summarise_article?range=7d`)
    await page.getByRole('img', { name: 'Cost' }).locator('canvas').waitFor()
    await settled(page)
    t.equal(await barsIn(page.getByRole('img', { name: 'Cost' })), 7)
  })

  await t.test('of hours: which one', async () => {
    await page.goto(`${scene.gateway.origin}/admin/prompt-types/generate_image_metadata?range=24h`)
    await page.getByRole('slider', { name: 'Average duration, by time' }).focus()
    await readout(page).getByText('18 Nov 2026, 14:00 to 15:00 UTC').waitFor()
  })
})
