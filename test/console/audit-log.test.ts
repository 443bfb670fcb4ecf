import t from 'tap'
import { startScene } from './scene.js'
import { startBudgets } from './started-budgets.js'

t.test('the audit log says who changed what and when, from what to what', async t => {
  const scene = await startScene(t)
  if (scene === null) return
  await startBudgets(scene.gateway)
  const { admin } = scene.gateway
  const { items, total } = (await admin('GET', '/audit-log')).body as {
    items: Array<{ action: string, target: string, created_at: string }>, total: number
  }
  const page = await scene.open('/admin/audit-log')
  const rows = page.locator('tbody tr[aria-rowindex]')
  const drawer = page.getByRole('dialog')
  await rows.first().waitFor()
  t.equal(await rows.count(), total)
  t.same(
    await page.evaluate('[...document.querySelectorAll("tbody time")].map(element => element.dateTime)'),
    items.map(item => item.created_at),
    'newest first'
  )
  t.same(await rows.locator('td:nth-child(2)').allInnerTexts(), items.map(() => 'admin'))

  await t.test('a row opens with before and after, by mouse and by keyboard', async t => {
    const switched = rows.filter({ hasText: 'moderate_comment' })
    t.match(await switched.innerText(), 'is_active')
    await switched.click()
    t.match((await drawer.getByRole('row').filter({ hasText: 'is_active' })
      .innerText()).split(/\s+/), ['is_active', 'true', 'false'])
    await page.keyboard.press('Escape')
    await drawer.waitFor({ state: 'detached' })
    const button = switched.getByRole('button')
    await button.focus()
    await page.keyboard.press('Enter')
    await drawer.getByRole('row').filter({ hasText: 'is_active' }).waitFor()
    await page.keyboard.press('Escape')
    await drawer.waitFor({ state: 'detached' })
    t.match(
      await page.evaluate('document.activeElement.getAttribute("aria-label")'),
      /^Open .* of moderate_comment/,
      'the focus is back where it was'
    )
  })

  await t.test('budgets and keys are called by their names, with the id beside them', async t => {
    for (const [name, action] of [['Front page', 'budget.create'], ['newsroom plugin', 'key.create']] as const) {
      const target = rows.filter({ hasText: name }).filter({ hasText: action }).locator('td:nth-child(4)')
      t.match(await target.innerText(), new RegExp(`^${name}\\s+[\\da-f-]{36}$`))
    }
    await rows.filter({ hasText: 'Front page' }).filter({ hasText: 'budget.create' }).click()
    await drawer.getByText(/admin, .*: Front page/).waitFor()
    await page.keyboard.press('Escape')
    await drawer.waitFor({ state: 'detached' })
  })

  await t.test('filters live in the URL; nothing found is said as such', async t => {
    await page.getByLabel('Target').fill('moderate_comment')
    await page.waitForURL(/target=moderate_comment/)
    await rows.nth(1).waitFor({ state: 'detached' })
    t.equal(await rows.count(), 1)
    await page.reload()
    await rows.first().waitFor()
    t.equal(await page.getByLabel('Target').inputValue(), 'moderate_comment')
    t.equal(await rows.count(), 1)
    await page.getByLabel('Who').fill('nobody')
    await page.getByText('No change matches these filters.').waitFor()
  })
})
