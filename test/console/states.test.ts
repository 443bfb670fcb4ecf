import type { Page } from 'playwright-core'
import t from 'tap'
import { gate } from '../helpers/gate.js'
import { startScene } from './scene.js'

const TYPE = 'summarise_article'
const failure = {
  status: 503,
  contentType: 'application/json',
  body: JSON.stringify({
    error: { message: 'The database is unavailable.', type: 'api_error', param: null, code: 'database_unavailable' }
  })
}
const description = (page: Page) => page.getByRole('textbox', { name: 'Description' })

t.test('empty books say what to do first, with this gateway\'s own address', async t => {
  const scene = await startScene(t, { empty: true })
  if (scene === null) return
  for (const [path, title] of [
    ['/admin/prompt-types', 'No calls yet'], ['/admin/usage-log', 'No call is in the log yet']
  ] as const) {
    const page = await scene.open(path)
    await page.getByRole('heading', { name: title }).waitFor()
    const line = await page.locator('pre').innerText()
    t.ok(line.startsWith(`curl ${scene.gateway.origin}/v1/chat/completions`))
    t.match(line, 'Bearer $API_KEY', 'whose key it is depends on the gateway')
    t.equal(await page.getByRole('main').getByRole('link', { name: 'Keys' }).getAttribute('href'), '/admin/keys')
  }
})

t.test('states that are neither full nor empty', async t => {
  const scene = await startScene(t, { expected: [/status of (503|404)/] })
  if (scene === null) return
  const { admin } = scene.gateway

  await t.test('what is on its way says so; what failed says why, and a retry works', async t => {
    const page = await scene.open('/admin/settings')
    let isDown = true
    const held = gate()
    await page.route('**/admin/api/prompt-configs?*', async route => {
      await held.passed()
      await (isDown ? route.fulfill(failure) : route.continue())
    })
    await page.getByRole('link', { name: 'Prompt types' }).click()
    await page.getByRole('status').getByText('Loading prompt types…').waitFor()
    held.open()
    await page.getByRole('alert').getByText('The database is unavailable.').waitFor({ timeout: 20_000 })
    isDown = false
    await page.getByRole('button', { name: 'Try again' }).click()
    await page.getByRole('link', { name: TYPE }).waitFor()
    t.equal(await page.getByRole('alert').count(), 0)
  })

  await t.test('a prompt type that is not there is told so, with the way back', async t => {
    const page = await scene.open('/admin/prompt-types/nobody:knows.it')
    await page.getByText('There is no such prompt type').waitFor()
    t.equal(await page.getByRole('heading', { level: 1 }).innerText(), 'nobody:knows.it')
    await page.getByRole('main').getByRole('link', { name: 'All prompt types' }).click()
    await page.getByRole('link', { name: TYPE }).waitFor()
  })

  for (const [choice, mine, theirs] of [
    ['Keep mine', 'mine', 'theirs'], ['Take theirs', 'mine again', 'theirs again']
  ] as const) {
    await t.test(`two people edit: my draft stays, theirs is told, and "${choice}" holds`, async t => {
      const page = await scene.open(`/admin/prompt-types/${TYPE}`)
      await description(page).fill(mine)
      await admin('PATCH', `/prompt-configs/${TYPE}`, { description: theirs })
      await page.getByRole('button', { name: 'Save' }).click()
      await page.getByText('Somebody else has changed the description').waitFor()
      await page.getByText(`It says now: ${theirs}`).waitFor()
      t.equal(await description(page).inputValue(), mine)
      // What is kept of mine is seen at once, and sent.
      const saved = choice === 'Keep mine'
        ? page.waitForResponse(response => response.request().method() === 'PATCH')
        : null
      await page.getByRole('button', { name: choice }).click()
      await saved
      await page.getByText('Somebody else has changed the description').waitFor({ state: 'detached' })
      // What is saved is no draft any more.
      await page.getByRole('button', { name: 'Save' }).waitFor({ state: 'detached' })
      const kept = choice === 'Keep mine' ? mine : theirs
      t.equal(await description(page).inputValue(), kept)
      t.equal(((await admin('GET', `/prompt-configs/${TYPE}`)).body as { description: string }).description, kept)
    })
  }

  await t.test('a description that is not taken stays as a draft, and the gateway says why', async t => {
    const page = await scene.open(`/admin/prompt-types/${TYPE}`)
    await description(page).fill('a better one')
    await page.route(`**/admin/api/prompt-configs/${TYPE}`, async route =>
      await (route.request().method() === 'PATCH' ? route.fulfill(failure) : route.continue()))
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByText(`${TYPE} was not changed`).waitFor()
    t.equal(await description(page).inputValue(), 'a better one')
    await page.getByRole('button', { name: 'Save' }).waitFor()
  })
})
