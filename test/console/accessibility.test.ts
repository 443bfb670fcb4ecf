import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { AxeResults } from 'axe-core'
import type { Page, Route } from 'playwright-core'
import t from 'tap'
import { settled, startScene } from './scene.js'
import { startBudgets } from './started-budgets.js'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

const PAGES = [
  '/overview?range=30d', '/prompt-types', '/prompt-types/generate_image_metadata?range=30d', '/usage-log', '/budgets', '/budgets?view=alerts', '/budgets?new=all', '/keys', '/prices',
  '/settings', '/audit-log', '/no-such-page'
]

/** What axe (https://github.com/dequelabs/axe-core) finds wrong, as `rule: element`. */
async function violations (page: Page, rules?: readonly string[]): Promise<string[]> {
  // Through the debugger: the page's policy lets no script in that is not the gateway's.
  await page.evaluate(axe)
  const { violations } = await page.evaluate(async rules => {
    const { axe } = globalThis as unknown as { axe: { run: (options: object) => Promise<AxeResults> } }
    return await axe.run(rules === undefined ? {} : { runOnly: rules })
  }, rules)
  return violations.flatMap(({ id, nodes }) => nodes.map(node => `${id}: ${node.html.slice(0, 200)}`))
}

t.test('no page has anything that axe finds wrong, light or dark, wide or narrow', async t => {
  const scene = await startScene(t)
  if (scene === null) return
  await startBudgets(scene.gateway)
  for (const [colorScheme, viewport] of [
    ['light', { width: 1280, height: 800 }], ['dark', { width: 390, height: 844 }]
  ] as const) {
    const page = await scene.open('/admin/overview', { colorScheme, viewport })
    for (const path of PAGES) {
      await page.goto(`${scene.gateway.origin}/admin${path}`)
      await page.locator('h1').waitFor()
      await settled(page)
      t.same(await violations(page), [], `${path}, ${colorScheme}`)
    }
  }
})

const readiness = (status: string) => async (route: Route): Promise<void> =>
  await route.fulfill({ json: { status, database: status, journal: 'empty', records_pending: 0 } })

/** Answers a list with one row for each of the changes, made from the first row that the gateway has. */
const rowsLike = (changes: ReadonlyArray<Readonly<Record<string, unknown>>>) => async (route: Route): Promise<void> => {
  const list = await (await route.fetch()).json() as { items: Array<Record<string, unknown>> }
  await route.fulfill({
    json: {
      ...list, items: changes.map((change, i) => ({ ...list.items[0], id: `${i}`, ...change })), total: changes.length
    }
  })
}

const deliveries = (['pending', 'pending', 'delivered', 'failed'] as const).map((state, i) => ({
  id: `${i}`,
  channel: 'webhook',
  target: 'https://hooks.example.com',
  state,
  attempt_count: i,
  attempts: [],
  next_attempt_at: i === 1 ? '2026-11-18T14:30:00.000Z' : null,
  delivered_at: null
}))

/** Each state that a badge can show, with the page and the answers that bring it about. */
const BADGES: ReadonlyArray<{
  path: string, says: readonly string[], answers?: Readonly<Record<string, (route: Route) => Promise<void>>>
}> = [
  {
    path: '/budgets',
    says: ['ok', 'warning', 'exceeded', 'blocking', 'alerts', 'blocks', 'blocks, strict'],
    answers: {
      '**/readyz': readiness('ok'),
      '**/admin/api/budgets?*': rowsLike([
        { action: 'alert', state: 'ok' }, { action: 'alert', state: 'warning' }, { action: 'alert', state: 'exceeded' },
        { action: 'block', strict: false, state: 'exceeded' }, { action: 'block', strict: true, state: 'warning' }
        // Made at one moment, the gateway's budgets have no order: of which type the first is must not matter.
      ].map(row => ({ ...row, prompt_type: null })))
    }
  },
  {
    path: '/budgets?view=alerts',
    says: ['degraded', 'sending', 'retrying', 'delivered', 'given up'],
    answers: { '**/readyz': readiness('degraded'), '**/admin/api/budget-alerts?*': rowsLike([{ deliveries }]) }
  },
  {
    path: '/keys',
    says: ['gateway unreachable', 'expired', 'select_best_tags'],
    answers: {
      '**/readyz': async route => await route.abort(),
      '**/admin/api/keys?*': rowsLike([
        { expires_at: '2020-01-01T00:00:00Z' }, { allowed_prompt_types: ['select_best_tags'] }
      ])
    }
  },
  {
    path: '/overview?range=7d',
    says: ['unpriced', 'new', '+50 %', '+0 %'],
    answers: {
      '**/admin/api/costs/top-movers?*': rowsLike([null, 0.5, 0].map(ratio => ({ change: 1, change_ratio: ratio })))
    }
  },
  { path: '/prompt-types', says: ['blocked', 'unpriced'] },
  {
    path: '/prompt-types/generate_image_metadata',
    says: ['failed', 'system'],
    answers: { '**/admin/api/prompt-configs/generate_image_metadata': rowWith({ last_error: 'It was too much.' }) }
  },
  { path: '/usage-log', says: ['200'] },
  { path: '/usage-log?success=false', says: ['429 rate limit exceeded'] },
  { path: '/usage-log?unpriced=true', says: ['unpriced'] },
  { path: '/audit-log', says: ['budget.create'] }
]

function rowWith (change: Readonly<Record<string, unknown>>): (route: Route) => Promise<void> {
  return async route => await route.fulfill({ json: { ...await (await route.fetch()).json() as object, ...change } })
}

t.test('every badge can be read, in each of its states, light and dark', async t => {
  const scene = await startScene(t, { share: 0.25, expected: [/ERR_FAILED/] })
  if (scene === null) return
  await startBudgets(scene.gateway)
  for (const colorScheme of ['light', 'dark'] as const) {
    const page = await scene.open('/admin/overview', { colorScheme })
    for (const { path, says, answers = {} } of BADGES) {
      await page.unrouteAll({ behavior: 'ignoreErrors' })
      for (const [url, answer] of Object.entries(answers)) await page.route(url, answer)
      await page.goto(`${scene.gateway.origin}/admin${path}`)
      await page.locator('h1').waitFor()
      await settled(page)
      const latest = page.getByRole('button', { name: /^Latest call/ })
      if (await latest.count() > 0) await latest.click()
      for (const text of says) {
        await page.locator('.mantine-Badge-root')
          .filter({ hasText: new RegExp(`^${text.replaceAll('+', '\\+')}$`, 'i') })
          .first()
          .waitFor()
      }
      t.same(await violations(page, ['color-contrast']), [], `${path}: ${says.join(', ')}, ${colorScheme}`)
    }
    await page.context().close()
  }
})
