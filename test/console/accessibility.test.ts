import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { AxeResults } from 'axe-core'
import type { Page } from 'playwright-core'
import t from 'tap'
import { startScene } from './scene.js'
import { startBudgets } from './started-budgets.js'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

const PAGES = [
  '/overview?range=30d', '/prompt-types', '/prompt-types/generate_image_metadata?range=30d', '/usage-log', '/budgets', '/budgets?view=alerts', '/budgets?new=all', '/keys', '/prices',
  '/settings', '/audit-log', '/no-such-page'
]

/** What axe (https://github.com/dequelabs/axe-core) finds wrong, as `rule: element`. */
async function violations (page: Page): Promise<string[]> {
  // Through the debugger: the page's policy lets no script in that is not the gateway's.
  await page.evaluate(axe)
  const { violations } = await page.evaluate(async () => await (globalThis as unknown as { axe: { run: () => Promise<AxeResults> } }).axe.run())
  return violations.flatMap(({ id, nodes }) => nodes.map(node => `${id}: ${node.html.slice(0, 200)}`))
}

t.test('no page has anything that axe finds wrong, light or dark, wide or narrow', { timeout: 240_000 }, async t => {
  const scene = await startScene(t)
  if (scene === null) return
  await startBudgets(scene.gateway)
  for (const [colorScheme, viewport] of [['light', { width: 1280, height: 800 }], ['dark', { width: 390, height: 844 }]] as const) {
    const page = await scene.open('/admin/overview', { colorScheme, viewport })
    for (const path of PAGES) {
      await page.goto(`${scene.gateway.origin}/admin${path}`)
      await page.waitForLoadState('networkidle')
      t.same(await violations(page), [], `${path}, ${colorScheme}`)
    }
  }
})
