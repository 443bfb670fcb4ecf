import t from 'tap'
import { logged } from './logged.js'
import { startScene } from './scene.js'

// Whatever zone the browser is in: a field shows UTC and says so, and that very instant goes into the link and to the
// API.

/** With a half hour; and where these local times do not exist, or exist twice. */
const ZONES = ['Asia/Kolkata', 'America/New_York', 'Pacific/Kiritimati', 'UTC'] as const
const TYPED = '2027-03-14T02:30'
const INSTANT = '2027-03-14T02:30:00.000Z'

t.test('a time that is typed is the instant that is asked for, in every browser', async t => {
  const scene = await startScene(t, { moment: 'the change to summer time', share: 0.25 })
  if (scene === null) return
  const { gateway, nowMs } = scene
  const { calls } = await logged(gateway, Date.parse(INSTANT), nowMs)
  for (const timezoneId of ZONES) {
    const page = await scene.open('/admin/usage-log', { timezoneId })
    const asked: URL[] = []
    page.on('request', request => { asked.push(new URL(request.url())) })
    const last = (path: string): URLSearchParams | undefined =>
      asked.filter(({ pathname }) => pathname === `/admin/api/${path}`).at(-1)?.searchParams

    await page.getByLabel('From (UTC)').fill(TYPED)
    await page.waitForURL(/from=2027-03-14T02%3A30Z/)
    await page.getByText(`${calls.toLocaleString('en')} calls match`).waitFor()
    t.equal(last('usage-logs')?.get('from'), INSTANT, `usage log, ${timezoneId}`)
    // A link shows the same; so do those that earlier consoles and the API's own format made.
    for (const from of [
      '2027-03-14T02:30Z', '2027-03-14T02:30', '2027-03-14T02:30:00.000Z', '2027-03-14T08:00%2B05:30'
    ]) {
      await page.goto(`${gateway.origin}/admin/usage-log?from=${from}`)
      await page.getByText(`${calls.toLocaleString('en')} calls match`).waitFor()
      t.equal(await page.getByLabel('From (UTC)').inputValue(), TYPED, from)
      t.equal(last('usage-logs')?.get('from'), INSTANT, from)
    }
    await page.goto(`${gateway.origin}/admin/usage-log?from=2027-02-30T02:30`)
    await page.locator('tbody tr[aria-rowindex]').first().waitFor()
    t.equal(await page.getByLabel('From (UTC)').inputValue(), '', 'no time')
    t.equal(last('usage-logs')?.get('from'), null, 'is no filter')

    const [newest] = ((await gateway.admin('GET', '/usage-logs?limit=1')).body as {
      items: Array<{ created_at: string }>
    }).items
    t.equal(await page.locator('tbody time').first()
      .innerText(), new Date(newest?.created_at ?? '').toLocaleString('en-GB', {
      timeZone: 'UTC', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', second: '2-digit'
    }))
    await page.getByRole('columnheader', { name: 'Finished (UTC)' }).waitFor()

    await page.goto(`${gateway.origin}/admin/prompt-types`)
    await Promise.all([
      page.waitForRequest(request =>
        request.url().includes('/admin/api/prompt-configs?') &&
          new URL(request.url()).searchParams.get('created_after') === INSTANT),
      page.getByLabel('Created since (UTC)').fill(TYPED)
    ])
    await page.waitForURL(/created_after=2027-03-14T02%3A30Z/)
    t.match(await page.getByRole('link', { name: 'CSV' })
      .getAttribute('href'), `created_after=${encodeURIComponent(INSTANT)}`)

    await page.goto(`${gateway.origin}/admin/audit-log`)
    await Promise.all([
      page.waitForRequest(request =>
        request.url().includes('/admin/api/audit-log?') && new URL(request.url()).searchParams.get('to') === INSTANT),
      page.getByLabel('Before (UTC)').fill(TYPED)
    ])
    await page.waitForURL(/to=2027-03-14T02%3A30Z/)

    await page.goto(`${gateway.origin}/admin/overview?range=2027-03-14..2027-03-14`)
    await page.getByRole('group', { name: 'Calls', exact: true }).waitFor()
    t.ok(asked.some(({ pathname, searchParams }) =>
      pathname === '/admin/api/costs' && searchParams.get('from') === '2027-03-14T00:00:00.000Z' &&
        searchParams.get('to') === '2027-03-15T00:00:00.000Z'), `a day, ${timezoneId}`)

    const model = `model-${timezoneId.replace('/', '-')}`
    await page.goto(`${gateway.origin}/admin/prices`)
    await page.getByRole('button', { name: 'Set a price', exact: true }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Model').fill(model)
    await dialog.getByRole('textbox', { name: /^Input/ }).fill('1')
    await dialog.getByRole('textbox', { name: /^Output/ }).fill('1')
    await dialog.getByLabel('From (UTC)').fill(TYPED)
    await dialog.getByRole('button', { name: 'Save' }).click()
    await dialog.waitFor({ state: 'detached' })
    t.match((await gateway.admin('GET', `/prices/${model}`)).body, {
      effective_from: INSTANT
    }, `a price, ${timezoneId}`)
    await page.context().close()
  }
})
