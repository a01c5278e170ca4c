import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Explorer, startExplorer } from '@throughline/explorer'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { buildUi } from '../build.ts'

const CHROMIUM_PATH = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium'

/** Starts the system's Chromium. Nothing is downloaded, and the browser calls nobody by itself. */
export async function launchChromium(): Promise<Browser> {
  if (!existsSync(CHROMIUM_PATH)) {
    throw new Error(
      `page tests need Chromium: there is none at ${CHROMIUM_PATH}; install the system's package, or name one by CHROMIUM_PATH`,
    )
  }
  return chromium.launch({
    executablePath: CHROMIUM_PATH,
    args: [
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}

export interface Bench {
  /** The explorer that runs at present. */
  readonly explorer: Explorer
  readonly browser: Browser
  /** Opens an address of the explorer in a context of its own; what goes wrong in it fails the test at `close`. */
  open(path: string, options?: BrowserContextOptions): Promise<OpenPage>
  /** Ends the explorer and, after `between`, starts it again at the same address with the same data. */
  restart(between: () => Promise<void>): Promise<void>
  close(): Promise<void>
}

export interface OpenPage {
  readonly page: Page
  close(): Promise<void>
}

/**
 * A real explorer with the real page and an empty store, and a browser to look at it.
 *
 * @param options `token`: what the explorer asks for; default nothing
 */
export async function startBench(options: { readonly token?: string } = {}): Promise<Bench> {
  const folder = await mkdtemp(join(tmpdir(), 'throughline-page-'))
  const uiDir = join(folder, 'ui')
  await buildUi(uiDir)
  const start = (listen: string) =>
    startExplorer({ listen, otlpHttp: '127.0.0.1:0', dataDir: join(folder, 'data'), uiDir, ...options })
  let explorer = await start('127.0.0.1:0')
  const browser = await launchChromium()
  return {
    get explorer() {
      return explorer
    },
    browser,
    async restart(between) {
      const { host } = new URL(explorer.url)
      await explorer.close()
      await between()
      explorer = await start(host)
    },
    async open(path, options = {}) {
      const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options })
      const page = await context.newPage()
      const problems: string[] = []
      // A violated Content-Security-Policy is reported on the console, as an error.
      page.on('console', (message) => {
        if (message.type() === 'error' || message.type() === 'warning') problems.push(message.text())
      })
      page.on('pageerror', (error) => problems.push(String(error.stack ?? error)))
      await page.goto(new URL(path, explorer.url).href)
      return {
        page,
        async close() {
          await context.close()
          assert.deepEqual(problems, [], `${path}: the browser complained`)
        },
      }
    },
    async close() {
      await browser.close()
      await explorer.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** How far the page is wider than the window, in pixels; 0 when nothing sticks out. */
export async function overflowPx(page: Page): Promise<number> {
  const px: unknown = await page.evaluate(
    'document.documentElement.scrollWidth - document.documentElement.clientWidth',
  )
  assert.ok(typeof px === 'number')
  return px
}

/** What an expression in the page comes to, as a number. */
export async function numberIn(page: Page, expression: string): Promise<number> {
  const value: unknown = await page.evaluate(expression)
  assert.ok(typeof value === 'number', `${expression} is ${String(value)}`)
  return value
}
