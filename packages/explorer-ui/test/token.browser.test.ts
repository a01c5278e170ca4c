import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Page } from 'playwright-core'
import { type Bench, overflowPx, startBench } from './browser.ts'
import { reading, sendSpans } from './otlp.ts'

const token = 'correct horse/battery+staple='
let bench: Bench
before(async () => {
  bench = await startBench({ token })
  await send('a1', 'e-1')
})
after(() => bench.close())

const rows = 'ol[aria-label="Journeys"] li'
const send = (trace: string, id: string): Promise<void> =>
  sendSpans(bench.explorer.otlpUrl, reading(trace, id, 'sensor-001'), Date.now(), token)

/** Opens the page without the check of `close`: each 401 is an error on the browser's console. */
async function openPage(path: string, width = 1440): Promise<{ page: Page; violations: readonly string[] }> {
  const { page } = await bench.open('/icon-of-nothing.svg', { viewport: { width, height: 900 } })
  const violations: string[] = []
  page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) violations.push(message.text())
  })
  await page.goto(new URL(path, bench.explorer.url).href)
  return { page, violations }
}

async function enter(page: Page, text: string): Promise<void> {
  await page.getByLabel('This explorer asks for its token').fill(text)
  await page.keyboard.press('Enter')
}

test('the page asks for the token, says when it is wrong, and then shows the list and follows the stream', async () => {
  const { page, violations } = await openPage('/')
  const field = page.getByLabel('This explorer asks for its token')
  await field.and(page.locator(':focus')).waitFor()
  assert.equal(await page.locator(rows).count(), 0)
  await page.keyboard.type('wrong')
  await page.keyboard.press('Enter')
  await page.getByRole('alert').filter({ hasText: 'not the token' }).waitFor()
  await enter(page, 'schlüssel')
  await page.getByRole('alert').filter({ hasText: 'ASCII' }).waitFor()
  assert.equal(await page.evaluate('sessionStorage.length'), 0)

  await enter(page, ` ${token} `)
  await page.locator(rows).filter({ hasText: 'e-1' }).waitFor()
  await page.getByText('Live', { exact: true }).waitFor()
  await send('a2', 'e-2')
  await page.locator(rows).filter({ hasText: 'e-2' }).waitFor()
  assert.deepEqual(violations, [])
  await page.context().close()
})

test('the token lasts as long as the tab: over a reload, for journeys, search and a restart of the explorer', async () => {
  const { page, violations } = await openPage('/journey/e-1?hop=1')
  await enter(page, token)
  await page.getByRole('complementary', { name: 'Details' }).waitFor()
  await page.reload()
  await page.locator('.bar').first().waitFor()
  assert.equal(new URL(page.url()).search, '?hop=1')
  await page.goto(`${bench.explorer.url}/?q=e-1`)
  await page.getByText('1 journey', { exact: true }).waitFor()
  assert.equal(await page.evaluate("localStorage.getItem('throughline.token')"), null)
  assert.doesNotMatch(page.url(), /correct/)

  await page.goto(bench.explorer.url)
  await page.getByText('Live', { exact: true }).waitFor()
  await bench.restart(async () => {
    await page.getByText('Connection lost, reconnecting…').waitFor()
  })
  await send('a3', 'e-3')
  await page.locator(rows).filter({ hasText: 'e-3' }).waitFor()
  await page.getByText('Live', { exact: true }).waitFor()
  assert.deepEqual(violations, [])
  await page.context().close()
})

test('a token that the explorer takes no longer is asked for anew', async () => {
  const { page } = await openPage('/')
  await page.evaluate("sessionStorage.setItem('throughline.token', 'of-yesterday')")
  await page.reload()
  await page.getByRole('alert').filter({ hasText: 'no longer' }).waitFor()
  await enter(page, token)
  await page.locator(rows).first().waitFor()
  await page.context().close()
})

test('on a phone the form fits', async () => {
  const { page } = await openPage('/', 360)
  await page.getByLabel('This explorer asks for its token').waitFor()
  assert.equal(await overflowPx(page), 0)
  await page.context().close()
})
