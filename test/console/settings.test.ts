import t from 'tap'
import { startScene } from './scene.js'

t.test('settings hold at once, or go back and say why', async t => {
  const scene = await startScene(t, { empty: true, expected: [/status of 503/] })
  if (scene === null) return
  const { admin } = scene.gateway
  const page = await scene.open('/admin/settings')
  const [fullData, logged] = [
    page.getByRole('switch', { name: 'Full data' }), page.getByRole('switch', { name: 'Logged' })
  ]
  await fullData.waitFor()
  t.same([await fullData.isChecked(), await logged.isChecked()], [false, true])

  await fullData.focus()
  const [changed] = await Promise.all([
    page.waitForResponse(response => response.request().method() === 'PATCH'), page.keyboard.press('Space')
  ])
  t.equal(changed.status(), 200)
  t.match((await admin('GET', '/settings')).body, { default_track_full_data: true, default_is_active: true })
  t.equal((await admin('POST', '/prompt-configs', { prompt_type: 'new' })).status, 201)
  t.match((await admin('GET', '/prompt-configs/new')).body, { track_full_data: true, is_active: true })

  await page.route('**/admin/api/settings', async route => await route.fulfill({
    status: 503,
    json: {
      error: { message: 'The database is unavailable.', type: 'api_error', param: null, code: 'database_unavailable' }
    }
  }), { times: 1 })
  await logged.focus()
  await page.keyboard.press('Space')
  await page.getByText('The database is unavailable.').waitFor()
  await page.getByText('The setting was not changed').waitFor()
  t.same([await fullData.isChecked(), await logged.isChecked()], [true, true], 'as it was')
  await page.reload()
  await logged.waitFor()
  t.same([await fullData.isChecked(), await logged.isChecked()], [true, true])
  t.match((await admin('GET', '/settings')).body, { default_is_active: true })
})
