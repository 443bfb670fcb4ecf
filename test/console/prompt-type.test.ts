import type { Page } from 'playwright-core'
import t from 'tap'
import { drawnColumns } from './drawn-columns.js'
import { settled, startScene } from './scene.js'

const TYPE = 'generate_image_metadata'
const section = (page: Page, title: string) =>
  page.getByRole('heading', { name: title, exact: true, level: 2 })
    .locator('xpath=ancestor::div[contains(@class, "Paper")][1]')

t.test('one prompt type', async t => {
  const scene = await startScene(t, { expected: [/status of 404/] })
  if (scene === null) return
  const { admin } = scene.gateway
  const config = async (promptType = TYPE): Promise<Record<string, unknown>> =>
    (await admin('GET', `/prompt-configs/${promptType}`)).body as Record<string, unknown>
  t.equal(
    (await admin('POST', '/budgets', {
      name: 'Pictures', prompt_type: TYPE, period: 'month', limit_usd: 0.01, action: 'block'
    })).status,
    201
  )
  const page = await scene.open(`/admin/prompt-types/${TYPE}?range=30d`)
  await page.getByRole('heading', { name: TYPE, level: 1 }).waitFor()

  await t.test('its description and its switches are changed', async t => {
    // Each is seen at once, and sent.
    const sent = (member: string) =>
      page.waitForResponse(response => response.request().postData()?.includes(member) === true)
    const described = sent('description')
    await page.getByRole('textbox', { name: 'Description' }).fill('Alt text, tags and a title')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByRole('button', { name: 'Save' }).waitFor({ state: 'detached' })
    const switched = sent('is_active')
    await page.getByRole('switch', { name: 'Logged' }).press('Space')
    await Promise.all([described, switched])
    const { description, is_active: isActive } = await config()
    t.same({ description, isActive }, { description: 'Alt text, tags and a title', isActive: false })
  })

  await t.test('a spent budget blocks it, and it is let through again', async t => {
    await page.getByRole('alert').getByText('Blocked by a budget').waitFor()
    await section(page, 'Budget').getByText('Pictures').waitFor()
    t.not((await config()).blocked, null)
    await page.getByRole('button', { name: 'Unblock until the next period' }).click()
    await page.getByText('Blocked by a budget').waitFor({ state: 'detached' })
    t.equal((await config()).blocked, null)
    await section(page, 'Budget').getByText(/^Lifted by hand until 1 /).waitFor()
    t.equal(await section(page, 'Budget').getByText('blocking').count(), 0)
  })

  await t.test('cost and latency are drawn, by model and by user they are listed', async t => {
    await page.getByRole('img', { name: 'Cost', exact: true }).locator('canvas').waitFor()
    await page.getByRole('img', { name: 'Average duration' }).locator('canvas').waitFor()
    await page.getByRole('region', { name: 'By model' }).getByRole('cell', { name: 'gpt-4o', exact: true }).waitFor()
    t.same((await page.getByRole('region', { name: 'By user' }).locator('tbody tr td:first-child')
      .allInnerTexts()).sort(), ['(none)', 'ada', 'grace', 'importer', 'newsroom', 'support'])
  })

  await t.test('the latest call is opened by keyboard: what was said, and its facts', async t => {
    await page.getByRole('button', { name: /^Latest call/ }).press('Enter')
    const panel = page.getByRole('region', { name: /^Latest call/ }).first()
    await panel.getByText('What is to be seen here?').waitFor()
    await panel.getByText('{"batch":"2026-11"}').waitFor()
    t.match(await panel.innerText(), /Cost\s+\$0\.\d+/)
  })

  await t.test('the same tokens are priced on a model of one\'s own choice, which the URL keeps', async t => {
    const whatIf = section(page, 'What if')
    await whatIf.getByRole('textbox').fill('gpt-4.1-nano, no-such-model')
    await whatIf.getByRole('textbox').press('Enter')
    await page.waitForURL(/models=gpt-4\.1-nano/)
    t.equal(
      await whatIf.locator(':focus').getAttribute('aria-label'),
      'Models to compare with',
      'the keyboard goes on in the field'
    )
    t.match(await whatIf.getByRole('row', { name: /^gpt-4\.1-nano/ }).innerText(), /\$\d.*−\d+ %/s)
    t.match(
      await whatIf.getByRole('row', { name: /^no-such-model/ }).innerText(), /unknown model/, 'not known is not $0'
    )
  })

  await t.test('its latest rows lead to the usage log', async t => {
    t.equal(await page.getByRole('region', { name: 'Latest calls' }).locator('tbody tr').count(), 10)
    await page.getByRole('link', { name: 'All of them' }).click()
    await page.waitForURL(url => url.pathname === '/admin/usage-log' && url.search === `?prompt_type=${TYPE}`)
    await page.goBack()
  })

  await t.test('one that has only calls without a price is not shown as free', async t => {
    await page.goto(`${scene.gateway.origin}/admin/prompt-types/classify_lead`)
    await page.getByText('Cost, all time').waitFor()
    t.match(await page.getByText('Cost, all time').locator('xpath=..').innerText(), /unpriced/i)
    t.notMatch(await page.getByText('Cost, all time').locator('xpath=..').innerText(), /\$0/)
    const asItWas = section(page, 'What if').getByRole('row', { name: /^as it was/ })
    await asItWas.getByText('unpriced', { exact: true }).waitFor()
    t.notMatch(await asItWas.innerText(), /\$/)
    await page.getByText('no price is known for these calls').waitFor()
    t.equal(await page.getByRole('img', { name: 'Cost', exact: true }).count(), 0, 'no line at $0')
  })

  await t.test('it is deleted, once that is confirmed', async t => {
    await page.getByRole('button', { name: 'Delete…' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click()
    t.equal((await config('classify_lead')).prompt_type, 'classify_lead')
    await page.getByRole('button', { name: 'Delete…' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    await page.waitForURL(/\/admin\/prompt-types$/)
    await page.getByText('9 prompt types').waitFor()
    t.equal((await admin('GET', '/prompt-configs/classify_lead')).status, 404)
  })
})

t.test('where no call was there is no duration: a gap, and a call alone between gaps is a point', async t => {
  const scene = await startScene(t, { moreTypes: 1 })
  if (scene === null) return
  const page = await scene.open('/admin/prompt-types/experiment-00000?range=30d')
  const chart = page.getByRole('img', { name: 'Average duration' })
  await chart.locator('canvas').waitFor()
  const { columns: { length: drawn }, all } = await drawnColumns(chart)
  t.ok(drawn > 0 && drawn < all / 20, `the one day with a call: ${drawn} of ${all} columns`)
})

t.test('on a phone nothing overflows sideways, whatever the names', async t => {
  const scene = await startScene(t)
  if (scene === null) return
  const { admin, origin } = scene.gateway
  const name = 'Generate-Image.metadata_'.repeat(5).slice(0, 106)
  t.equal(
    (await admin('POST', '/budgets', {
      name: 'B'.repeat(100), prompt_type: name, period: 'total', limit_usd: 0.000_000_01, action: 'block'
    })).status,
    201
  )
  const answer = await fetch(`${origin}/v1/chat/completions`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json', 'x-prompt-type': name, 'x-prompt-user': 'u'.repeat(100)
    },
    body: JSON.stringify({ model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'hi' }] })
  })
  await answer.text()
  for (const width of [390, 320]) {
    const page = await scene.open(`/admin/prompt-types/${name}?models=gpt-5.4-pro,${'m'.repeat(100)}`, {
      viewport: { width, height: 844 }
    })
    await page.getByRole('button', { name: /^Latest call/ }).click()
    await page.getByText('B'.repeat(100)).waitFor()
    await settled(page)
    t.equal(await page.evaluate('document.documentElement.scrollWidth'), width)
    await page.context().close()
  }
})
