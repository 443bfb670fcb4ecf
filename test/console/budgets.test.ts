import type { Locator } from 'playwright-core'
import t from 'tap'
import { secret, startReceiver } from '../alerts/alert-scene.js'
import { until } from '../helpers/until.js'
import { settled, startScene } from './scene.js'

t.test('the prompt type of a budget is picked, among thousands', async t => {
  const scene = await startScene(t, { moreTypes: 3000, share: 0.25 })
  if (scene === null) return
  const { admin } = scene.gateway
  const page = await scene.open('/admin/budgets?new=all')
  const dialog = page.getByRole('dialog')
  const field = dialog.getByLabel('Prompt type', { exact: true })
  const option = (name: string | RegExp): Locator => page.getByRole('option', { name, exact: true })
  const typeOf = async (name: string): Promise<unknown> =>
    ((await admin('GET', '/budgets')).body as {
      items: Array<{ name: string, prompt_type: string | null }>
    }).items.find(budget => budget.name === name)?.prompt_type
  const save = async (name: string): Promise<unknown> => {
    await dialog.getByLabel('Name').fill(name)
    await dialog.getByLabel('Limit, USD').fill('5')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await dialog.waitFor({ state: 'detached' })
    const type = await typeOf(name)
    await page.getByRole('button', { name: 'New budget' }).click()
    return type
  }

  await t.test('by keyboard: the gateway searches, also for what is not among the most called', async t => {
    await field.fill('experiment-0290')
    await option('experiment-02907').waitFor()
    t.equal(await option('experiment-00000').count(), 0)
    await field.press('ArrowDown')
    await field.press('ArrowDown')
    await field.press('Enter')
    t.match(await field.inputValue(), /^experiment-0290\d$/)
    const name = await field.inputValue()
    t.equal(await save('Picked'), name)
  })

  await t.test('all traffic is an option, and what the field says when it is empty', async t => {
    await field.click()
    await option('All traffic').waitFor()
    await page.getByText('The most called 30 of 3,010: type to find others.').waitFor()
    await option('summarise_article').click()
    await dialog.getByRole('button', { name: 'All traffic instead' }).click()
    t.equal(await field.inputValue(), '')
    t.equal(await save('All'), null)
  })

  await t.test('a slip of the hand is no prompt type: one that no call had is chosen on purpose', async t => {
    await field.fill('experiment-0')
    await dialog.getByLabel('Name').fill('Slip')
    await dialog.getByLabel('Limit, USD').fill('5')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await dialog.getByText('No call had the prompt type “experiment-0” yet.').waitFor()
    t.equal(await field.getAttribute('aria-invalid'), 'true')
    t.equal(await typeOf('Slip'), undefined)
    await field.click()
    await option('Use “experiment-0”, though no call had it yet').click()
    t.equal(await save('On purpose'), 'experiment-0')
  })

  await t.test('a name that is typed in full is that prompt type, however many are called alike', async t => {
    await field.fill('experiment-00001')
    t.equal(await save('Typed'), 'experiment-00001')
  })
})

t.test('a gateway that sends no e-mail says so in the form, and what to set', async t => {
  for (const [env, isSetUp] of [
    [{}, false], [{ SMTP_URL: 'smtp://127.0.0.1:9', ALERT_EMAIL_FROM: 'a@example.com' }, true]
  ] as const) {
    const scene = await startScene(t, { empty: true, env })
    if (scene === null) return
    const page = await scene.open('/admin/budgets?new=all')
    await settled(page)
    const email = page.getByRole('dialog').getByLabel('E-mail')
    t.equal(await email.isEnabled(), isSetUp)
    t.equal(await page.getByText('set SMTP_URL and ALERT_EMAIL_FROM, and restart it').count(), isSetUp ? 0 : 1)
  }
})

t.test('budgets and their alerts', async t => {
  const scene = await startScene(t, {
    env: { WEBHOOK_ALLOW_PRIVATE: 'true', WEBHOOK_SECRET: secret }, expected: [/status of 400/]
  })
  if (scene === null) return
  const { admin } = scene.gateway
  const receiver = await startReceiver(t)
  const page = await scene.open('/admin/budgets')
  const dialog = page.getByRole('dialog')
  const row = (name: string): Locator => page.getByRole('row').filter({ hasText: name })
  await page.getByText('There are no budgets yet').waitFor()

  await t.test('a refused field says why beside it, and the others keep what was typed', async t => {
    await page.getByRole('button', { name: 'New budget' }).click()
    t.match(page.url(), /new=all/)
    await dialog.getByLabel('Name').fill('Front page')
    await dialog.getByLabel('Prompt type').fill('summarise_article')
    await dialog.getByLabel('Limit, USD').fill('-3')
    await dialog.getByRole('button', { name: 'Save' }).click()
    const wrong = dialog.locator('[aria-invalid=true]')
    await wrong.waitFor()
    t.equal(await wrong.inputValue(), '-3')
    t.match(
      await dialog.locator(`[id="${(await wrong.getAttribute('aria-describedby') ?? '').split(' ').find(id => id.endsWith('-error')) ?? ''}"]`)
        .innerText(),
      /limit_usd/
    )
    await dialog.getByLabel('Limit, USD').fill('0.01')
    await dialog.getByLabel('Alerts at, percent').fill('50, many')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await dialog.getByText(/thresholds/).waitFor()
    t.equal(await wrong.inputValue(), '50, many')
    t.equal(await dialog.getByLabel('Name').inputValue(), 'Front page')
  })

  await t.test('made: what is spent already counts, and calls are blocked', async t => {
    await dialog.getByLabel('Alerts at, percent').fill('50, 100')
    await dialog.getByLabel('Period').selectOption('month')
    await dialog.getByLabel('At 100 %').selectOption('block')
    await dialog.getByRole('switch', { name: 'Strict' }).check()
    await dialog.getByLabel('Webhook').fill(receiver.url)
    await dialog.getByLabel('Webhook').press('Enter')
    await dialog.waitFor({ state: 'detached' })
    t.notMatch(page.url(), /new=/)
    await row('Front page').getByText('blocking').waitFor()
    await row('Front page').getByText('blocks, strict').waitFor()
    t.match((await admin('GET', '/budgets')).body, {
      total: 1,
      items: [
        {
          name: 'Front page',
          prompt_type: 'summarise_article',
          period: 'month',
          limit_usd: 0.01,
          thresholds: [50, 100],
          action: 'block',
          strict: true,
          state: 'exceeded'
        }
      ]
    })
    t.match((await admin('GET', '/prompt-configs/summarise_article')).body, { blocked: { until: /-01T00:00:00/ } })
  })

  await t.test('lifted by hand: it says so and until when, and blocks nothing any more', async t => {
    t.equal((await admin('POST', '/prompt-configs/summarise_article/unblock')).status, 200)
    await page.reload()
    await row('Front page').getByText(/^Lifted by hand until 1 [A-Z][a-z]+(\s\d{4})?, 00:00:00 UTC$/).waitFor()
    t.equal(await row('Front page').getByText('blocking').count(), 0)
  })

  await t.test('one of all traffic says for how many types it is lifted, and goes on blocking the others', async t => {
    const made = await admin('POST', '/budgets', {
      name: 'All of it', period: 'total', limit_usd: 0.01, thresholds: [], action: 'block'
    })
    await page.reload()
    await row('All of it').getByText('blocking').waitFor()
    t.equal(await row('All of it').getByText('Lifted').count(), 0)
    t.equal((await admin('POST', '/prompt-configs/translate_page/unblock')).status, 200)
    await page.reload()
    await row('All of it').getByText('Lifted by hand for 1 type, until its limit changes').waitFor()
    await row('All of it').getByText('blocking').waitFor()
    t.equal((await admin('DELETE', `/budgets/${(made.body as { id: string }).id}`)).status, 204)
    await page.reload()
    await row('All of it').waitFor({ state: 'detached' })
  })

  await t.test('changed: only what the form has changed, so that two people do not undo one another', async t => {
    await page.getByRole('button', { name: 'Edit Front page' }).click()
    const { items: [budget] } = (await admin('GET', '/budgets')).body as { items: Array<{ id: string }> }
    t.equal((await admin('PATCH', `/budgets/${budget?.id ?? ''}`, { name: 'Home page' })).status, 200)
    t.equal(await dialog.getByLabel('Limit, USD').inputValue(), '0.01')
    await dialog.getByLabel('Limit, USD').fill('12400')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await row('Home page').getByText('of $12,400 a month').waitFor()
    t.match((await admin('GET', '/budgets')).body, {
      items: [{ name: 'Home page', limit_usd: 12_400, strict: true, state: 'ok' }]
    })
    t.match((await admin('GET', '/prompt-configs/summarise_article')).body, { blocked: null })
  })

  await t.test('what fired is listed, with each attempt to tell of it', async t => {
    await page.getByText('Alerts', { exact: true }).click()
    t.match(page.url(), /view=alerts/)
    await row('100 %').first().waitFor()
    await row('50 %').first().waitFor()
    await until(() => receiver.received.length >= 2)
    const delivered = async (): Promise<boolean> => (JSON.stringify((await admin('GET', '/budget-alerts')).body)
      .match(/"state":"delivered"/g) ?? []).length === 2
    await until(delivered)
    await page.reload()
    const alert = row('100 %').first()
    await alert.getByText('delivered').first().waitFor()
    t.match(
      await alert.innerText(), /Front page[^]*summarise_article[^]*webhook to http:\/\/127\.0\.0\.1:\d+, 1 attempt/
    )
    await alert.getByText(/1 attempt/).click()
    await alert.getByRole('cell', { name: '200' }).waitFor()
  })

  await t.test('of the thresholds crossed at one moment the highest stands first, in whatever order they come', async t => {
    const alert = (name: string, threshold: number, createdAt: string): unknown => ({
      id: `${name} ${threshold}`, budget_id: name, budget_name: name, prompt_type: null, threshold, limit_usd: 1, spent_usd: 1, created_at: createdAt, deliveries: []
    })
    const items = [
      alert('Late', 50, '2026-11-02T00:00:00.000Z'),
      ...[80, 100, 50].map(threshold => alert('Early', threshold, '2026-11-01T00:00:00.000Z'))
    ]
    await page.route('**/admin/api/budget-alerts?*', async route => {
      await route.fulfill({ json: { items, total: 4, next_cursor: null } })
    })
    await page.reload()
    await row('Late').waitFor()
    t.same(await page.locator('tbody tr[aria-rowindex] td:nth-child(4)')
      .allInnerTexts(), ['50 %', '100 %', '80 %', '50 %'])
    await page.unroute('**/admin/api/budget-alerts?*')
  })

  await t.test('a message that did not arrive says when it is sent again, or that it is not', async t => {
    const delivery = (state: string, attempts: number, nextAt: string | null): unknown => ({
      id: state, channel: 'webhook', target: 'https://hooks.example.com', state, attempt_count: attempts, attempts: [], next_attempt_at: nextAt, delivered_at: null
    })
    const deliveries = [delivery('pending', 2, '2026-11-18T14:30:00.000Z'), delivery('failed', 30, null)]
    const alert = {
      id: 'a',
      budget_id: 'a',
      budget_name: 'Late',
      prompt_type: null,
      threshold: 50,
      limit_usd: 1,
      spent_usd: 1,
      created_at: '2026-11-02T00:00:00.000Z'
    }
    const answer = { items: [{ ...alert, deliveries }], total: 1, next_cursor: null }
    await page.route('**/admin/api/budget-alerts?*', async route => { await route.fulfill({ json: answer }) })
    await page.reload()
    await row('Late').waitFor()
    t.match(
      (await row('Late').innerText()).replace(/\s+/g, ' '),
      /retrying webhook to \S+, 2 attempts, next at 18 Nov, 14:30:00 UTC given up webhook to \S+, 30 attempts/i
    )
    await row('Late').getByText('30 attempts').click()
    await row('Late').getByText('This message is not sent again.').waitFor()
    await page.unroute('**/admin/api/budget-alerts?*')
  })

  await t.test('deleted, once that was confirmed', async t => {
    await page.getByText('Budgets', { exact: true }).click()
    await page.getByRole('button', { name: 'Delete Home page' }).click()
    await dialog.getByRole('button', { name: 'Cancel' }).click()
    await dialog.waitFor({ state: 'detached' })
    t.match((await admin('GET', '/budgets')).body, { total: 1 })
    await page.getByRole('button', { name: 'Delete Home page' }).click()
    await dialog.getByRole('button', { name: 'Delete' }).click()
    await page.getByText('There are no budgets yet').waitFor()
    t.match((await admin('GET', '/budgets')).body, { total: 0 })
  })
})
