import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type {
  BatchHandler,
  BatchOptions,
  Broker,
  ConsumeOptions,
  EventHandler,
  EventPublisher,
  Publisher,
  PublishTelemetry,
  Subscription,
  Transport,
} from '@throughline/core'
import { http } from '@throughline/http'
import { kafka } from '@throughline/kafka'
import { type MqttOptions, mqtt } from '@throughline/mqtt'
import { rabbitmq } from '@throughline/rabbitmq'
import { createTopics } from '../../scripts/brokers/topics.ts'
import { brokers } from '../support/pipeline.ts'

/** One destination of one transport, with its broker connection. Subscribe before publishing: not every transport keeps what nobody reads. */
export interface Line extends AsyncDisposable {
  /** What spans call it: `readings-1b652184`, once for publishers and, where that differs, once for each consumer so far. */
  readonly names: readonly string[]
  readonly transport: Transport<never, never>
  publisher(telemetry?: PublishTelemetry): EventPublisher
  /** The driver without tracing: what a stranger publishes with. */
  stranger(): Publisher
  /** Each consumer gets every message. */
  subscribe(consumer: string, options: ConsumeOptions, handler: EventHandler): Promise<Subscription>
  subscribeBatch(consumer: string, options: BatchOptions, handler: BatchHandler): Promise<Subscription>
}

/** One transport, as these tests use it. */
export interface Leg {
  /** What titles call it. */
  readonly system: string
  /** False where a message has one receiver. */
  readonly fansOut: boolean
  /** False where a failure is answered, and trying again is the sender's. */
  readonly redelivers: boolean
  open(name?: string): Promise<Line>
}

/** Messages in flight; more than the largest batch of these tests. */
const WINDOW = 1000

const freshName = (name: string) => `${name}-${randomUUID().slice(0, 8)}`

/** The parts of a line that are the same code for each transport, from how its options name the destination. */
function lineOf<P extends object, S extends object>(
  broker: Broker<P, S>,
  options: { readonly publisher: () => P; readonly subscriber: (consumer: string) => S },
): Pick<
  Line,
  'transport' | 'publisher' | 'stranger' | 'subscribe' | 'subscribeBatch' | typeof Symbol.asyncDispose
> {
  return {
    transport: broker.transport,
    publisher: (telemetry = {}) => broker.publisher({ ...telemetry, ...options.publisher() }),
    stranger: () => broker.transport.publisher(options.publisher()),
    subscribe: (consumer, consume, handler) =>
      broker.subscribe({ ...consume, ...options.subscriber(consumer) }, handler),
    subscribeBatch: (consumer, batch, handler) =>
      broker.subscribeBatch({ ...batch, ...options.subscriber(consumer) }, handler),
    [Symbol.asyncDispose]: () => broker.close(),
  }
}

const httpLeg: Leg = {
  system: 'http',
  fansOut: false,
  redelivers: false,
  async open(name = 'readings') {
    const broker = http({ listen: '127.0.0.1:0' })
    const path = `/${freshName(name)}`
    const { transport } = broker
    const url = () => {
      const address = 'address' in transport && typeof transport.address === 'function' && transport.address()
      assert.ok(address, 'an HTTP line listens once it has a subscriber')
      return `http://127.0.0.1:${address.port}${path}`
    }
    return {
      names: [path],
      ...lineOf(broker, {
        // A failure is answered, and what then is asked here.
        publisher: () => ({ url: url(), maxConnections: WINDOW, retry: false }),
        subscriber: () => ({ path, window: WINDOW }),
      }),
    }
  },
}

const kafkaLeg: Leg = {
  system: 'kafka',
  fansOut: true,
  redelivers: true,
  async open(name = 'readings') {
    const { kafkaBrokers } = brokers()
    const topic = freshName(name)
    await createTopics(kafkaBrokers, [{ name: topic }])
    const broker = kafka({ brokers: kafkaBrokers, clientId: 'rules' })
    return {
      names: [topic],
      ...lineOf(broker, {
        publisher: () => ({ topic }),
        subscriber: (consumer) => ({ topics: [topic], group: `${topic}-${consumer}` }),
      }),
    }
  },
}

/** MQTT as `options` speak it. */
const mqttLeg = (system: string, options: Partial<MqttOptions>): Leg => ({
  system,
  fansOut: true,
  redelivers: true,
  async open(name = 'readings') {
    const { mqttUrl } = brokers()
    const topic = freshName(name)
    const broker = mqtt({ url: mqttUrl, clientId: topic, ...options })
    return {
      names: [topic],
      ...lineOf(broker, {
        publisher: () => ({ topic }),
        subscriber: (consumer) => ({ topics: [topic], session: consumer, clean: true, window: WINDOW }),
      }),
    }
  },
})

const rabbitmqLeg: Leg = {
  system: 'rabbitmq',
  fansOut: true,
  redelivers: true,
  async open(name = 'readings') {
    const exchange = freshName(name)
    const exchanges = [{ name: exchange, type: 'fanout', autoDelete: true }]
    const broker = rabbitmq({ url: brokers().amqpUrl, connectionName: 'rules' })
    const names = [exchange]
    return {
      names,
      ...lineOf(broker, {
        publisher: () => ({ exchange, declare: { exchanges } }),
        subscriber(consumer) {
          const queue = `${exchange}-${consumer}`
          names.push(`${exchange}:${queue}`)
          const queues = [{ name: queue, autoDelete: true }]
          const declare = { exchanges, queues, bindings: [{ exchange, queue }] }
          return { queue, declare, window: WINDOW }
        },
      }),
    }
  },
}

export const legs: readonly Leg[] = [
  httpLeg,
  kafkaLeg,
  mqttLeg('mqtt', {}),
  mqttLeg('mqtt 3.1.1', { protocolVersion: 4, envelope: true }),
  rabbitmqLeg,
]
