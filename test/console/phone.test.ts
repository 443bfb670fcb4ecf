import type { Locator, Page } from 'playwright-core'
import t from 'tap'
import { settled, startScene } from './scene.js'
import { startBudgets } from './started-budgets.js'

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true } as const
const rows = (page: Page): Locator => page.locator('tbody tr[aria-rowindex]')
const row = (page: Page, text: string): Locator => rows(page).filter({ hasText: text })

/** Which of these are not wholly between the left and the right edge of what holds the table. */
async function outside (page: Page, selector: string): Promise<string[]> {
  return await page.evaluate(`[...document.querySelectorAll(${JSON.stringify(selector)})].filter(element => {
    const [box, frame] = [element.getBoundingClientRect(), element.closest('.scroll').getBoundingClientRect()]
    return box.width === 0 || box.left < frame.left || box.right > frame.right + 0.5
  }).map(element => element.textContent || element.getAttribute('aria-label'))`)
}

/** A text's lines as they are laid out. */
async function lines (page: Page, selector: string): Promise<string[]> {
  return await page.evaluate(`(() => {
    const element = document.querySelector(${JSON.stringify(selector)})
    const lines = []
    const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT)
    let top
    while (texts.nextNode()) {
      for (let i = 0; i < texts.currentNode.length; i++) {
        const range = document.createRange()
        range.setStart(texts.currentNode, i)
        range.setEnd(texts.currentNode, i + 1)
        const box = range.getBoundingClientRect()
        if (top === undefined || Math.abs(box.top - top) > 4) lines.push('')
        top = box.top
        lines[lines.length - 1] += range.toString()
      }
    }
    return lines
  })()`)
}

t.test('on a phone', async t => {
  const scene = await startScene(t)
  if (scene === null) return
  const { admin, origin } = scene.gateway
  await startBudgets(scene.gateway)
  const page = await scene.open('/admin/overview?range=30d', PHONE)
  const go = async (path: string): Promise<void> => {
    await page.goto(`${origin}/admin/${path}`)
    await page.getByRole('heading', { level: 1 }).waitFor()
    await settled(page)
  }

  await t.test('a name breaks where its parts meet, and a change stands beside its figure', async t => {
    await page.getByRole('table', { name: 'Fastest growing' }).waitFor()
    t.same(await lines(
      page, '[aria-label="Most expensive"] a[href*=generate_image_metadata]'
    ), ['generate_image_', 'metadata'])
    const spend = page.getByRole('group', { name: 'Spend in this range' })
    const [figure, badge] = [await spend.getByText(/^\$/).boundingBox(), await spend.getByText(/ %$/).boundingBox()]
    t.ok(
      figure !== null && badge !== null && badge.y < figure.y + figure.height && badge.x > figure.x,
      JSON.stringify({ figure, badge })
    )
  })

  await t.test('no table scrolls sideways', async t => {
    for (const path of [
      'prompt-types', 'prompt-types/generate_image_metadata?range=30d', 'usage-log', 'usage-log?success=false',
      'budgets', 'budgets?view=alerts', 'keys', 'prices', 'audit-log'
    ]) {
      await go(path)
      await page.locator('.scroll tbody tr').first().waitFor()
      const wide = await page.evaluate(
        '[...document.querySelectorAll(".scroll")].filter(region => region.scrollWidth > region.clientWidth).map(region => region.getAttribute("aria-label") + ": " + region.scrollWidth + " > " + region.clientWidth)'
      )
      t.same(wide, [], path)
    }
  })

  await t.test('a prompt type shows its calls, its cost and its switches, and the list is ordered by what has no column', async t => {
    await go('prompt-types')
    const { total_calls: calls } = (await admin(
      'GET', '/prompt-configs/summarise_article'
    )).body as { total_calls: number }
    t.match(
      await row(page, 'summarise_article').innerText(), new RegExp(`${calls.toLocaleString('en')} calls · \\$\\d`)
    )
    t.match(await row(page, 'classify_lead').innerText(), /\d+ calls ·\s+unpriced/i)
    t.same(await outside(page, 'tbody .note, tbody [role=switch]'), [])
    await page.getByRole('button', { name: 'Filters' }).tap()
    await page.getByLabel('Order', { exact: true }).selectOption('-total_calls')
    await page.waitForURL(/sort=-total_calls/)
    await page.locator('[aria-rowindex="2"]').filter({ hasText: 'moderate_comment' }).waitFor()
    await go('prompt-types?sort=-failed_calls')
    await page.getByRole('button', { name: 'Filters' }).click()
    t.equal(
      await page.getByLabel('Order', { exact: true }).inputValue(),
      '-failed_calls',
      'an order of a link that is not among them is not shown as another'
    )
  })

  await t.test('a call shows when, of which model, how it ended and what it cost; it opens by touch and by keyboard', async t => {
    await go('usage-log?success=true&prompt_type=generate_image_metadata')
    const call = rows(page).first()
    t.match(
      await call.innerText(),
      /generate_image_metadata\s+\d+ [A-Z][a-z]+, [\d:]{8} UTC · gpt-4o\s+\$\d[\d.]+\s+200\s+Open/
    )
    t.same(await outside(page, 'tbody .note, tbody .number'), [])
    await call.getByText('generate_image_metadata').tap()
    await page.getByRole('dialog', { name: 'Call' }).getByText('Finished').waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await call.getByRole('button').press('Enter')
    await page.getByRole('dialog', { name: 'Call' }).getByText('Finished').waitFor()
  })

  await t.test("a prompt type's latest calls leave out model and user, and its latest call has its tabs in one line", async t => {
    await go('prompt-types/generate_image_metadata?range=30d')
    const latest = page.getByRole('region', { name: 'Latest calls' })
    t.same(await latest.getByRole('columnheader').allInnerTexts(), ['Finished (UTC)', 'Status', 'Cost', 'Took'])
    await page.getByRole('button', { name: /^Latest call/ }).tap()
    const tabs = page.getByRole('tab')
    await tabs.first().waitFor()
    const tops = (await Promise.all((await tabs.all()).map(async tab => await tab.boundingBox()))).map(box => box?.y)
    t.equal(tops.length, 4)
    t.equal(new Set(tops).size, 1, JSON.stringify(tops))
  })

  await t.test('a budget, a key and a price say what they are for, with their buttons in reach', async t => {
    for (const [path, name, what] of [
      ['budgets', 'Front page', /\$\S+ of \$\S+ a month\s+blocking\s+summarise_article\s+blocks, strict/i],
      ['keys', 'importer in production', /importer · generate_image_metadata, select_best_tags\s+never/],
      ['prices', 'our-other-model', /from \d+ [^]*0\.4\s+1\.6/]
    ] as const) {
      await go(path)
      t.match((await row(page, name).innerText()).replace(/\s+/g, ' '), what)
      t.same(await outside(page, 'tbody button, tbody .note'), [], path)
    }
  })

  await t.test('an alert says when, at how much, what was spent and who was told', async t => {
    await go('budgets?view=alerts')
    t.match(
      (await row(page, '100 %').first().innerText()).replace(/\s+/g, ' '),
      /Front page \d+ [A-Z][a-z]+, [\d:]{8} UTC 100 % \$\S+ of \$\S+ no recipient set/
    )
    t.same(await outside(page, 'tbody .note, tbody .number'), [])
  })

  await t.test('an entry of the audit log says when, who, and what was changed, by its name', async t => {
    await go('audit-log')
    t.match(
      (await row(page, 'Front page').filter({ hasText: 'budget.create' }).innerText()).replace(/\s+/g, ' '),
      /^\d+ [A-Z][a-z]+, [\d:]{8} admin Front page budget\.create Open$/
    )
    t.match(await row(page, 'newsroom plugin').innerText(), /key\.create/)
    t.same(await outside(page, 'tbody .note, tbody button'), [])
  })
})
