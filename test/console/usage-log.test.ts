import { readFileSync } from 'node:fs'
import type { Page } from 'playwright-core'
import t from 'tap'
import { startScene } from './scene.js'

const rows = (page: Page) => page.locator('tbody tr[aria-rowindex]')
const openButton = (page: Page) =>
  page.getByRole('button', { name: /^Open the call of generate_image_metadata/ }).first()

t.test('the usage log', async t => {
  const scene = await startScene(t)
  if (scene === null) return
  const { origin } = scene.gateway
  const page = await scene.open('/admin/usage-log', { permissions: ['clipboard-read', 'clipboard-write'] })
  await rows(page).first().waitFor()

  await t.test('filters live in the URL, and a link shows the same', async t => {
    await page.getByRole('textbox', { name: 'Prompt type' }).fill('generate_image_metadata')
    await page.waitForURL(/prompt_type=generate_image_metadata/)
    await page.getByLabel('Success', { exact: true }).selectOption('false')
    await page.waitForURL(/success=false/)
    await page.getByText(/^\d+ calls? match(es)?$/).waitFor()
    const texts = await rows(page).allInnerTexts()
    t.ok(texts.length > 0)
    t.same(texts.filter(text =>
      !text.includes('429 rate limit exceeded') || !text.includes('generate_image_metadata')), [])
    const colleague = await scene.open(new URL(page.url()).pathname + new URL(page.url()).search)
    await colleague.getByText(/^\d+ calls? match(es)?$/).waitFor()
    t.equal(await colleague.getByRole('textbox', { name: 'Prompt type' }).inputValue(), 'generate_image_metadata')
    t.same(await rows(colleague).allInnerTexts(), texts)
    await colleague.close()
    await page.getByLabel('Success', { exact: true }).selectOption('')
    await page.waitForURL(url => !url.search.includes('success'))
  })

  await t.test('what is filtered is exported', async t => {
    const [download] = await Promise.all([
      page.waitForEvent('download'), page.getByRole('link', { name: 'NDJSON' }).click()
    ])
    const lines = readFileSync(await download.path(), 'utf8').trim().split('\n')
      .map(line => JSON.parse(line) as { prompt_type: string })
    t.ok(lines.length > 100, 'all of it, not the page that is in sight')
    t.same([...new Set(lines.map(line => line.prompt_type))], ['generate_image_metadata'])
  })

  await t.test('a click on a row opens the call in full: messages as messages, tools, and the bodies', async t => {
    await page.getByLabel('Success', { exact: true }).selectOption('true')
    await page.waitForURL(/success=true/)
    await page.locator('[role=region][aria-busy=false]').waitFor()
    await rows(page).first().getByText('gpt-4o').click()
    const call = page.getByRole('dialog', { name: 'Call' })
    await call.getByText('A lighthouse at dusk.').waitFor()
    await call.getByText('What is to be seen here?').waitFor()
    await call.getByText('[elided image/png, 123456 bytes', { exact: false }).waitFor()
    t.match(page.url(), /call=[\da-f-]{36}/, 'a link opens it too')
    await call.getByRole('tab', { name: 'Tools (1)' }).click()
    await call.getByText('Stores tags', { exact: false }).waitFor()
    await call.getByRole('tab', { name: 'Response' }).click()
    await call.getByText('"finish_reason": "tool_calls"', { exact: false }).waitFor()
  })

  await t.test('it is copied as curl', async t => {
    await page.getByRole('button', { name: 'Copy as curl' }).click()
    await page.getByRole('button', { name: 'Copied' }).waitFor()
    // The page's own clipboard; the test's types know no browser.
    const line = String(await page.evaluate('navigator.clipboard.readText()'))
    t.ok(line.startsWith(`curl '${origin}/v1/chat/completions'`), line)
    t.match(line, "-H 'X-Prompt-Type: generate_image_metadata'")
    t.ok(line.includes("You are the newsroom'\\''s assistant."), 'quoted for a shell')
    await page.getByRole('dialog').getByText('Images, sounds and files were not stored', { exact: false }).waitFor()
  })

  await t.test('by keyboard too: Enter opens a call, Escape closes it and gives the focus back', async t => {
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    t.notMatch(page.url(), /call=/)
    await openButton(page).press('Enter')
    await page.getByRole('dialog').getByText('A lighthouse at dusk.').waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await page.locator('button[aria-label^="Open the call"]:focus').waitFor()
  })

  await t.test('live: a call through the gateway appears without a reload', async t => {
    await page.getByRole('button', { name: 'Clear filters' }).click()
    await page.getByRole('switch', { name: 'Live' }).press('Space')
    await page.waitForURL(/tail=true/)
    const answer = await fetch(`${origin}/v1/chat/completions`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json', 'x-prompt-type': 'just_now:v1.2'
      },
      body: JSON.stringify({ model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'hi' }] })
    })
    t.equal(answer.status, 200)
    await answer.text()
    await page.getByRole('cell', { name: 'just_now:v1.2', exact: true }).waitFor()
    t.match(await rows(page).first().innerText(), /just_now:v1\.2/, 'the newest first')
  })
})
