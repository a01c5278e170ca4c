import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, request } from 'node:http'
import {
  Consumer,
  MessagesStreamModes,
  ProduceAcks,
  Producer,
  stringDeserializers,
  stringSerializers,
} from '@platformatic/kafka'
import { connectAsync } from 'mqtt'
import { Connection } from 'rabbitmq-client'
import { CONTENT_TYPE, type Connect, headersOf, type Link } from './link.ts'

/** The same messages by each transport's own client, as one would write it without the library. */
export const bare: Readonly<Record<string, Connect>> = {
  async loopback(_place, onMessage) {
    return {
      async publish(numbers) {
        for (const number of numbers) {
          const headers = headersOf(number, (name) => `ce_${name}`)
          onMessage(headers.find(([name]) => name === 'ce_id')?.[1] ?? '')
        }
      },
      close: async () => {},
    }
  },

  async http({ name }, onMessage) {
    const server = createServer((incoming, response) => {
      const chunks: Uint8Array[] = []
      incoming.on('data', (chunk: Uint8Array) => chunks.push(chunk))
      incoming.on('end', () => {
        onMessage(String(incoming.headers['ce-id']))
        response.writeHead(204).end()
      })
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const address = server.address()
    const port = address !== null && typeof address === 'object' ? address.port : 0
    const agent = new Agent({ keepAlive: true, maxSockets: 64 })
    const post = (number: number, body: Uint8Array) =>
      new Promise<void>((resolve, reject) => {
        const headers = {
          ...Object.fromEntries(headersOf(number, (attribute) => `ce-${attribute}`)),
          'content-type': CONTENT_TYPE,
          'content-length': body.byteLength,
        }
        const options = { agent, host: '127.0.0.1', port, path: `/${name}`, method: 'POST', headers }
        request(options, (response: IncomingMessage) => void response.resume().on('end', resolve))
          .on('error', reject)
          .end(body)
      })
    return {
      publish: (numbers, body) => Promise.all(numbers.map((number) => post(number, body))),
      async close() {
        agent.destroy()
        await new Promise((closed) => server.close(closed))
      },
    }
  },

  async kafka({ kafkaBrokers, name }, onMessage): Promise<Link> {
    const client = { clientId: name, bootstrapBrokers: kafkaBrokers.split(',') }
    const bytes = { value: (data?: Buffer) => data }
    const producer = new Producer({ ...client, serializers: { ...stringSerializers, ...bytes } })
    const consumer = new Consumer({
      ...client,
      groupId: name,
      deserializers: { ...stringDeserializers, ...bytes },
    })
    const stream = await consumer.consume({
      topics: [name],
      mode: MessagesStreamModes.EARLIEST,
      autocommit: 200,
    })
    stream.on('data', ({ headers }) => onMessage(headers.get('ce_id') ?? ''))
    return {
      publish(numbers, body) {
        const value = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
        const messages = numbers.map((number) => {
          const headers = new Map(headersOf(number, (attribute) => `ce_${attribute}`))
          return { topic: name, value, headers: headers.set('content-type', CONTENT_TYPE) }
        })
        return producer.send({ acks: ProduceAcks.ALL, messages })
      },
      async close() {
        await stream.close()
        await consumer.close()
        await producer.close()
      },
    }
  },

  async mqtt({ mqttUrl, name }, onMessage) {
    const options = { protocolVersion: 5, clean: true, reconnectPeriod: 0 } as const
    const consumer = await connectAsync(mqttUrl, { ...options, clientId: `${name}-sub` })
    consumer.on('message', (_topic, _payload, { properties }) =>
      onMessage(String(properties?.userProperties?.id)),
    )
    await consumer.subscribeAsync(name, { qos: 1 })
    const publisher = await connectAsync(mqttUrl, { ...options, clientId: `${name}-pub` })
    return {
      publish(numbers, body) {
        const payload = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
        return Promise.all(
          numbers.map((number) => {
            const userProperties = Object.fromEntries(headersOf(number, (attribute) => attribute))
            const properties = { userProperties, contentType: CONTENT_TYPE }
            return publisher.publishAsync(name, payload, { qos: 1, properties })
          }),
        )
      },
      async close() {
        await publisher.endAsync()
        await consumer.endAsync()
      },
    }
  },

  async rabbitmq({ amqpUrl, name }, onMessage) {
    const url = new URL(amqpUrl)
    // The client takes a URL without a user for one with an empty one.
    if (url.username === '') Object.assign(url, { username: 'guest', password: 'guest' })
    const connection = new Connection(url.href)
    await connection.onConnect()
    const consumer = connection.createConsumer(
      { queue: name, queueOptions: { durable: true }, qos: { prefetchCount: 256 } },
      ({ headers }) => onMessage(String(headers?.['cloudEvents:id'])),
    )
    await once(consumer, 'ready')
    const publisher = connection.createPublisher({ confirm: true })
    return {
      publish(numbers, body) {
        const content = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
        return Promise.all(
          numbers.map((number) => {
            const headers = Object.fromEntries(headersOf(number, (attribute) => `cloudEvents:${attribute}`))
            const envelope = { routingKey: name, durable: true, mandatory: true, contentType: CONTENT_TYPE }
            return publisher.send({ ...envelope, headers }, content)
          }),
        )
      },
      async close() {
        await consumer.close()
        await publisher.close()
        await connection.close()
      },
    }
  },
}
