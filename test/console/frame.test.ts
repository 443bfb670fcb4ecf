import { readFileSync, readdirSync } from 'node:fs'
import { request } from 'node:http'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import type { Page } from 'playwright-core'
import t from 'tap'
import { ADMIN, startGateway } from '../helpers/gateway.js'
import { startUpstream } from '../helpers/upstream.js'
import { settled, startScene } from './scene.js'

const folder = fileURLToPath(new URL('../../dist/console/', import.meta.url))
const authorization = `Basic ${Buffer.from(`${ADMIN.username}:${ADMIN.password}`).toString('base64')}`
const focused = async (page: Page): Promise<string> =>
  String(
    await page.evaluate(
      'document.activeElement.textContent.trim() || document.activeElement.getAttribute("aria-label")'
    )
  )

/** Tab by Tab to what is called so; how many it took. */
async function tabTo (page: Page, name: string): Promise<number> {
  for (let tabs = 1; tabs < 60; tabs++) {
    await page.keyboard.press('Tab')
    if (await focused(page) === name) return tabs
  }
  throw new Error(`no way to ${name} with Tab`)
}

t.test('the console by keyboard alone', async t => {
  const scene = await startScene(t, { empty: true })
  if (scene === null) return
  const page = await scene.open('/admin/settings')
  await page.getByRole('heading', { name: 'Settings' }).waitFor()

  await t.test('the first Tab offers to skip to the content', async t => {
    await page.keyboard.press('Tab')
    t.equal(await focused(page), 'Skip to the content')
    await page.getByRole('link', { name: 'Skip to the content' }).waitFor({ state: 'visible' })
    await page.keyboard.press('Enter')
    t.equal(await page.evaluate('document.activeElement.id'), 'main')
    await page.keyboard.press('Tab')
    t.equal(await page.evaluate('document.activeElement.getAttribute("role")'), 'switch', "the content's first control")
  })

  await t.test('a link has a visible focus, and Enter goes there', async t => {
    await page.reload()
    await page.getByRole('heading', { name: 'Settings' }).waitFor()
    await tabTo(page, 'Keys')
    t.match(
      await page.evaluate(
        'getComputedStyle(document.activeElement).outlineStyle + getComputedStyle(document.activeElement).outlineWidth'
      ),
      /^solid[1-9]/
    )
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Keys', exact: true }).waitFor()
    t.equal(await page.getByRole('link', { name: 'Keys' }).getAttribute('aria-current'), 'page')
    t.equal(await page.title(), 'Keys · promptmeter')
  })

  await t.test('a dialogue keeps the focus, Escape closes it, and the focus is back where it was', async t => {
    await tabTo(page, 'New key')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').waitFor()
    await page.locator('[name="name"]:focus').waitFor()
    for (let i = 0; i < 12; i++) {
      await page.keyboard.press('Tab')
      await page.evaluate(
        'new Promise(resolve => setTimeout(resolve))'
      ) // The trap moves the focus in a timer, which faster keys than a person's would overtake.
      t.ok(await page.evaluate('document.activeElement.closest("[role=dialog]") !== null'), `after Tab ${i + 1}`)
    }
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await page.locator('button:focus', { hasText: 'New key' }).waitFor() // It comes back a moment later.
    t.equal(await focused(page), 'New key')
  })

  await t.test('light and dark by a button; it is kept', async t => {
    const scheme = async (): Promise<string> => String(
      await page.evaluate('document.documentElement.dataset.mantineColorScheme')
    )
    t.equal(await scheme(), 'light')
    await page.getByRole('button', { name: 'Dark colours' }).focus()
    await page.keyboard.press('Enter')
    t.equal(await scheme(), 'dark')
    await page.reload()
    await page.getByRole('button', { name: 'Light colours' }).waitFor()
    t.equal(await scheme(), 'dark')
  })
})

t.test('any page is reached by its address, also one that is none; on a phone nothing overflows sideways', async t => {
  const scene = await startScene(t)
  if (scene === null) return
  const page = await scene.open('/admin/no-such-page', { viewport: { width: 390, height: 844 } })
  await page.getByRole('heading', { name: 'There is no such page' }).waitFor()
  await page.getByRole('main').getByRole('link', { name: 'To the overview' }).click()
  await page.getByRole('heading', { name: 'Overview' }).waitFor()

  await page.getByRole('button', { name: 'Menu' }).click()
  await page.getByRole('link', { name: 'Prices', exact: true }).click()
  await page.getByRole('heading', { name: 'Prices', exact: true }).waitFor()
  for (const path of [
    'overview', 'prompt-types', 'prompt-types/summarise_article', 'usage-log', 'budgets', 'budgets?view=alerts', 'keys',
    'prices', 'settings', 'audit-log'
  ]) {
    await page.goto(`${scene.gateway.origin}/admin/${path}`)
    await page.getByRole('heading', { level: 1 }).waitFor()
    await settled(page)
    t.equal(await page.evaluate('document.documentElement.scrollWidth'), 390, path)
  }
})

t.test('a page whose script is gone says so instead of showing nothing', async t => {
  const scene = await startScene(t, { empty: true, expected: [/status of 404/, /dynamically imported module/] })
  if (scene === null) return
  const page = await scene.open('/admin/settings')
  await page.getByRole('heading', { name: 'Settings' }).waitFor()
  await page.route('**/assets/audit-log-*.js', async route => await route.fulfill({ status: 404 }))
  await page.getByRole('link', { name: 'Audit log' }).click()
  await page.getByText('This page cannot be shown').waitFor()
  await page.getByRole('link', { name: 'Settings' }).click()
  await page.getByRole('heading', { name: 'Settings' }).waitFor()
  await page.unroute('**/assets/audit-log-*.js')
  await page.reload()
  await page.getByRole('link', { name: 'Audit log' }).click()
  await page.getByRole('heading', { name: 'Audit log' }).waitFor()
  t.pass('the frame stayed')
})

t.test('how the console is served', async t => {
  const upstream = await startUpstream(t)
  const { origin } = await startGateway(t, { upstreamUrl: upstream.url })
  const get = async (path: string, headers: Record<string, string> = { authorization }): Promise<Response> =>
    await fetch(`${origin}${path}`, { headers })
  const names = readdirSync(`${folder}assets`)
  const script = names.find(name => name.endsWith('.js')) ?? ''

  await t.test('nothing without a login', async t => {
    for (const path of ['/admin', '/admin/', '/admin/overview', `/admin/assets/${script}`, '/admin/favicon.svg']) {
      const response = await get(path, {})
      t.equal(response.status, 401, path)
      t.match(response.headers.get('www-authenticate'), /^Basic realm=/)
      t.notMatch(await response.text(), /<div id="root">/)
    }
  })

  await t.test('a page under a policy that lets no inline script and no other host in, with a new nonce each time, kept nowhere', async t => {
    const nonces = new Set<string>()
    for (const path of ['/admin/', '/admin/overview', '/admin/prompt-types/a%2Fb', '/admin/index.html']) {
      const response = await get(path)
      t.equal(response.status, 200, path)
      t.equal(response.headers.get('cache-control'), 'no-store')
      const policy = response.headers.get('content-security-policy') ?? ''
      t.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self' 'nonce-[\w+/=]{24}'; /)
      t.notMatch(policy, /unsafe|\*|https?:/)
      t.match(policy, /frame-ancestors 'none'/)
      t.equal(response.headers.get('x-content-type-options'), 'nosniff')
      const nonce = /'nonce-([^']+)'/.exec(policy)?.[1] ?? ''
      const text = await response.text()
      t.ok(text.includes(`content="${nonce}"`))
      t.notMatch(text, /__NONCE__|<script(?![^>]*\bsrc=)/)
      nonces.add(nonce)
    }
    t.equal(nonces.size, 4)
  })

  await t.test('assets are kept for good, what is not there is not', async t => {
    const asset = await get(`/admin/assets/${script}`)
    t.equal(asset.status, 200)
    t.equal(asset.headers.get('cache-control'), 'private, max-age=31536000, immutable')
    t.match(asset.headers.get('content-type'), /javascript/)
    const missing = await get('/admin/assets/overview-GONE1234.js')
    t.equal(missing.status, 404)
    t.equal(missing.headers.get('cache-control'), 'no-store')
  })

  await t.test('no path leads out of the folder', async t => {
    const { port } = new URL(origin)
    // As it stands: fetch would tidy it up.
    const raw = async (path: string): Promise<{ status: number, text: string, cached: string }> =>
      await new Promise((resolve, reject) => {
        request({ port, path, headers: { authorization } }, response => {
          let text = ''
          response.setEncoding('utf8').on('data', (chunk: string) => { text += chunk })
            .on(
              'end',
              () => {
                resolve({ status: response.statusCode ?? 0, text, cached: response.headers['cache-control'] ?? '' })
              }
            )
        }).on('error', reject).end()
      })
    for (const path of [
      '../../package.json', '..%2f..%2f..%2fpackage.json', '%2e%2e/%2e%2e/server.js', '..%5c..%5cserver.js',
      '/etc/passwd', '%2fetc%2fpasswd', '..%00/index.html', '..', '.'
    ]) {
      const { status, text, cached } = await raw(`/admin/assets/${path}`)
      t.notMatch(text, /promptmeter",|root:|createServer|__NONCE__/, path)
      t.ok(status >= 400 || text.includes('<div id="root">'), `${path}: ${status}`)
      t.equal(cached, 'no-store', path)
    }
  })
})

t.test('all of its script is under 250,000 bytes, gzipped', t => {
  const scripts = readdirSync(`${folder}assets`).filter(name => name.endsWith('.js'))
  t.ok(scripts.length > 5)
  const size = scripts.reduce(
    (sum, name) => sum + gzipSync(readFileSync(`${folder}assets/${name}`), { level: 9 }).length, 0
  )
  t.comment(`${size} bytes`)
  t.ok(size < 250_000, `${size} bytes`)
  t.end()
})
