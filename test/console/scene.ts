import { existsSync } from 'node:fs'
import { type Browser, type Page, type Request, chromium } from 'playwright-core'
import root, { type Test } from 'tap'
import { fakeOpenAI } from '../helpers/fake-openai.js'
import type { DatabaseKind } from '../helpers/database.js'
import { ADMIN, type TestGateway, startGateway } from '../helpers/gateway.js'
import { startUpstream } from '../helpers/upstream.js'
import { fillBooks } from './filled-books.js'
import { type Moment, atOf } from './moments.js'

const PLACES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'].map(name => `/usr/bin/${name}`)

/** A Chromium of the machine; null where there is none. */
export const chromiumPath = (): string | null =>
  process.env['CHROMIUM_PATH'] ?? PLACES.find(path => existsSync(path)) ?? null

export interface Scene {
  /** The moment at which books, gateway and browser stand. */
  readonly nowMs: number
  readonly gateway: TestGateway
  readonly browser: Browser
  /**
   * A page of a context of its own, logged in; what it says to the console, and asks of other hosts, fails the test.
   */
  readonly open: (path: string, options?: ContextOptions) => Promise<Page>
}

export interface SceneOptions {
  readonly kind?: DatabaseKind
  /** The books are empty. */
  readonly empty?: boolean
  readonly moreTypes?: number
  readonly env?: Readonly<Record<string, string>>
  /** Where all clocks stand: by default on an ordinary day. */
  readonly moment?: Moment
  /** A share of the calls that the books hold otherwise. */
  readonly share?: number
  /** What the browser says of the refusals that the test provokes: they fail nothing. */
  readonly expected?: readonly RegExp[]
}

/**
 * A real gateway with filled books, and a real browser before it, all at one moment: their clocks stand still, timers
 * run on. Null, with the reason told, where there is no browser.
 */
export async function startScene (t: Test, options: SceneOptions = {}): Promise<Scene | null> {
  const browser = await sharedBrowser()
  if (browser === null) {
    t.comment('no Chromium on this machine (CHROMIUM_PATH): the console was not tried')
    return null
  }
  const nowMs = atOf(options.moment ?? 'a Wednesday in mid-month')
  const upstream = await startUpstream(t)
  upstream.reply(fakeOpenAI)
  const { kind = 'postgres', env = {}, empty = false, moreTypes = 0, share = 1 } = options
  const gateway = await startGateway(t, { upstreamUrl: upstream.url, kind, env, now: () => nowMs })
  if (!empty) await fillBooks(gateway.database, nowMs, { moreTypes, share })
  const watched = { nowMs, gateway, browser, expected: options.expected ?? [] }
  return {
    nowMs, gateway, browser, open: async (path, contextOptions) => await openPage(t, watched, path, contextOptions)
  }
}

/** The browser that all scenes of one process share; null where there is none. It goes when the process does. */
const sharedBrowser = async (): Promise<Browser | null> => await (shared ??= launchBrowser())
let shared: Promise<Browser | null> | undefined

async function launchBrowser (): Promise<Browser | null> {
  const executablePath = chromiumPath()
  if (executablePath === null) return null
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
  root.teardown(async () => { await browser.close() })
  return browser
}

/** Of each page: the requests in flight, and how many there were. */
const traffic = new WeakMap<Page, { readonly inFlight: Set<Request>, started: number }>()

function countRequests (page: Page): void {
  const counted = { inFlight: new Set<Request>(), started: 0 }
  traffic.set(page, counted)
  page.on('request', request => {
    // What the page before had in flight is given up.
    if (request.isNavigationRequest()) counted.inFlight.clear()
    counted.inFlight.add(request)
    counted.started++
  })
  const ended = (request: Request): void => { counted.inFlight.delete(request) }
  page.on('requestfinished', ended).on('requestfailed', ended)
}

/** Resolves in the page once its main thread had nothing to do, three times, with timers in between. */
const AT_REST = `new Promise(resolve => {
  let times = 0
  const rest = () => requestIdleCallback(() => { ++times < 3 ? setTimeout(rest, 20) : resolve() })
  rest()
})`

/**
 * Waits until the page has an answer to all that it asked for, and its main thread is at rest without asking for more.
 * The library's `networkidle` waits half a second longer, at each page.
 */
export async function settled (page: Page): Promise<void> {
  const counted = traffic.get(page)
  if (counted === undefined) throw new Error('not a page of a scene')
  for (let started = -1; counted.started !== started || counted.inFlight.size > 0;) {
    started = counted.started
    await page.evaluate(AT_REST)
  }
}

type ContextOptions = Parameters<Browser['newContext']>[0]

interface Watched {
  readonly nowMs: number
  readonly gateway: TestGateway
  readonly browser: Browser
  readonly expected: readonly RegExp[]
}

async function openPage (t: Test, watched: Watched, path: string, options: ContextOptions = {}): Promise<Page> {
  const { nowMs, gateway, browser, expected } = watched
  const viewport = { width: 1280, height: 800 }
  const context = await browser.newContext({
    httpCredentials: ADMIN, viewport, timezoneId: 'Europe/Prague', ...options
  })
  t.teardown(async () => { await context.close() })
  context.setDefaultTimeout(60_000) // Half a minute was too short for a machine whose cores others take.
  await context.clock.setFixedTime(nowMs)
  const page = await context.newPage()
  countRequests(page)
  page.on('console', message => {
    const text = message.text()
    if (message.type() === 'error' && !expected.some(line => line.test(text))) t.fail(`the page says: ${text}`)
  })
  page.on('pageerror', error => { t.fail(`the page fails: ${error.message}`) })
  page.on('request', request => {
    const { protocol, origin } = new URL(request.url())
    if (protocol !== 'data:' && origin !== gateway.origin) t.fail(`the page asks another host: ${request.url()}`)
  })
  await page.goto(gateway.origin + path)
  return page
}
