import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { settled, startScene } from './scene.js'
import { startBudgets } from './started-budgets.js'

// `npm run screenshots`: every page of the console, light and dark, wide and narrow, into docs/screenshots.

const folder = fileURLToPath(new URL('../../docs/screenshots/', import.meta.url))

const PAGES = {
  overview: '/admin/overview?range=30d',
  'prompt-types': '/admin/prompt-types',
  'prompt-type': '/admin/prompt-types/generate_image_metadata?range=30d',
  'usage-log': '/admin/usage-log',
  budgets: '/admin/budgets',
  alerts: '/admin/budgets?view=alerts',
  keys: '/admin/keys',
  prices: '/admin/prices',
  settings: '/admin/settings',
  'audit-log': '/admin/audit-log'
} as const

t.test('every page of the console', { timeout: 300_000 }, async t => {
  const scene = await startScene(t)
  if (scene === null) return
  await startBudgets(scene.gateway)
  mkdirSync(folder, { recursive: true })
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const [width, size] of Object.entries({
      wide: { width: 1440, height: 900 }, narrow: { width: 390, height: 844 }
    })) {
      const page = await scene.open('/admin/overview', { colorScheme, viewport: size })
      for (const [name, path] of Object.entries(PAGES)) {
        await page.setViewportSize(size)
        await page.goto(scene.gateway.origin + path)
        await settled(page)
        if (name === 'prompt-type') await page.getByRole('button', { name: /Latest call/ }).click()
        await page.waitForTimeout(400)
        // Long pages whole: in a window of their height, for what is only put together from parts has charts that are
        // not drawn yet.
        if (name === 'prompt-type' || width === 'narrow') {
          await page.setViewportSize({
            ...size, height: Number(await page.evaluate('document.documentElement.scrollHeight'))
          })
        }
        await page.evaluate('window.scrollTo(0, 0)')
        await page.waitForTimeout(400)
        await page.screenshot({ path: `${folder}${name}-${width}-${colorScheme}.png` })
      }
      await page.context().close()
    }
  }
})
