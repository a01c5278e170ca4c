import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Bench, overflowPx, startBench } from './browser.ts'
import { echoed, orphan, reading, sendSpans, slowOrder } from './otlp.ts'

let bench: Bench
before(async () => {
  bench = await startBench()
})
after(() => bench.close())

const rows = 'ol[aria-label="Journeys"] li'

test('with nothing to show, the list says where to send telemetry; then it fills by itself', async () => {
  const { page, close } = await bench.open('/')
  await page.getByText('No journeys yet').waitFor()
  await page.getByText(`OTEL_EXPORTER_OTLP_ENDPOINT=${bench.explorer.otlpUrl}`).waitFor()
  await page.getByText('throughline demo').waitFor()
  await page.getByText('Live', { exact: true }).waitFor()

  await page.evaluate('window.notReloaded = true')
  await sendSpans(bench.explorer.otlpUrl, reading('a1', 'live-1', 'sensor-001'), Date.now())
  const row = page.locator(rows).filter({ hasText: 'sensor-001' })
  await row.waitFor()
  const text = (await row.textContent()) ?? ''
  assert.match(text, /com\.example\.sensor\.reading\s*sensor-001\s*live-1/)
  assert.match(text, /station\s*HTTP\s*webhook\s*Kafka\s*forwarder\s*MQTT\s*device/)
  assert.match(text, /8\.3 ms/)

  await sendSpans(bench.explorer.otlpUrl, orphan('a2'), Date.now() + 1000)
  await page.locator(rows).filter({ hasText: '1 finding' }).waitFor()
  assert.equal(await page.locator(rows).count(), 2)
  assert.equal(await page.evaluate('window.notReloaded'), true)
  await close()
})

test('a paused list stays as it is, says how many are new, and shows them when asked', async () => {
  const { page, close } = await bench.open('/')
  await page.locator(rows).first().waitFor()
  await page.getByText('Live', { exact: true }).waitFor()
  const count = await page.locator(rows).count()
  await page.getByRole('button', { name: 'Pause' }).click()
  await sendSpans(bench.explorer.otlpUrl, slowOrder('a3'), Date.now() + 2000)
  await page.getByRole('button', { name: 'Show 1 new' }).waitFor()
  assert.equal(await page.locator(rows).count(), count)
  await page.getByRole('button', { name: 'Show 1 new' }).click()
  await page.locator(rows).filter({ hasText: 'shipping' }).waitFor()
  await close()
})

test('/ goes to the search, what is typed is searched, and the address keeps it', async () => {
  const { page, close } = await bench.open('/')
  await page.locator(rows).first().waitFor()
  await page.keyboard.press('/')
  await page.keyboard.type('live-1')
  await page.getByRole('heading', { name: 'Search' }).waitFor()
  await page.getByText('1 journey', { exact: true }).waitFor()
  assert.equal(new URL(page.url()).search, '?q=live-1')
  await page.reload()
  await page.getByText('1 journey', { exact: true }).waitFor()
  await page.goto(`${bench.explorer.url}/?q=nobody-sent-this`)
  await page.getByText('No journey found').waitFor()
  await close()
})

test('j and Enter open a journey without the mouse, back returns to the list', async () => {
  const { page, close } = await bench.open('/')
  await page.locator(rows).first().waitFor()
  const target = await page.locator(`${rows} a`).nth(1).getAttribute('href')
  await page.keyboard.press('j')
  await page.keyboard.press('j')
  await page.keyboard.press('Enter')
  await page.getByRole('region', { name: 'Lanes' }).waitFor()
  assert.equal(new URL(page.url()).pathname, target)
  await page.goBack()
  await page.locator(rows).first().waitFor()
  await close()
})

test('an event that was never seen is said to be unknown, with a way back', async () => {
  const { page } = await bench.open('/journey/never%2Fseen%20%F0%9F%9A%80')
  await page.getByText('No such journey').waitFor()
  await page.getByRole('link', { name: 'Recent journeys' }).first().click()
  await page.locator(rows).first().waitFor()
  await page.context().close()
})

test('type and subject of an event are whole, beside all its services, as wide as the room allows', async () => {
  const id = '0e33920c-4f7e-41ae-a1e6-88ba72e2ea43'
  await sendSpans(bench.explorer.otlpUrl, echoed('a4', id, 'sensor-004'), Date.now() + 3000)
  for (const [width, isOneLine] of [
    [1480, true],
    [1320, true],
    [1024, false],
    [900, false],
  ] as const) {
    const { page, close } = await bench.open('/', { viewport: { width, height: 700 } })
    const row = page.locator(rows).filter({ hasText: 'sensor-004' })
    await row.waitFor()
    const cut = await row
      .locator('.row-type, .row-subject, .chain-service')
      .evaluateAll((parts) =>
        parts.flatMap((part) => (part.scrollWidth > part.clientWidth ? [part.textContent] : [])),
      )
    assert.deepEqual(cut, [], `cut at ${width}`)
    const box = await row.boundingBox()
    assert.ok(box !== null)
    if (isOneLine) assert.ok(box.height < 46, `${box.height} px at ${width}`)
    assert.equal(await overflowPx(page), 0)
    await close()
  }
})

test('on a phone the list fits, dark and light', async () => {
  for (const colorScheme of ['dark', 'light'] as const) {
    const { page, close } = await bench.open('/', { viewport: { width: 390, height: 844 }, colorScheme })
    await page.locator(rows).first().waitFor()
    assert.equal(await overflowPx(page), 0)
    await close()
  }
})

test('when the explorer goes away the list says so, and when it is back it fills again by itself', async () => {
  const { page } = await bench.open('/')
  await page.locator(rows).first().waitFor()
  await page.getByText('Live', { exact: true }).waitFor()
  await bench.restart(async () => {
    await page.getByText('Connection lost, reconnecting…').waitFor()
  })
  // Sent before the page is connected again: only asking for the list anew can show it.
  await sendSpans(bench.explorer.otlpUrl, reading('a5', 'after-restart', 'sensor-005'), Date.now() + 5000)
  await page.locator(rows).filter({ hasText: 'after-re' }).waitFor()
  await page.getByText('Live', { exact: true }).waitFor()
  await page.context().close()
})
