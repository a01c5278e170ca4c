import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import type { Page } from 'playwright-core'
import { type Bench, numberIn, overflowPx, startBench } from './browser.ts'
import { echoed, largeTrace, orphan, reading, sendSpans, slowOrder } from './otlp.ts'

let bench: Bench
before(async () => {
  bench = await startBench()
  // Spans that stay inside what is kept, the last of them a moment ago.
  const startMs = Date.now() - 3 * 3_600_000
  const { otlpUrl } = bench.explorer
  await sendSpans(otlpUrl, reading('a1', 'e-1', 'sensor-001'), startMs)
  await sendSpans(otlpUrl, orphan('a2'), startMs)
  await sendSpans(otlpUrl, slowOrder('a3'), startMs)
  await sendSpans(otlpUrl, largeTrace('a4', 5000), startMs)
  await sendSpans(otlpUrl, echoed('a5', 'e-5', 'sensor-005'), startMs)
})
after(() => bench.close())

const trace = (short: string): string => `/journey/${short.padStart(32, '0')}`
const selected = '.lanes-drawing [aria-pressed="true"]'
const query = (page: Page): string => new URL(page.url()).search

async function laneNames(page: Page): Promise<readonly string[]> {
  return page.locator('.lane').evaluateAll((lanes) => lanes.map((lane) => lane.getAttribute('title') ?? ''))
}

test('a journey has a lane for each service and destination, capsules with queue time, and a ribbon', async () => {
  const { page, close } = await bench.open('/journey/e-1')
  await page.getByRole('heading', { name: 'com.example.sensor.reading' }).waitFor()
  assert.deepEqual(await laneNames(page), [
    'station',
    'HTTP /events',
    'webhook',
    'Kafka sensor-readings',
    'forwarder',
    'MQTT sensors/sensor-001/reading',
    'device',
  ])
  assert.equal(await page.locator('.capsule').count(), 3)
  assert.equal(await page.locator('.bar').count(), 6)
  await page.getByText('sensor-readings[2]@17 · waited 3.4 ms').waitFor()
  await page.getByText(/sensors\/sensor-001\/reading · waited 1\.2 ms/).waitFor()
  assert.match(
    (await page.getByRole('region', { name: 'Where the time went' }).textContent()) ?? '',
    /8\.3 ms\s*=[\s\S]*work[\s\S]*queue/,
  )
  await page.getByText('nothing missing', { exact: true }).waitFor()
  assert.equal(await page.getByRole('region', { name: 'Hops' }).getByRole('button').count(), 3)
  await close()
})

test('a call that rounding puts before the process that made it stands below it, its server below that', async () => {
  const { page, close } = await bench.open('/journey/e-5')
  await page.locator('.bar').first().waitFor()
  assert.deepEqual((await laneNames(page)).slice(-2), ['device', 'echo'])
  const topOf = async (id: string): Promise<number> => {
    const box = await page.locator(`[data-span$="/${id.padStart(16, '0')}"]`).boundingBox()
    assert.ok(box !== null)
    return box.y
  }
  const tops = [await topOf('6'), await topOf('7'), await topOf('8')]
  assert.deepEqual(
    tops,
    tops.toSorted((a, b) => a - b),
  )
  assert.equal(new Set(tops).size, 3)
  assert.equal(await page.getByText(/skew/).count(), 0)
  await close()
})

test('links to where the event was created are drawn while their span is selected', async () => {
  const { page, close } = await bench.open('/journey/e-5')
  await page.locator('.bar').first().waitFor()
  assert.equal(await page.locator('.line.link').count(), 0)
  await page.goto(`${bench.explorer.url}/journey/e-5?span=${'6'.padStart(16, '0')}`)
  await page.locator('.line.link.selected').waitFor()
  assert.equal(await page.locator('.line.link').count(), 1)
  await close()
})

test('work by service is neither sending nor calling; only brokers are waited in', async () => {
  const { page, close } = await bench.open('/journey/e-1')
  const work = page.getByRole('region', { name: 'Work by service' }).locator('.share')
  await work.first().waitFor()
  assert.deepEqual(await work.allTextContents(), ['device3 ms', 'forwarder600 µs', 'webhook500 µs'])
  const waits = page.getByRole('region', { name: 'Longest waits' }).locator('.share-name')
  assert.deepEqual(await waits.allTextContents(), ['sensor-readings', 'sensors/sensor-001/reading'])
  await close()
})

test('a message without context is marked broken, with its reason and what to do', async () => {
  const { page, close } = await bench.open(trace('a2'))
  await page.locator('.capsule .broken').waitFor()
  await page.getByText('depot/7/picked · no context, publisher unknown', { exact: true }).waitFor()
  const card = page.getByRole('article')
  assert.match((await card.textContent()) ?? '', /no context, publisher unknown[\s\S]*Fix/)
  await card.getByRole('button', { name: 'Show' }).click()
  await page.getByRole('complementary', { name: 'Details' }).waitFor()
  await page.locator(selected).waitFor()
  await close()
})

test('idle hours are folded, g unfolds them, and the address remembers', async () => {
  const { page, close } = await bench.open(trace('a3'))
  await page.getByText('⟿ 2 h 13 m idle').waitFor()
  await page
    .getByText(/503 from carrier/)
    .first()
    .waitFor()
  assert.equal(await page.locator('.line.retry').count(), 1)
  await page.keyboard.press('g')
  await page.getByText('⟿ 2 h 13 m idle').waitFor({ state: 'detached' })
  assert.equal(query(page), '?fold=off')
  await page.reload()
  await page.locator('.bar').first().waitFor()
  assert.equal(await page.locator('.fold').count(), 0)
  await close()
})

test('everything can be reached by keys: hops, the critical path, the waterfall, help', async () => {
  const { page, close } = await bench.open('/journey/e-1')
  await page.locator('.bar').first().waitFor()
  await page.keyboard.press('j')
  await page.keyboard.press('j')
  assert.equal(query(page), '?hop=1')
  const details = page.getByRole('complementary', { name: 'Details' })
  assert.match(
    (await details.textContent()) ?? '',
    /sensor-readings[\s\S]*waited\s*3\.4 ms[\s\S]*partition\s*2[\s\S]*offset\s*17/,
  )
  await page.keyboard.press('k')
  assert.equal(query(page), '?hop=0')
  await page.keyboard.press('Escape')
  assert.equal(query(page), '')
  await details.waitFor({ state: 'detached' })

  const path: string[] = []
  for (let n = 0; n < 12; n++) {
    await page.keyboard.press(']')
    if (path.at(-1) !== query(page)) path.push(query(page))
  }
  assert.ok(
    path.includes('?hop=1') && path.includes('?hop=2') && path.at(-1) === '?span=0000000000000006',
    path.join(' '),
  )
  await page.keyboard.press('[')
  assert.notEqual(query(page), path.at(-1))

  await page.keyboard.press('w')
  await page.getByRole('tree', { name: 'Spans' }).waitFor()
  assert.equal(await page.getByRole('treeitem').count(), 6)
  assert.match(query(page), /view=waterfall/)
  await page.keyboard.press('w')
  await page.keyboard.press('?')
  await page.getByRole('dialog', { name: 'Help' }).waitFor()
  await page.keyboard.press('w')
  assert.doesNotMatch(query(page), /waterfall/)
  await page.keyboard.press('Escape')
  await page.getByRole('dialog', { name: 'Help' }).waitFor({ state: 'hidden' })
  await close()
})

test('in the drawing, Tab reaches one item, arrows go on from there, and the focus is seen', async () => {
  const { page, close } = await bench.open('/journey/e-1')
  await page.locator('.bar').first().waitFor()
  assert.equal(await page.locator('.lanes-drawing [tabindex="0"]').count(), 1)
  await page.locator('.lanes-drawing [tabindex="0"]').focus()
  await page.keyboard.press('Enter')
  assert.equal(query(page), '?span=0000000000000001')
  for (const [key, expected] of [
    ['ArrowDown', '?hop=0'],
    ['ArrowDown', '?span=0000000000000002'],
    ['ArrowRight', '?span=0000000000000003'],
    ['ArrowLeft', '?hop=1'],
  ] as const) {
    await page.keyboard.press(key)
    await page.locator(`${selected}:focus`).waitFor()
    if (key !== 'ArrowLeft') assert.equal(query(page), expected)
  }
  assert.notEqual(query(page), '?span=0000000000000003')
  await close()
})

test('the waterfall is walked by arrows and its branches fold', async () => {
  const { page, close } = await bench.open('/journey/e-1?view=waterfall')
  await page.getByRole('treeitem').first().focus()
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('ArrowDown')
  assert.match(query(page), /span=0000000000000002/)
  await page.keyboard.press('ArrowLeft')
  assert.equal(await page.getByRole('treeitem').count(), 2)
  await page.keyboard.press('ArrowRight')
  assert.equal(await page.getByRole('treeitem').count(), 6)
  await close()
})

test('a span’s details show its attributes, and its links and hops lead on', async () => {
  const { page, close } = await bench.open('/journey/e-1?span=0000000000000004')
  const details = page.getByRole('complementary', { name: 'Details' })
  await details.getByRole('heading', { name: 'process sensor-readings' }).waitFor()
  await details.getByText('messaging.kafka.offset').first().waitFor()
  await details.getByRole('button', { name: 'webhook · send sensor-readings' }).first().click()
  assert.match(query(page), /span=0000000000000003/)
  await details.getByRole('button', { name: /sensor-readings\[2\]@17/ }).click()
  assert.match(query(page), /hop=1/)
  await details.getByRole('button', { name: 'Close' }).click()
  assert.equal(query(page), '')
  await close()
})

test('a click on a capsule or a bar shows its details', async () => {
  const { page, close } = await bench.open('/journey/e-1')
  await page.locator('[data-hop="1"]').click()
  assert.match(query(page), /hop=1/)
  await page.locator('.bar').last().click()
  assert.match(query(page), /span=/)
  await close()
})

test('the wheel with Ctrl magnifies, a drag moves, and the window of time stands in the address', async () => {
  const { page, close } = await bench.open('/journey/e-1')
  const drawing = page.locator('.lanes-drawing')
  await drawing.waitFor()
  const box = await drawing.boundingBox()
  assert.ok(box !== null)
  await page.mouse.move(box.x + 200, box.y + 60)
  await page.keyboard.down('Control')
  await page.mouse.wheel(0, -600)
  await page.keyboard.up('Control')
  await page.waitForURL(/[?&]t=/)
  const zoomed = query(page)
  await page.mouse.down()
  await page.mouse.move(box.x + 60, box.y + 60, { steps: 4 })
  await page.mouse.up()
  await page.waitForURL((url) => url.search !== zoomed)
  // The click at the end of a drag selects nothing.
  assert.doesNotMatch(query(page), /span|hop/)
  const moved = query(page)
  await page.reload()
  await drawing.waitFor()
  assert.equal(query(page), moved)
  await page.keyboard.press('0')
  await page.waitForURL((url) => url.search === '')
  await close()
})

test('e saves the journey as JSON', async () => {
  const { page, close } = await bench.open('/journey/e-1')
  await page.locator('.bar').first().waitFor()
  const [download] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('e')])
  assert.equal(download.suggestedFilename(), 'journey-e-1.json')
  const saved: unknown = JSON.parse(await readFile(await download.path(), 'utf8'))
  const answered: unknown = await (await fetch(`${bench.explorer.url}/api/journeys/e-1`)).json()
  assert.deepEqual(saved, answered)
  await close()
})

test('an open journey grows when more of its spans arrive', async () => {
  const startMs = Date.now() - 1000
  const spans = reading('a7', 'grows', 'sensor-007')
  await sendSpans(bench.explorer.otlpUrl, spans.slice(0, 3), startMs)
  const { page, close } = await bench.open('/journey/grows')
  await page.getByText('3 spans').waitFor()
  await sendSpans(bench.explorer.otlpUrl, spans.slice(3), startMs)
  await page.getByText('6 spans').waitFor()
  assert.equal(await page.locator('.bar').count(), 6)
  await close()
})

test('on a phone nothing sticks out, the lanes are stacked, and the details are a sheet', async () => {
  for (const colorScheme of ['dark', 'light'] as const) {
    for (const path of [
      '/journey/e-1',
      trace('a2'),
      trace('a3'),
      '/journey/e-1?view=waterfall',
      '/journey/e-1?hop=1',
    ]) {
      const { page, close } = await bench.open(path, {
        viewport: { width: 390, height: 844 },
        colorScheme,
        hasTouch: true,
      })
      await page.locator('.bar, .tree-bar').first().waitFor()
      assert.equal(await overflowPx(page), 0, `${path} ${colorScheme}`)
      await close()
    }
  }
  const { page, close } = await bench.open('/journey/e-1', {
    viewport: { width: 390, height: 844 },
    hasTouch: true,
  })
  await page.locator('[data-hop="1"]').tap()
  const sheet = await page.getByRole('complementary', { name: 'Details' }).boundingBox()
  const item = await page.locator(selected).boundingBox()
  assert.ok(sheet !== null && item !== null)
  assert.ok(sheet.y > 300 && Math.abs(sheet.y + sheet.height - 844) <= 1)
  assert.ok(item.y + item.height < sheet.y, 'the sheet does not cover what it describes')
  await close()
})

test('dark and light follow the system, the toggle overrides it and is remembered', async () => {
  const brightness = 'getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0]'
  const { page, close } = await bench.open('/journey/e-1', { colorScheme: 'dark' })
  await page.locator('.bar').first().waitFor()
  assert.ok((await numberIn(page, brightness)) < 60)
  await page.emulateMedia({ colorScheme: 'light' })
  assert.ok((await numberIn(page, brightness)) > 200)
  await page.getByRole('button', { name: /^Theme/ }).click()
  assert.ok((await numberIn(page, brightness)) < 60)
  await page.reload()
  assert.ok((await numberIn(page, brightness)) < 60)
  await close()
})

test('labels do not overlap on the page, as the browser measures them', async () => {
  for (const path of ['/journey/e-1', trace('a2'), trace('a3')]) {
    for (const width of [700, 1024, 1440]) {
      const { page, close } = await bench.open(path, { viewport: { width, height: 900 } })
      await page.locator('.labels text').first().waitFor()
      const boxes = await page.locator('.labels text').evaluateAll((labels) =>
        labels.map((label) => {
          const { left, right, top, bottom } = label.getBoundingClientRect()
          return { text: label.textContent ?? '', left, right, top, bottom }
        }),
      )
      for (const [index, a] of boxes.entries()) {
        for (const b of boxes.slice(index + 1)) {
          const apart =
            a.right <= b.left + 1 || b.right <= a.left + 1 || a.bottom <= b.top + 3 || b.bottom <= a.top + 3
          assert.ok(apart, `${path} at ${width}: "${a.text}" and "${b.text}"`)
        }
      }
      await close()
    }
  }
})

test('5,000 spans are drawn with a few hundred elements, and all can be found', async (context) => {
  const { page, close } = await bench.open(trace('a4'))
  await page.getByText('5,000 spans').waitFor()
  await page.locator('.bar').first().waitFor()
  assert.ok((await page.locator('.lanes-drawing *').count()) < 3000)
  const zoomMs = await framesWhile(page, '.lanes-drawing', 'wheel')
  const scrollMs = await framesWhile(page, '.lanes', 'scroll')
  context.diagnostic(
    `5,000 spans: longest of 40 frames while magnifying ${zoomMs.longest} ms, median ${zoomMs.median} ms`,
  )
  context.diagnostic(
    `5,000 spans: longest of 40 frames while scrolling ${scrollMs.longest} ms, median ${scrollMs.median} ms`,
  )
  // A span too small to be an element is found by a click, and is one as soon as it is selected.
  await page.keyboard.press('0')
  await page.goto(`${bench.explorer.url}${trace('a4')}?span=${(4001).toString(16).padStart(16, '0')}`)
  await page.locator(selected).waitFor()
  await page.keyboard.press('w')
  await page.locator('[role="treeitem"][aria-selected="true"]').waitFor()
  assert.ok((await page.getByRole('treeitem').count()) < 120)
  await close()
})

async function framesWhile(page: Page, selector: string, action: 'wheel' | 'scroll') {
  const result: unknown = await page.evaluate(`new Promise((resolve) => {
    const element = document.querySelector(${JSON.stringify(selector)})
    const box = element.getBoundingClientRect()
    const frames = []
    let last = performance.now()
    const step = () => {
      const now = performance.now()
      frames.push(now - last)
      last = now
      if (frames.length > 40) {
        frames.shift()
        const sorted = frames.toSorted((a, b) => a - b)
        resolve({ longest: Math.round(sorted.at(-1)), median: Math.round(sorted[20]) })
        return
      }
      if (${JSON.stringify(action)} === 'scroll') element.scrollTop += 40
      else element.dispatchEvent(new WheelEvent('wheel', {
        deltaY: frames.length < 20 ? -60 : 60, ctrlKey: true, bubbles: true, cancelable: true,
        clientX: box.left + 300, clientY: box.top + 100,
      }))
      requestAnimationFrame(step)
    }
    requestAnimationFrame(step)
  })`)
  assert.ok(typeof result === 'object' && result !== null && 'longest' in result && 'median' in result)
  return result
}
