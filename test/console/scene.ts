import { existsSync } from 'node:fs'
import { type Browser, type BrowserContext, type Page, chromium } from 'playwright-core'
import type { Test } from 'tap'
import { fakeOpenAI } from '../helpers/fake-openai.js'
import type { DatabaseKind } from '../helpers/database.js'
import { ADMIN, type TestGateway, startGateway } from '../helpers/gateway.js'
import { startUpstream } from '../helpers/upstream.js'
import { fillBooks } from './filled-books.js'
import { type Moment, atOf } from './moments.js'

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/usr/bin/google-chrome-stable']

/** A Chromium of the machine; null where there is none. */
export const chromiumPath = (): string | null => process.env['CHROMIUM_PATH'] ?? PLACES.find(path => existsSync(path)) ?? null

export interface Scene {
  /** The moment at which books, gateway and browser stand. */
  readonly nowMs: number
  readonly gateway: TestGateway
  readonly browser: Browser
  /** A page of a context of its own, logged in; what it says to the console, and asks of other hosts, fails the test. */
  readonly open: (path: string, options?: Parameters<Browser['newContext']>[0]) => Promise<Page>
}

export interface SceneOptions {
  readonly kind?: DatabaseKind
  /** The books are empty. */
  readonly empty?: boolean
  readonly moreTypes?: number
  readonly env?: Readonly<Record<string, string>>
  /** Where all clocks stand: by default on an ordinary day. */
  readonly moment?: Moment
  /** One that other scenes use too; without it the scene has its own. */
  readonly browser?: Browser
  /** A share of the calls that the books hold otherwise. */
  readonly share?: number
  /** What the browser says of the refusals that the test provokes: they fail nothing. */
  readonly expected?: readonly RegExp[]
}

/**
 * A real gateway with filled books, and a real browser before it, all at one moment: their clocks stand still, timers run on.
 * Null, with the reason told, where there is no browser.
 */
export async function startScene (t: Test, options: SceneOptions = {}): Promise<Scene | null> {
  const browser = options.browser ?? await launchBrowser(t)
  if (browser === null) return null
  const nowMs = atOf(options.moment ?? 'a Wednesday in mid-month')
  const upstream = await startUpstream(t)
  upstream.reply(fakeOpenAI)
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, kind: options.kind ?? 'postgres', env: options.env ?? {}, now: () => nowMs })
  if (options.empty !== true) await fillBooks(gateway.database, nowMs, { moreTypes: options.moreTypes ?? 0, share: options.share ?? 1 })
  const watched = { nowMs, gateway, browser, expected: options.expected ?? [] }
  return { nowMs, gateway, browser, open: async (path, contextOptions) => await openPage(t, watched, path, contextOptions) }
}

/** Null, with the reason told, where there is no browser. */
export async function launchBrowser (t: Test): Promise<Browser | null> {
  const executablePath = chromiumPath()
  if (executablePath === null) {
    t.comment('no Chromium on this machine (CHROMIUM_PATH): the console was not tried')
    return null
  }
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
  t.teardown(async () => { await browser.close() })
  return browser
}

interface Watched { readonly nowMs: number, readonly gateway: TestGateway, readonly browser: Browser, readonly expected: readonly RegExp[] }

async function openPage (t: Test, { nowMs, gateway, browser, expected }: Watched, path: string, options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
  const context: BrowserContext = await browser.newContext({ httpCredentials: ADMIN, viewport: { width: 1280, height: 800 }, timezoneId: 'Europe/Prague', ...options })
  t.teardown(async () => { await context.close() })
  context.setDefaultTimeout(60_000) // Half a minute was too short for a machine whose cores others take.
  await context.clock.setFixedTime(nowMs)
  const page = await context.newPage()
  page.on('console', message => { if (message.type() === 'error' && !expected.some(line => line.test(message.text()))) t.fail(`the page says: ${message.text()}`) })
  page.on('pageerror', error => { t.fail(`the page fails: ${error.message}`) })
  page.on('request', request => {
    const { protocol, origin } = new URL(request.url())
    if (protocol !== 'data:' && origin !== gateway.origin) t.fail(`the page asks another host: ${request.url()}`)
  })
  await page.goto(gateway.origin + path)
  return page
}
