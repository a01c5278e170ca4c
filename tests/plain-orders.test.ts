import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import type { Explorer, Journey, JourneyList } from '@throughline/explorer'
import { freePorts } from '../scripts/brokers/ports.ts'
import { createTopics } from '../scripts/brokers/topics.ts'
import { createFleet } from '../scripts/demo/fleet.ts'
import { awaitJourney, type Expectation, missingFrom } from '../scripts/demo/journey.ts'
import {
  orderJourney,
  orderTopics,
  plainOrderTopics,
  plainReplayedJourney,
  replayedJourney,
  replayOrder,
  startOrders,
} from '../scripts/demo/orders.ts'
import { temporaryExplorer } from './support/journey.ts'
import { brokers } from './support/pipeline.ts'
import { cut, shapeOf } from './support/shape.ts'

// examples/orders twice over the same brokers: its services on the library, and those of plain/ on kafkajs,
// @platformatic/kafka, amqplib and rabbitmq-client, which know nothing of Throughline, under `register`.

const ORDERS = 12
/** No other run's: the topics keep what was in them. */
const first = randomInt(100_000, 1_000_000_000)
/** The plain example's own topic, exchange and queue. */
const names = { 'plain-': '' }

interface Example extends AsyncDisposable {
  readonly explorer: Explorer
  /** The journey of an order, once it is whole. */
  journeyOf(orderId: number, expected: Expectation): Promise<Journey>
  replay(orderId: number, ...args: readonly string[]): Promise<void>
}

/** Starts the services of one version and places the orders. */
async function startExample(plain: boolean): Promise<Example> {
  await using started = new AsyncDisposableStack()
  const explorer = started.use(await temporaryExplorer())
  const [orderPort = 0] = await freePorts(1)
  const addresses = { ...brokers(), otlpUrl: explorer.otlpUrl, orderPort, ordersDb: ':memory:' }
  const settings = { plain, burst: ORDERS, rate: 0, first }
  const fleet = createFleet(() => {})
  started.defer(() => fleet.stop())
  await startOrders(fleet, addresses, () => {}, settings)
  const running = started.move()
  return {
    explorer,
    async journeyOf(orderId, expected) {
      const never = new AbortController().signal
      const journey = await awaitJourney(explorer.url, `order-${orderId}`, expected, 60_000, never)
      assert.ok(journey)
      assert.deepEqual(missingFrom(journey, expected), [])
      return journey
    },
    replay: (orderId, ...args) => replayOrder(addresses, String(orderId), settings, args),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

describe('the orders example on plain clients', { timeout: 170_000 }, () => {
  let library: Example
  let plain: Example
  before(async () => {
    await createTopics(brokers().kafkaBrokers, [...orderTopics, ...plainOrderTopics])
    library = await startExample(false)
    plain = await startExample(true)
  })
  after(async () => {
    await plain?.[Symbol.asyncDispose]()
    await library?.[Symbol.asyncDispose]()
  })

  test('gives every order a journey of the same shape: fan-out, retry, batch, and on to RabbitMQ', async () => {
    const batches = { library: 0, plain: 0 }
    for (let orderId = first; orderId < first + ORDERS; orderId++) {
      const ofLibrary = await library.journeyOf(orderId, orderJourney)
      const ofPlain = await plain.journeyOf(orderId, orderJourney)
      assert.deepEqual(shapeOf(ofPlain, names), shapeOf(ofLibrary))
      batches.library = Math.max(batches.library, largestBatch(ofLibrary))
      batches.plain = Math.max(batches.plain, largestBatch(ofPlain))
    }
    assert.ok(batches.library > 1 && batches.plain > 1, JSON.stringify(batches))
  })

  test('answers what happened to order 4711 in the same way', async () => {
    const [ofLibrary, ofPlain] = await Promise.all(
      [library, plain].map(({ explorer }) => answersTo(explorer, first)),
    )
    assert.deepEqual(ofLibrary, [`order-${first}`, `order-${first}-paid`])
    assert.deepEqual(ofPlain, ofLibrary)
  })

  // Two things differ from here on. The library's replay reads by the driver alone, which makes no spans; a plain one is a
  // consumer like others, which has been handed every order. And it knows of no header that says what is a replay.
  const handed = 'replay CONSUMER process orders'

  test('replays an order in its own trace: what is handed on with its headers is its next hop', async () => {
    const before = shapeOf(await plain.journeyOf(first, orderJourney), names)
    await plain.replay(first)
    const replayed = shapeOf(await plain.journeyOf(first, plainReplayedJourney), names)
    const { branch, others } = cut(replayed, handed)
    const { branch: ofOrder } = cut(before, 'order PRODUCER send orders')
    assert.deepEqual(branch, [
      handed,
      '  ⇢ order PRODUCER send orders',
      // All that followed from the order follows from the replay.
      ...ofOrder.map((line) => `  ${line.replace('order PRODUCER', 'replay PRODUCER')}`),
    ])
    const [batch, ofBatch, ...rest] = before.spans
    assert.deepEqual(others, [batch, ofBatch, batch, '  ⇢ replay PRODUCER send orders', ...rest])
    assert.deepEqual(replayed.missing, [])
  })

  test('replays an order in traces of their own, as the library does, where a header says that it is one', async () => {
    const orderId = first + 1
    await library.replay(orderId)
    await plain.replay(orderId, '--header', 'throughline-replay=true')
    const ofLibrary = shapeOf(await library.journeyOf(orderId, replayedJourney))
    const ofPlain = shapeOf(await plain.journeyOf(orderId, markedReplay), names)
    const others = ofPlain.hops.filter((hop) => hop !== 'kafka order → replay orders')
    assert.deepEqual(others, ofLibrary.hops)
    assert.deepEqual(ofPlain.missing, ofLibrary.missing)

    // The replay of the other order was handed this one too.
    const reading = cut(ofPlain, handed)
    assert.deepEqual(reading.branch, [handed, '  ⇢ order PRODUCER send orders'])
    const replay = cut({ ...ofPlain, spans: reading.others }, handed)
    assert.deepEqual(replay.branch, [
      handed,
      '  ⇢ order PRODUCER send orders',
      '  replay PRODUCER send orders',
    ])
    const { branch, others: ofConsumers } = cut(ofLibrary, 'replay PRODUCER send orders')
    assert.deepEqual(branch, ['replay PRODUCER send orders', '  ⇢ replay order PRODUCER send orders'])
    assert.deepEqual(replay.others, ofConsumers)
  })
})

/** Each consumer begins traces of its own; the replay itself stays in the order's. */
const markedReplay: Expectation = { hops: plainReplayedJourney.hops, traces: replayedJourney.traces - 1 }

const largestBatch = ({ spans }: Journey): number => Math.max(...spans.map(({ batchSize }) => batchSize ?? 0))

/** Ids of the events that a search finds, sorted. */
async function answersTo(explorer: Explorer, query: number): Promise<string[]> {
  const response = await fetch(new URL(`/api/search?q=${query}`, explorer.url))
  const { journeys } = (await response.json()) as JourneyList
  return journeys.map(({ id }) => id).toSorted()
}
