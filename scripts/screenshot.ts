import { mkdirSync, rmSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type Browser, chromium, type Page } from 'playwright-core'
import { findChromium } from './bootstrap/clients.mjs'
import { repository } from './bootstrap/paths.mjs'
import { freePorts } from './brokers/ports.ts'
import { runFolder, startBrokers } from './brokers/set.ts'
import { createTopics } from './brokers/topics.ts'
import { createFleet, type Fleet } from './demo/fleet.ts'
import { awaitJourney, type Expectation, missingFrom, readingJourney } from './demo/journey.ts'
import {
  BURST,
  type OrderAddresses,
  orderJourney,
  orderTopics,
  replayedJourney,
  replayOrder,
  startOrders,
} from './demo/orders.ts'
import { type Addresses, serviceSpecs, urlsOf } from './demo/services.ts'

const help = `Usage: npm run screenshot -- [--theme dark|light] [--out FOLDER]

  Runs the demo's services over brokers of its own until a reading has gone the whole way, and takes the pictures of the
  explorer's page that README.md and docs/ show: journey.png and journeys.png; then those of examples/orders, for
  order.png: an order and its replay.
  --theme  default dark
  --out    default docs/images
`

/** Before it, processes compile and connect: a later reading is more like all others. */
const READING = 20
const WAIT_MS = 60_000
const WIDTH_PX = 1320
const HEIGHTS_PX = { journey: 800, list: 532, order: 760 }
const MAX_BYTES = 500_000

const { values } = parseArgs({
  options: {
    theme: { type: 'string', default: 'dark' },
    out: { type: 'string', default: join(repository, 'docs/images') },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) process.stdout.write(help)
else if (values.theme !== 'dark' && values.theme !== 'light') {
  process.stderr.write(`--theme is dark or light, not ${values.theme}\n${help}`)
  process.exitCode = 2
} else await main(values.theme, values.out)

async function main(theme: 'dark' | 'light', folder: string): Promise<void> {
  const dir = runFolder(`screenshot-${process.pid}`)
  const fleet = createFleet(() => {})
  const brokers = await startBrokers({ kafka: true, mosquitto: true, rabbitmq: true, dir })
  let browser: Browser | undefined
  try {
    const kafkaBrokers = brokers.kafka?.bootstrap ?? ''
    await createTopics(kafkaBrokers, [
      { name: 'sensor-readings', partitions: 3 },
      { name: 'sensor-readings.dead' },
      ...orderTopics,
    ])
    const { url, otlpUrl, eventId } = await Promise.race([
      runServices(fleet, { kafkaBrokers, mqttUrl: brokers.mqtt?.url ?? '' }, join(dir, 'explorer')),
      fleet.broken,
    ])
    browser = await launch()
    const context = await browser.newContext({
      viewport: { width: WIDTH_PX, height: HEIGHTS_PX.journey },
      deviceScaleFactor: 2,
      colorScheme: theme,
      reducedMotion: 'reduce',
    })
    const page = await context.newPage()
    mkdirSync(folder, { recursive: true })
    await page.goto(`${url}/journey/${eventId}`)
    await page.getByRole('group', { name: 'Spans and messages, in order of time' }).waitFor()
    await shoot(page, join(folder, 'journey.png'))
    await page.setViewportSize({ width: WIDTH_PX, height: HEIGHTS_PX.list })
    await page.goto(url)
    await page.getByRole('list', { name: 'Journeys' }).waitFor()
    await shoot(page, join(folder, 'journeys.png'))
    const orders = { kafkaBrokers, amqpUrl: brokers.amqp?.url ?? '', otlpUrl, ordersDb: ':memory:' }
    const orderId = await Promise.race([runOrders(fleet, url, orders), fleet.broken])
    await page.setViewportSize({ width: WIDTH_PX, height: HEIGHTS_PX.order })
    await page.goto(`${url}/journey/${orderId}`)
    await page.getByRole('group', { name: 'Spans and messages, in order of time' }).waitFor()
    await shoot(page, join(folder, 'order.png'))
  } finally {
    await browser?.close()
    await fleet.stop()
    await brokers.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

/** Starts all services of the demo and resolves when a reading has gone the whole way. */
async function runServices(
  fleet: Fleet,
  brokers: Pick<Addresses, 'kafkaBrokers' | 'mqttUrl'>,
  explorerDir: string,
): Promise<{ readonly url: string; readonly otlpUrl: string; readonly eventId: string }> {
  const [explorerPort = 0, otlpPort = 0, webhookPort = 0, echoPort = 0, webhookAdminPort = 0, admin = 0] =
    await freePorts(6)
  const ports = { explorerPort, otlpPort, webhookPort, echoPort, webhookAdminPort, forwarderAdminPort: admin }
  const addresses: Addresses = { ...brokers, ...ports }
  const specs = serviceSpecs({ addresses, explorerDir, rate: 2, silent: [] })
  for (const name of ['explorer', 'echo', 'device', 'forwarder', 'webhook'] as const)
    await fleet.start(specs[name])
  const posted: string[] = []
  const enough = Promise.withResolvers<string>()
  const onLine = (id: string) => {
    if (posted.push(id) === READING) enough.resolve(id)
  }
  await fleet.start(specs.legacy)
  await fleet.start({ ...specs.station, onLine })
  const eventId = await enough.promise
  const { explorer: url, otlp: otlpUrl } = urlsOf(addresses)
  await requireJourney(url, eventId, readingJourney)
  return { url, otlpUrl, eventId }
}

/** Starts the services of examples/orders and resolves with the first order's event when it was handled, replayed and handled again. */
async function runOrders(
  fleet: Fleet,
  url: string,
  orders: Omit<OrderAddresses, 'orderPort'>,
): Promise<string> {
  const [orderPort = 0] = await freePorts(1)
  const addresses = { ...orders, orderPort }
  const numbers: string[] = []
  const placed = Promise.withResolvers<string>()
  await startOrders(fleet, addresses, (number) => {
    if (numbers.push(number) === BURST) placed.resolve(numbers[0] ?? '')
  })
  const number = await placed.promise
  const eventId = `order-${number}`
  await requireJourney(url, eventId, orderJourney)
  await replayOrder(addresses, number)
  await requireJourney(url, eventId, replayedJourney)
  return eventId
}

async function requireJourney(url: string, eventId: string, expected: Expectation): Promise<void> {
  const journey = await awaitJourney(url, eventId, expected, WAIT_MS, new AbortController().signal)
  const missing = missingFrom(journey, expected)
  if (missing.length > 0) throw new Error(`missing after ${WAIT_MS / 1000} s: ${missing.join('; ')}`)
}

function launch(): Promise<Browser> {
  const executablePath = findChromium()
  if (executablePath === undefined) throw new Error('there is no Chromium: set CHROMIUM_PATH')
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  return chromium.launch({ executablePath, args: [...sandbox, '--disable-gpu'] })
}

async function shoot(page: Page, path: string): Promise<void> {
  // Nothing on the page says that it has come to rest: two frames that are the same do.
  let before: Buffer = Buffer.alloc(0)
  for (;;) {
    const after = await page.screenshot()
    if (after.equals(before)) break
    before = after
    await pause(100)
  }
  await page.screenshot({ path })
  const { size } = statSync(path)
  console.log(`${relative(repository, path)}  ${Math.round(size / 1000)} KB`)
  if (size > MAX_BYTES) throw new Error(`${path} has more than ${MAX_BYTES / 1000} KB`)
}
