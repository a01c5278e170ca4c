import { join } from 'node:path'
import { repository } from '../bootstrap/paths.mjs'
import type { Fleet } from './fleet.ts'
import type { Expectation } from './journey.ts'
import { type ServiceSpec, startService } from './service.ts'
import { inheritedEnvironment, local, plainTelemetry, printed, sourceFlags } from './services.ts'

/** The services of examples/orders, and what is to be seen of them. */

export const orderTopics = [{ name: 'orders', partitions: 3 }, { name: 'orders.dead' }]
export const plainOrderTopics = [{ name: 'plain-orders', partitions: 3 }]
/** How many are placed at once: what analytics takes in one batch. */
export const BURST = 500

const folder = join(repository, 'examples/orders')
const consumers = ['inventory', 'payment', 'notification', 'analytics', 'shipping'] as const

export interface OrderAddresses {
  readonly kafkaBrokers: string
  readonly amqpUrl: string
  readonly otlpUrl: string
  readonly orderPort: number
  /** SQLite file of the order service: its numbers go on from one run to the next, as Kafka's topics do. */
  readonly ordersDb: string
}

const viaKafka = (to: string, attempts?: number) => ({
  transport: 'kafka',
  title: 'Kafka',
  from: 'order',
  to,
  ...(attempts === undefined ? {} : { attempts }),
})

/** The way of every order. Analytics handles it with others, in a trace of their own. */
export const orderJourney: Expectation = {
  traces: 2,
  hops: [
    { transport: 'http', title: 'HTTP', from: 'customer', to: 'order' },
    viaKafka('inventory'),
    viaKafka('payment'),
    { transport: 'rabbitmq', title: 'RabbitMQ', from: 'payment', to: 'shipping' },
    viaKafka('notification', 3),
    viaKafka('analytics'),
  ],
}

/** The same once it was replayed: each consumer has handled it again. */
export const replayedJourney: Expectation = {
  // Beside the first two: the replay's own, one a consumer, and one more for each time that notification tried again.
  traces: 2 + 1 + 4 + 2,
  hops: [
    ...orderJourney.hops,
    ...[viaKafka('inventory'), viaKafka('payment'), viaKafka('notification', 3), viaKafka('analytics')].map(
      (hop) => ({ ...hop, from: 'replay' }),
    ),
  ],
}

/** Replayed on plain clients: the replay is a consumer too, and what it publishes goes on in the trace of what it read. */
export const plainReplayedJourney: Expectation = {
  // The order's, and one for each time that analytics had it in a batch.
  traces: 1 + 2,
  hops: [viaKafka('replay'), ...replayedJourney.hops],
}

/** What differs between the services on the library and those on plain clients. */
export const orderVersions = {
  library: { topics: orderTopics, burst: BURST, replayed: replayedJourney },
  // With kafkajs a letter that is tried again keeps all orders behind it waiting.
  plain: { topics: plainOrderTopics, burst: 50, replayed: plainReplayedJourney },
} as const

/** Which of them run, and how much they are given to do. */
export interface OrderSettings {
  /** The services of `plain/`, on plain clients under the instrumentation. Default false: those of `src/`. */
  readonly plain?: boolean
  /** Orders placed at once. Default BURST. */
  readonly burst?: number
  /** Orders a second after that. Default 1. */
  readonly rate?: number
  /** Number of the first order. Default 4711. */
  readonly first?: number
}

export function orderSpecs(
  { kafkaBrokers, amqpUrl, otlpUrl, orderPort, ordersDb }: OrderAddresses,
  { plain = false, burst = BURST, rate = 1, first = 4711 }: OrderSettings = {},
) {
  const telemetry = plain ? plainTelemetry : ['@throughline/example-telemetry']
  const spec = (
    name: string,
    args: readonly string[] = [],
    isReady: ServiceSpec['isReady'] = (service) => printed(service, 'subscribed'),
  ): ServiceSpec => ({
    name,
    args: [
      ...sourceFlags,
      ...telemetry.flatMap((module) => ['--import', module]),
      join(folder, plain ? 'plain' : 'src', `${name}.ts`),
      ...args,
    ],
    isReady,
    cwd: folder,
    env: {
      ...inheritedEnvironment(name, otlpUrl),
      KAFKA_BROKERS: kafkaBrokers,
      AMQP_URL: amqpUrl,
      PORT: String(orderPort),
      ORDERS_DB: ordersDb,
      ORDERS_URL: `http://${local(orderPort)}/orders`,
    },
  })
  return {
    consumers: consumers.map((name) => spec(name)),
    order: spec('order', ['--first', `${first}`], (service) => printed(service, 'listening')),
    customer: spec('customer', ['--burst', `${burst}`, '--rate', `${rate}`], () => true),
    replay: (orderId: string, args: readonly string[] = []) =>
      spec('replay', ['--order', orderId, ...args], () => true),
  }
}

/** Starts them in the order of their dependence. `onOrder` is given the number of each order that was taken. */
export async function startOrders(
  fleet: Fleet,
  addresses: OrderAddresses,
  onOrder: (orderId: string) => void,
  settings?: OrderSettings,
): Promise<void> {
  const specs = orderSpecs(addresses, settings)
  await Promise.all([...specs.consumers, specs.order].map((spec) => fleet.start(spec)))
  await fleet.start({ ...specs.customer, onLine: onOrder })
}

/** Replays one order. Rejects with what the command said last where it failed. `args`: more of the command's. */
export async function replayOrder(
  addresses: OrderAddresses,
  orderId: string,
  settings?: OrderSettings,
  args?: readonly string[],
): Promise<void> {
  const service = startService(orderSpecs(addresses, settings).replay(orderId, args), () => {})
  const { code } = await service.exited
  if (code !== 0) throw new Error(`the replay of order ${orderId} failed:\n${service.lastLines.join('\n')}`)
}
