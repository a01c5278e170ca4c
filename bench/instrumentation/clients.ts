import { once } from 'node:events'
import { createRequire } from 'node:module'
import type * as PlatformaticKafka from '@platformatic/kafka'
import type * as Amqplib from 'amqplib'
import type * as KafkaJs from 'kafkajs'
import type * as Mqtt from 'mqtt'
import type * as RabbitmqClient from 'rabbitmq-client'
import type { Connect, Link } from '../overhead/link.ts'
import type { Tracing } from './tracing.ts'

/** Loaded when they are asked for, and so after the instrumentation. */
const load = createRequire(import.meta.url)

/** A plain service on each client, as one would write it, with what it does itself for a trace. */
export const clientsWith = ({ headersOf, handle }: Tracing): Readonly<Record<string, Connect>> => ({
  async kafkajs({ kafkaBrokers, name }, onMessage): Promise<Link> {
    process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1'
    const { Kafka, logLevel } = load('kafkajs') as typeof KafkaJs
    const kafka = new Kafka({
      brokers: kafkaBrokers.split(','),
      clientId: name,
      logLevel: logLevel.ERROR,
    })
    const consumer = kafka.consumer({ groupId: name })
    await consumer.connect()
    await consumer.subscribe({ topics: [name], fromBeginning: true })
    await consumer.run({
      eachMessage: async ({ message: { headers } }) => handle((name) => headers?.[name], onMessage),
    })
    const producer = kafka.producer()
    await producer.connect()
    return {
      publish(numbers, body) {
        const value = bufferOf(body)
        const messages = numbers.map((number) => ({ value, headers: headersOf(number) }))
        return producer.send({ topic: name, messages })
      },
      async close() {
        await consumer.disconnect()
        await producer.disconnect()
      },
    }
  },

  async 'platformatic-kafka'({ kafkaBrokers, name }, onMessage): Promise<Link> {
    const kafka = load('@platformatic/kafka') as typeof PlatformaticKafka
    const client = { clientId: name, bootstrapBrokers: kafkaBrokers.split(',') }
    const bytes = { value: (data?: Buffer) => data }
    const producer = new kafka.Producer({ ...client, serializers: { ...kafka.stringSerializers, ...bytes } })
    const consumer = new kafka.Consumer({
      ...client,
      groupId: name,
      deserializers: { ...kafka.stringDeserializers, ...bytes },
    })
    const mode = kafka.MessagesStreamModes.EARLIEST
    const stream = await consumer.consume({ topics: [name], mode, autocommit: 200 })
    stream.on('data', ({ headers }) => handle((name) => headers.get(name), onMessage))
    return {
      publish(numbers, body) {
        const value = bufferOf(body)
        const messages = numbers.map((number) => ({
          topic: name,
          value,
          headers: new Map(Object.entries(headersOf(number))),
        }))
        return producer.send({ acks: kafka.ProduceAcks.ALL, messages })
      },
      async close() {
        await stream.close()
        await consumer.close()
        await producer.close()
      },
    }
  },

  async mqtt({ mqttUrl, name }, onMessage): Promise<Link> {
    const { connectAsync } = load('mqtt') as typeof Mqtt
    const options = { protocolVersion: 5, clean: true, reconnectPeriod: 0 } as const
    const consumer = await connectAsync(mqttUrl, { ...options, clientId: `${name}-sub` })
    consumer.on('message', (_topic, _payload, { properties }) =>
      handle((name) => properties?.userProperties?.[name], onMessage),
    )
    await consumer.subscribeAsync(name, { qos: 1 })
    const publisher = await connectAsync(mqttUrl, { ...options, clientId: `${name}-pub` })
    return {
      publish: (numbers, body) =>
        Promise.all(
          numbers.map((number) => {
            const properties = { userProperties: headersOf(number) }
            return publisher.publishAsync(name, bufferOf(body), { qos: 1, properties })
          }),
        ),
      async close() {
        await publisher.endAsync()
        await consumer.endAsync()
      },
    }
  },

  async amqplib({ amqpUrl, name }, onMessage): Promise<Link> {
    const { connect } = load('amqplib') as typeof Amqplib
    const connection = await connect(amqpUrl)
    const consuming = await connection.createChannel()
    await consuming.assertQueue(name, { durable: true })
    await consuming.prefetch(256)
    await consuming.consume(name, (message) => {
      if (message === null) return
      handle((name) => message.properties.headers?.[name], onMessage)
      consuming.ack(message)
    })
    const publishing = await connection.createConfirmChannel()
    return {
      async publish(numbers, body) {
        const content = bufferOf(body)
        for (const number of numbers) {
          publishing.sendToQueue(name, content, { persistent: true, headers: headersOf(number) })
        }
        await publishing.waitForConfirms()
      },
      close: () => connection.close(),
    }
  },

  async 'rabbitmq-client'({ amqpUrl, name }, onMessage): Promise<Link> {
    const { Connection } = load('rabbitmq-client') as typeof RabbitmqClient
    const url = new URL(amqpUrl)
    // The client takes a URL without a user for one with an empty one.
    if (url.username === '') Object.assign(url, { username: 'guest', password: 'guest' })
    const connection = new Connection(url.href)
    await connection.onConnect()
    const consumer = connection.createConsumer(
      { queue: name, queueOptions: { durable: true }, qos: { prefetchCount: 256 } },
      ({ headers }) => handle((name) => headers?.[name], onMessage),
    )
    await once(consumer, 'ready')
    const publisher = connection.createPublisher({ confirm: true })
    return {
      publish: (numbers, body) =>
        Promise.all(
          numbers.map((number) =>
            publisher.send({ routingKey: name, durable: true, headers: headersOf(number) }, bufferOf(body)),
          ),
        ),
      async close() {
        await consumer.close()
        await publisher.close()
        await connection.close()
      },
    }
  },
})

function bufferOf(body: Uint8Array): Buffer {
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength)
}
