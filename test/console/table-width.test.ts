import t from 'tap'
import { settled, startScene } from './scene.js'
import { startBudgets } from './started-budgets.js'

const PATHS = [
  'prompt-types', 'usage-log', 'usage-log?success=false', 'budgets', 'budgets?view=alerts', 'keys', 'prices', 'audit-log',
  'overview?range=30d', 'prompt-types/generate_image_metadata?range=30d'
]
/** What is wider than the region that it is in. */
const WIDE = `[...document.querySelectorAll('.scroll')].filter(region => region.scrollWidth > region.clientWidth)
  .map(region => region.getAttribute('aria-label') + ': ' + region.scrollWidth + ' > ' + region.clientWidth)`

t.test('no table scrolls sideways on a screen of 1280 px, whatever the names', async t => {
  const scene = await startScene(t, { share: 0.25 })
  if (scene === null) return
  const { admin, origin } = scene.gateway
  await startBudgets(scene.gateway)
  const name = 'generate_image.metadata-'.repeat(5).slice(0, 106)
  const budget = {
    name: 'Budget of the front page '.repeat(4),
    prompt_type: name,
    period: 'total',
    limit_usd: 12_345_678,
    action: 'block',
    strict: true
  }
  t.equal(
    (await admin('POST', '/budgets', { ...budget, thresholds: [10, 20, 30, 40, 50, 60, 70, 80, 90, 100] })).status, 201
  )
  t.equal(
    (await admin('POST', '/keys', {
      name: 'k'.repeat(100), user: 'u'.repeat(100), allowed_prompt_types: [name, 'tags']
    })).status,
    201
  )
  t.equal(
    (await admin('PUT', `/prices/${'m'.repeat(100)}`, {
      input: 1234.5678, output: 1234.5678, audio_input: 1234.5678
    })).status,
    200
  )
  const answer = await fetch(`${origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-prompt-type': name, 'x-prompt-user': 'u'.repeat(100) },
    body: JSON.stringify({ model: 'm'.repeat(100), messages: [{ role: 'user', content: 'hi' }] })
  })
  await answer.text()
  const page = await scene.open('/admin/overview')
  for (const path of PATHS) {
    await page.goto(`${origin}/admin/${path}`)
    await page.locator('table tbody tr').first().waitFor()
    await settled(page)
    t.same(await page.evaluate(WIDE), [], path)
  }
})

t.test('tokens are in the list where there is room for them, and in the opened call', async t => {
  const scene = await startScene(t, { share: 0.25 })
  if (scene === null) return
  for (const [width, isRoomy] of [[1280, false], [1440, true]] as const) {
    const page = await scene.open('/admin/usage-log?success=true', { viewport: { width, height: 900 } })
    const header = page.getByRole('columnheader', { name: 'In', exact: true })
    await page.locator('table tbody tr').first().waitFor()
    t.equal(await header.count(), isRoomy ? 1 : 0, `${width}`)
    await page.getByRole('button', { name: /^Open the call/ }).first().click()
    await page.getByRole('dialog').getByText(/^[\d,]+ \([\d,]+ cached\)$/).waitFor()
  }
})
