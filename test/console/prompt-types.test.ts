import { readFileSync } from 'node:fs'
import type { Page } from 'playwright-core'
import t from 'tap'
import { settled, startScene } from './scene.js'

const names = async (page: Page): Promise<string[]> => await page.locator('tbody tr[aria-rowindex] a').allInnerTexts()
const toggle = (page: Page, what: string, promptType: string) =>
  page.getByRole('switch', { name: `${what} of ${promptType}` })

t.test('the list of prompt types', async t => {
  const scene = await startScene(t, { expected: [/status of 503/] })
  if (scene === null) return
  const { admin } = scene.gateway
  const config = async (promptType: string): Promise<Record<string, unknown>> =>
    (await admin('GET', `/prompt-configs/${promptType}`)).body as Record<string, unknown>
  const page = await scene.open('/admin/prompt-types')
  await page.getByRole('link', { name: 'summarise_article' }).waitFor()

  await t.test("it has the seed's columns, the dearest type first", async t => {
    t.same((await page.getByRole('columnheader').allInnerTexts()).map(text => text.trim()).filter(text => text !== ''),
      ['Prompt type', 'Full data', 'Logged', 'Calls', 'Cost', 'Per call', '14 days', 'Last call (UTC)'])
    t.equal((await names(page))[0], 'summarise_article')
    await page.getByRole('img', { name: /^Cost of summarise_article over 14 days: \$/ }).waitFor()
  })

  await t.test('every row is as high as the others, with a line of its last days or without', async t => {
    await page.getByRole('link', { name: 'classify_lead' }).waitFor()
    t.equal(await page.getByRole('img', { name: /^Cost of classify_lead/ }).count(), 0, 'nothing is known of its cost')
    const boxes = await Promise.all(
      (await page.locator('tbody tr[aria-rowindex]').all()).map(async row => await row.boundingBox())
    )
    t.equal(boxes.length, 10)
    t.equal(new Set(boxes.map(box => Math.ceil(box?.height ?? 0))).size, 1, JSON.stringify(boxes))
  })

  await t.test('search, filters and order live in the URL, and a link shows the same', async t => {
    await page.getByRole('button', { name: 'Prompt type' }).click()
    await page.getByRole('searchbox').fill('page')
    await page.waitForURL(/search=page/)
    await page.getByText('3 prompt types match').waitFor()
    t.same(
      await names(page), ['select_best_tags', 'summarise_article', 'translate_page'], 'in the name or the description'
    )
    t.match(page.url(), /sort=prompt_type/)
    const colleague = await scene.open(new URL(page.url()).pathname + new URL(page.url()).search)
    await colleague.getByRole('link', { name: 'translate_page' }).waitFor()
    t.same(await names(colleague), ['select_best_tags', 'summarise_article', 'translate_page'])
    t.equal(await colleague.getByRole('searchbox').inputValue(), 'page')
    t.equal(await colleague.getByRole('columnheader', { name: 'Prompt type' }).getAttribute('aria-sort'), 'ascending')
    await colleague.close()
    await page.goto(`${scene.gateway.origin}/admin/prompt-types`)
    await page.getByLabel('Full data', { exact: true }).selectOption('true')
    await page.getByText('1 prompt type matches').waitFor()
    t.same(await names(page), ['generate_image_metadata'])
    await page.getByRole('button', { name: 'Clear filters' }).click()
    await page.getByText('10 prompt types').waitFor()
    t.equal(new URL(page.url()).search, '')
  })

  await t.test('a switch in a row holds at once, by keyboard too', async t => {
    await toggle(page, 'Full data', 'summarise_article').focus()
    await Promise.all([
      page.waitForResponse(response => response.request().method() === 'PATCH'), page.keyboard.press('Space')
    ])
    t.equal(await toggle(page, 'Full data', 'summarise_article').isChecked(), true)
    t.equal((await config('summarise_article')).track_full_data, true)
  })

  await t.test('a switch that the gateway does not take goes back, and says why', async t => {
    await page.route('**/admin/api/prompt-configs/summarise_article', async route => await route.fulfill({
      status: 503,
      contentType: 'application/json',
      body: JSON.stringify({
        error: { message: 'The database is unavailable.', type: 'api_error', param: null, code: 'database_unavailable' }
      })
    }), { times: 1 })
    await toggle(page, 'Logged', 'summarise_article').press('Space')
    await page.getByText('summarise_article was not changed').waitFor()
    await page.getByText('The database is unavailable.').waitFor()
    t.equal(await toggle(page, 'Logged', 'summarise_article').isChecked(), true, 'as it was')
    t.equal((await config('summarise_article')).is_active, true)
  })

  await t.test('those selected, or all that match, are switched at once', async t => {
    await page.getByRole('checkbox', { name: 'Select translate_page' }).check()
    await page.getByRole('checkbox', { name: 'Select untyped' }).check()
    await page.getByRole('group', { name: 'Change many at once' }).getByRole('button', { name: 'Do not write' }).click()
    await page.getByText('2 prompt types changed').waitFor()
    t.equal((await config('translate_page')).is_active, false)
    t.equal((await config('untyped')).is_active, false)
    t.equal((await config('embed_paragraph')).is_active, true)

    await page.getByRole('searchbox').fill('page')
    await page.getByText('3 prompt types match').waitFor()
    await page.getByRole('checkbox', { name: 'Select translate_page' }).check()
    await page.getByText('All 3 that match').click()
    await page.getByRole('group', { name: 'Change many at once' }).getByRole('button', { name: 'Write', exact: true })
      .click()
    await page.getByText('3 prompt types changed').waitFor()
    t.equal((await config('translate_page')).is_active, true)
    t.equal((await config('untyped')).is_active, false, 'what does not match stays')
    await page.getByRole('checkbox', { name: 'Select translate_page' }).check()
    t.equal(
      await page.getByRole('radio', { name: '1 selected' }).isChecked(), true, 'the next change is of what is selected'
    )
  })

  await t.test('what is filtered is exported', async t => {
    await page.goto(`${scene.gateway.origin}/admin/prompt-types?search=tags`)
    await page.getByRole('link', { name: 'select_best_tags' }).waitFor()
    const [download] = await Promise.all([
      page.waitForEvent('download'), page.getByRole('link', { name: 'CSV' }).click()
    ])
    const text = readFileSync(await download.path(), 'utf8')
    t.match(text, /select_best_tags/)
    t.notMatch(text, /summarise_article/)
  })
})

t.test('the lines of a page of the list come in one request', async t => {
  const scene = await startScene(t, { moreTypes: 80, share: 0.25 })
  if (scene === null) return
  const page = await scene.open('/admin/settings')
  const asked: string[] = []
  page.on('request', request => {
    if (request.url().includes('/admin/api/costs')) asked.push(new URL(request.url()).pathname)
  })
  await page.goto(`${scene.gateway.origin}/admin/prompt-types`)
  await page.getByText('90 prompt types').waitFor()
  await page.getByRole('img', { name: /^Cost of summarise_article over 14 days: \$/ }).waitFor()
  const region = page.getByRole('region', { name: 'Prompt types' })
  await region.focus()
  for (let presses = 0; presses < 20; presses++) await page.keyboard.press('PageDown')
  await page.getByRole('img', { name: /^Cost of experiment-000\d\d over 14 days: \$/ }).first().waitFor()
  await settled(page)
  t.same(asked, ['/admin/api/costs/daily'])
})

t.test('thousands of prompt types: only those in sight are in the page, and the last one is reached by keyboard', async t => {
  const scene = await startScene(t, { moreTypes: 2990 })
  if (scene === null) return
  const page = await scene.open('/admin/prompt-types?sort=prompt_type')
  await page.getByText('3,000 prompt types').waitFor()
  await page.getByRole('region', { name: 'Prompt types' }).focus()
  for (let presses = 0; presses < 200 && !(await names(page)).includes('untyped'); presses++) {
    await page.keyboard.press('End')
    await page.waitForTimeout(50)
  }
  t.equal((await names(page)).at(-1), 'untyped')
  t.ok(await page.locator('tbody tr').count() < 80, 'few rows are in the page')
})
