import type { Page } from 'playwright-core'
import t from 'tap'
import { startScene } from './scene.js'

const clipboard = async (page: Page): Promise<string> => String(await page.evaluate('navigator.clipboard.readText()'))

t.test('keys, made and taken back', async t => {
  const scene = await startScene(t, {
    empty: true, env: { UPSTREAM_API_KEY: 'sk-upstream' }, expected: [/status of 400/]
  })
  if (scene === null) return
  const { gateway } = scene
  const page = await scene.open('/admin/keys', { permissions: ['clipboard-read', 'clipboard-write'] })
  // One that the page has left by then cannot be read.
  const answers: Array<Promise<string>> = []
  page.on('response', response => {
    if (response.url().includes('/admin/api/')) answers.push(response.text().catch(() => ''))
  })
  const dialog = page.getByRole('dialog')
  const types = dialog.getByRole('combobox', { name: 'Prompt types' })
  const call = async (key: string, promptType: string): Promise<number> => {
    const response = await fetch(`${gateway.origin}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'x-prompt-type': promptType },
      body: JSON.stringify({ model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'Say hello.' }] })
    })
    await response.arrayBuffer()
    return response.status
  }
  let secret = ''

  await t.test('an error stands beside its field, and nothing that was typed is lost', async t => {
    await page.getByRole('button', { name: 'Create the first one' }).click()
    await dialog.getByLabel('Name').fill('importer')
    await types.fill('tegs')
    await types.press('Enter')
    await dialog.getByText('No call had the prompt type “tegs” yet.').waitFor()
    t.equal(await dialog.locator('[aria-invalid=true]').inputValue(), 'tegs')
    t.equal(await dialog.getByLabel('Name').inputValue(), 'importer')
    t.match((await gateway.admin('GET', '/keys')).body, { total: 0 }, 'what is only typed may be a slip')
  })

  await t.test('the secret is shown, and copied, with lines for Python, Node and curl', async t => {
    for (const type of ['tags', 'titles', 'slip']) {
      await types.fill(type)
      await page.getByRole('option', { name: `Use “${type}”, though no call had it yet` }).click()
      t.equal(await types.inputValue(), '', 'the next one can be picked')
    }
    await dialog.getByRole('button', { name: 'Remove slip' }).click()
    await dialog.getByRole('button', { name: 'Create key' }).click()
    await dialog.getByText('It is shown only once').waitFor()
    secret = await dialog.locator('pre').first().innerText()
    t.match(secret, /^pm_[\w-]{43}$/)
    await dialog.getByRole('button', { name: 'Copy key' }).click()
    await dialog.getByRole('button', { name: 'Copied' }).waitFor()
    t.equal(await clipboard(page), secret)
    for (const [name, line] of [
      ['Python', `base_url="${gateway.origin}/v1", api_key="${secret}"`],
      ['Node', `baseURL: '${gateway.origin}/v1', apiKey: '${secret}'`],
      ['curl', `curl ${gateway.origin}/v1/chat/completions`]
    ] as const) {
      await dialog.getByRole('tab', { name }).click()
      const lines = await dialog.getByRole('tabpanel', { name }).locator('pre').innerText()
      t.ok(lines.includes(line), name)
      t.ok(lines.includes(secret) && lines.includes('X-Prompt-Type') && lines.includes('tags'), name)
      await dialog.getByRole('tabpanel', { name }).getByRole('button').click()
      await dialog.getByRole('tabpanel', { name }).getByRole('button', { name: 'Copied' }).waitFor()
      t.equal((await clipboard(page)).trim(), lines.trim())
    }
  })

  await t.test('once closed it is gone, from the page and from every later answer', async t => {
    await dialog.getByRole('button', { name: 'I have stored it' }).click()
    await dialog.waitFor({ state: 'detached' })
    answers.length = 0
    await page.reload()
    await page.getByRole('button', { name: 'Edit importer' }).waitFor()
    await page.getByRole('button', { name: 'New key' }).click()
    await dialog.getByRole('button', { name: 'Create key' }).waitFor()
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
    await page.goto(`${gateway.origin}/admin/audit-log`)
    await page.getByText('key.create').waitFor()
    const texts = await Promise.all(answers)
    t.ok(texts.filter(text => text !== '').length > 1)
    t.notOk(texts.some(text => text.includes(secret)))
    t.notOk((await page.content()).includes(secret))
  })

  await t.test('it opens what it is limited to', async t => {
    await page.goto(`${gateway.origin}/admin/keys`)
    const row = page.getByRole('row').filter({ hasText: 'importer' })
    await row.getByText('tags', { exact: true }).waitFor()
    await row.getByText('titles', { exact: true }).waitFor()
    t.equal(await call(secret, 'tags'), 200)
    t.equal(await call(secret, 'other'), 403)
  })

  await t.test('changed: for all prompt types, until a time in UTC; what somebody else has changed meanwhile stays', async t => {
    await page.getByRole('button', { name: 'Edit importer' }).click()
    const { items: [key] } = (await gateway.admin('GET', '/keys')).body as { items: Array<{ id: string }> }
    t.equal((await gateway.admin('PATCH', `/keys/${key?.id ?? ''}`, { user: 'ada' })).status, 200)
    await dialog.getByRole('button', { name: 'Remove titles' }).click()
    await types.fill('tags')
    await page.getByRole('option', { name: 'tags', exact: true }).waitFor()
    await types.fill('')
    await page.getByRole('option', { name: 'All prompt types' }).click()
    t.equal(await dialog.getByRole('button', { name: /^Remove/ }).count(), 0)
    await dialog.getByLabel('Expires').fill('2020-01-01T12:00')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await dialog.getByText(/must be in the future/).waitFor()
    await dialog.getByLabel('Expires').fill('2099-01-01T12:00')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await dialog.waitFor({ state: 'detached' })
    await page.getByRole('row').filter({ hasText: 'importer' }).getByText('1 Jan 2099, 12:00:00').waitFor()
    t.match(
      (await gateway.admin('GET', '/keys')).body,
      { items: [{ user: 'ada', allowed_prompt_types: null, expires_at: '2099-01-01T12:00:00.000Z' }] },
      'what the field shows is UTC, whatever zone the reader is in'
    )
    await page.clock.setFixedTime('2099-01-01T12:00:01Z')
    await page.reload()
    await page.getByRole('row').filter({ hasText: 'importer' }).getByText('expired').waitFor()
  })

  await t.test('revoked, once that was confirmed', async t => {
    await page.getByRole('button', { name: 'Revoke importer' }).click()
    await dialog.getByRole('button', { name: 'Cancel' }).click()
    await dialog.waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'Revoke importer' }).click()
    await dialog.getByRole('button', { name: 'Revoke' }).click()
    await page.getByText('There are no keys yet').waitFor()
    t.match((await gateway.admin('GET', '/keys')).body, { total: 0 })
  })
})

t.test('where gateway keys do not work yet, the page and the form say so, and what to do', async t => {
  const scene = await startScene(t, { empty: true })
  if (scene === null) return
  const page = await scene.open('/admin/keys')
  await page.getByRole('alert').getByText(/Set UPSTREAM_API_KEY and restart the gateway/).waitFor()
  await page.getByRole('button', { name: 'New key' }).click()
  await page.getByRole('dialog').getByRole('alert').getByText(/calls with a gateway key get 401/).waitFor()
  await page.getByRole('dialog').getByLabel('Name').fill('importer')
  await page.getByRole('dialog').getByRole('button', { name: 'Create key' }).click()
  await page.getByRole('dialog').getByText('It is shown only once').waitFor()
  t.equal(
    await page.getByRole('dialog').getByRole('alert').getByText(/UPSTREAM_API_KEY/).count() > 0,
    true,
    'and so does the made key'
  )
})
