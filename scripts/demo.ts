import { rmSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { interrupted } from '@throughline/cli/signals'
import { renderJourneyText } from '@throughline/explorer'
import { setUp } from './bootstrap.mjs'
import { areFree, freePorts } from './brokers/ports.ts'
import { type Brokers, runFolder, startBrokers } from './brokers/set.ts'
import { createTopics } from './brokers/topics.ts'
import { createFleet, type Fleet } from './demo/fleet.ts'
import { awaitJourney, demoJson, type Expectation, missingFrom, readingJourney } from './demo/journey.ts'
import { type DemoOptions, DemoUsageError, help, parseOptions } from './demo/options.ts'
import { type OrderAddresses, orderJourney, orderVersions, replayOrder, startOrders } from './demo/orders.ts'
import { reach } from './demo/reach.ts'
import { createReport, type Report } from './demo/report.ts'
import { type Addresses, serviceSpecs, urlsOf } from './demo/services.ts'

const pagePort = 4319
const topics = [{ name: 'sensor-readings', partitions: 3 }, { name: 'sensor-readings.dead' }]

/**
 * The demo: brokers, explorer and the services of examples/sensors, until it is told to end. Resolves to its exit code,
 * after ending all that it started.
 */
export async function demo(args: readonly string[]): Promise<number> {
  let options: DemoOptions
  try {
    options = parseOptions(args)
  } catch (error) {
    if (!(error instanceof DemoUsageError)) throw error
    process.stderr.write(`throughline: ${error.message}\nthroughline demo --help says more\n`)
    return 2
  }
  if (options.help) {
    process.stdout.write(help)
    return 0
  }
  const told = interrupted()
  const startedAt = performance.now()
  if (!(await setUp('demo', args))) return 1
  return run({
    options,
    told,
    startedAt,
    report: createReport(options.json ? process.stderr : process.stdout),
  })
}

interface Run {
  readonly options: DemoOptions
  /** Resolves with the signal that asks for the end. */
  readonly told: Promise<NodeJS.Signals>
  readonly startedAt: number
  readonly report: Report
}

/** Started by a run, ended with it. */
interface Started {
  readonly fleet: Fleet
  readonly addresses: Addresses
  readonly counts: { posted: number; handled: number; ordered: number }
  /** The id of the first reading that was answered. */
  readonly firstId: Promise<string>
  /** With examples/orders: where its services are, and the number of the first order once all of the burst are placed. */
  readonly orders: { readonly addresses: OrderAddresses; readonly firstOrder: Promise<string> } | undefined
}

async function run({ options, told, startedAt, report }: Run): Promise<number> {
  const fleet = createFleet((name, line) => {
    if (options.logs) report.line(`    ${name.padEnd(9)} ${line}`)
  })
  const over = new AbortController()
  const onceDir = options.once ? runFolder(`demo-${process.pid}`) : undefined
  const explorerDir = join(onceDir ?? runFolder('demo'), 'explorer')
  const ports: number[] = []
  let startingBrokers: Promise<Brokers> | undefined
  const play = async (): Promise<number> => {
    report.line('demo')
    await requireFree(options.port)
    startingBrokers = report.step(
      'brokers',
      () => brokersOf(runFolder('demo'), options),
      ({ kafka, mqtt, amqp }) =>
        `Kafka ${kafka?.bootstrap}, Mosquitto ${mqtt?.url}${amqp ? `, RabbitMQ ${withoutUser(amqp.url)}` : ''}`,
    )
    const started = await start({ options, report, fleet, explorerDir, ports, startingBrokers })
    report.line(`  running after ${((performance.now() - startedAt) / 1000).toFixed(1)} s\n`)
    return follow(started, options, report, over.signal)
  }
  const playing = play()
  const signalled = told.then((signal) => {
    report.line(`${signal === 'SIGINT' ? 'interrupted' : signal}: ending what was started`)
    return options.once ? 128 + constants.signals[signal] : 0
  })
  let exitCode = 1
  try {
    exitCode = await Promise.race([playing, fleet.broken, signalled])
  } catch (error) {
    report.line(`throughline: ${error instanceof Error ? error.message : error}`)
    if (process.env.THROUGHLINE_DEBUG && error instanceof Error) report.line(error.stack)
  }
  over.abort()
  // What was beginning to start comes to its end before the end of all.
  await fleet.stop()
  await playing.catch(() => {})
  // Also where something else failed before they had started.
  const brokers = await startingBrokers?.catch(() => undefined)
  await brokers?.stop()
  if (onceDir !== undefined) rmSync(onceDir, { recursive: true, force: true })
  if (await areFree(ports)) return exitCode
  report.line(`throughline: a port of ${ports.join(', ')} is still in use`)
  return exitCode || 1
}

async function requireFree(port: number | undefined): Promise<void> {
  if (port !== undefined && !(await areFree([port])))
    throw new Error(`port ${port} is taken by another program: choose another one with --port`)
}

async function brokersOf(dir: string, { orders }: DemoOptions): Promise<Brokers> {
  const { KAFKA_BROKERS, MQTT_URL, AMQP_URL } = process.env
  await Promise.all([
    KAFKA_BROKERS && reach('KAFKA_BROKERS', KAFKA_BROKERS),
    MQTT_URL && reach('MQTT_URL', MQTT_URL),
    orders && AMQP_URL && reach('AMQP_URL', AMQP_URL),
  ])
  return startBrokers({ kafka: true, mosquitto: true, rabbitmq: orders, dir, keepData: true })
}

/** A broker's address as it may be shown. */
function withoutUser(url: string): string {
  const { protocol, host } = new URL(url)
  return `${protocol}//${host}`
}

interface Starting {
  readonly options: DemoOptions
  readonly report: Report
  readonly fleet: Fleet
  readonly explorerDir: string
  /** Filled with those that the run takes. */
  readonly ports: number[]
  readonly startingBrokers: Promise<Brokers>
}

async function start(starting: Starting): Promise<Started> {
  const { options, report, fleet, explorerDir, ports } = starting
  const [
    otlpPort = 0,
    webhookPort = 0,
    echoPort = 0,
    webhookAdminPort = 0,
    forwarderAdminPort = 0,
    free = 0,
    orderPort = 0,
  ] = await freePorts(7)
  const explorerPort = options.port ?? ((await areFree([pagePort])) ? pagePort : free)
  ports.push(explorerPort, otlpPort, webhookPort, echoPort, webhookAdminPort, forwarderAdminPort)
  const ownPorts = { explorerPort, otlpPort, webhookPort, echoPort, webhookAdminPort, forwarderAdminPort }
  const { plain } = options
  const settings = { explorerDir, rate: options.rate, plain, silent: options['without-exporter'] }

  const early = serviceSpecs({ ...settings, addresses: { ...ownPorts, kafkaBrokers: '', mqttUrl: '' } })
  const explorer = report.step(
    'explorer',
    () => fleet.start(early.explorer),
    () => `http://127.0.0.1:${explorerPort}`,
  )
  // It needs no broker either.
  const echo = fleet.start(early.echo)
  const [brokers] = await Promise.all([starting.startingBrokers, explorer, echo])
  const addresses = {
    ...ownPorts,
    kafkaBrokers: brokers.kafka?.bootstrap ?? '',
    mqttUrl: brokers.mqtt?.url ?? '',
  }
  const specs = serviceSpecs({ ...settings, addresses })
  const { topics: orderTopics, burst } = versionOf(options)
  const wanted = options.orders ? [...topics, ...orderTopics] : topics
  await report.step(
    'topics',
    () => createTopics(addresses.kafkaBrokers, wanted),
    () => wanted.map(({ name }) => name).join(', '),
  )
  const counts = { posted: 0, handled: 0, ordered: 0 }
  const first = Promise.withResolvers<string>()
  const posted = (id: string) => {
    counts.posted++
    first.resolve(id)
  }
  const handled = () => {
    counts.handled++
  }
  const services = [{ ...specs.device, onLine: handled }, specs.forwarder, specs.webhook]
  await report.step(
    'services',
    () => Promise.all(services.map((spec) => fleet.start(spec))),
    (all) => ['echo', ...all.map(({ name }) => name)].join(', '),
  )
  const publishers = [{ ...specs.station, onLine: posted }, specs.legacy]
  await report.step(
    'publishers',
    () => Promise.all(publishers.map((spec) => fleet.start(spec))),
    () => `station (${options.rate} readings a second), legacy (one in ten, without any context)`,
  )
  const started = { fleet, addresses, counts, firstId: first.promise }
  if (!options.orders) return { ...started, orders: undefined }
  ports.push(orderPort)
  const own = { otlpUrl: urlsOf(addresses).otlp, orderPort, amqpUrl: brokers.amqp?.url ?? '' }
  const orderAddresses = {
    ...own,
    kafkaBrokers: addresses.kafkaBrokers,
    ordersDb: join(runFolder('demo'), 'orders.db'),
  }
  const firstOrder = Promise.withResolvers<string>()
  const numbers: string[] = []
  const ordered = (orderId: string) => {
    counts.ordered++
    if (numbers.push(orderId) === burst) firstOrder.resolve(numbers[0] ?? '')
  }
  await report.step(
    'orders',
    () => startOrders(fleet, orderAddresses, ordered, { plain, burst }),
    () => `inventory, payment, notification, shipping, analytics, order; a customer with ${burst} orders`,
  )
  return { ...started, orders: { addresses: orderAddresses, firstOrder: firstOrder.promise } }
}

/** Prints the journeys, and goes on where that was not all that was asked for. */
async function follow(
  started: Started,
  options: DemoOptions,
  report: Report,
  over: AbortSignal,
): Promise<number> {
  const { addresses, counts, firstId, orders } = started
  const urls = urlsOf(addresses)
  const tell: Telling = { explorerUrl: urls.explorer, options, report, over }
  report.line(`page         ${urls.explorer}`)
  report.line(`post your own: ${curl(urls.webhook)}\n`)
  const eventId = await inTime(firstId, 'no reading was answered', tell)
  let whole = eventId !== undefined && (await show(eventId, readingJourney, tell))
  if (orders !== undefined) whole = (await followOrder(orders, tell)) && whole
  if (options.once || eventId === undefined) return whole ? 0 : 1
  report.line()
  for (;;) {
    await pause(1000, undefined, { signal: over })
    const placed = orders === undefined ? '' : ` · ${counts.ordered} ordered`
    report.status(
      `${counts.posted} posted · ${counts.handled} handled${placed} · ${urls.explorer} · Ctrl-C ends`,
    )
  }
}

/** Prints an order's journey, replays it, and prints what became of it. Whether both are whole. */
async function followOrder(orders: NonNullable<Started['orders']>, tell: Telling): Promise<boolean> {
  const { plain } = tell.options
  const { burst, replayed } = versionOf(tell.options)
  const orderId = await inTime(orders.firstOrder, `not all ${burst} orders were taken`, tell)
  if (orderId === undefined) return false
  const eventId = `order-${orderId}`
  tell.report.line(`\nwhat happened to order ${orderId}?\n`)
  const whole = await show(eventId, orderJourney, tell)
  await replayOrder(orders.addresses, orderId, { plain })
  tell.report.line(`\nand after it was replayed?\n`)
  return (await show(eventId, replayed, tell)) && whole
}

const versionOf = ({ plain }: DemoOptions) => orderVersions[plain ? 'plain' : 'library']

interface Telling {
  readonly explorerUrl: string
  readonly options: DemoOptions
  readonly report: Report
  readonly over: AbortSignal
}

/** Undefined, and said so, where it has not come within the time that was asked for. */
async function inTime<T>(
  coming: Promise<T>,
  otherwise: string,
  { options, report, over }: Telling,
): Promise<T | undefined> {
  const come = await Promise.race([
    coming.then((value) => ({ value })),
    pause(options.wait * 1000, null, { signal: over }),
  ])
  if (come === null) report.line(`throughline: ${otherwise} within ${options.wait} s`)
  return come?.value
}

/** Prints an event's journey once it is whole, or its time is up. Whether it is whole. */
async function show(
  eventId: string,
  expected: Expectation,
  { explorerUrl, options, report, over }: Telling,
): Promise<boolean> {
  const journey = await awaitJourney(explorerUrl, eventId, expected, options.wait * 1000, over)
  report.line(
    journey === null ? `the explorer knows nothing of event ${eventId}` : renderJourneyText(journey),
  )
  if (options.json) process.stdout.write(`${JSON.stringify(demoJson(eventId, journey, expected))}\n`)
  const missing = missingFrom(journey, expected)
  if (missing.length > 0) report.line(`throughline: missing after ${options.wait} s: ${missing.join('; ')}`)
  return missing.length === 0
}

function curl(webhookUrl: string): string {
  const event = {
    specversion: '1.0',
    id: 'mine-1',
    source: '/curl',
    type: 'com.example.sensor.reading',
    subject: 'sensor-007',
    data: { celsius: 21.5 },
  }
  return `curl -i ${webhookUrl} -H 'content-type: application/cloudevents+json' -d '${JSON.stringify(event)}'`
}
