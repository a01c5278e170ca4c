import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import { after, before, describe, test } from 'node:test'
import { AmqplibInstrumentation, RabbitmqClientInstrumentation } from '@throughline/instrumentation'
import { eventually, recordSpans, type SpanNode, withSpans } from '@throughline/testkit'
import { type SecureRabbitmq, startSecureRabbitmq } from './support/secure-rabbitmq.ts'

recordSpans()
for (const make of [AmqplibInstrumentation, RabbitmqClientInstrumentation]) new make()
const load = createRequire(import.meta.url)
const amqplib = load('amqplib') as typeof import('amqplib')
const { Connection } = load('rabbitmq-client') as typeof import('rabbitmq-client')
// It loads its driver, which is to be wrapped before.
const { rabbitmq } = await import('@throughline/rabbitmq')

/** rabbitmq-client takes no user for an empty one. */
function withUser(url: string): string {
  const { username, password } = new URL(url)
  const user = username === '' ? { username: 'guest', password: 'guest' } : { username, password }
  return Object.assign(new URL(url), user).href
}
const url = withUser(process.env.AMQP_URL ?? '')

describe('clients of RabbitMQ under their instrumentation, over TLS', () => {
  let secure: SecureRabbitmq
  before(async () => {
    secure = await startSecureRabbitmq()
  })
  after(() => secure?.[Symbol.asyncDispose]())

  /** Sends one message to a queue and handles it. */
  const clients: Readonly<Record<string, (queue: string) => Promise<void>>> = {
    async amqplib(queue) {
      const connection = await amqplib.connect(secure.url, { ca: [secure.ca] })
      const channel = await connection.createConfirmChannel()
      await channel.assertQueue(queue, { exclusive: true })
      const handled = Promise.withResolvers<void>()
      await channel.consume(queue, (message) => {
        if (message === null) return
        channel.ack(message)
        handled.resolve()
      })
      channel.sendToQueue(queue, Buffer.from('1'))
      await channel.waitForConfirms()
      await handled.promise
      await connection.close()
    },
    async 'rabbitmq-client'(queue) {
      const connection = new Connection({ url: withUser(secure.url), tls: { ca: secure.ca } })
      const queueOptions = { exclusive: true }
      await connection.queueDeclare({ queue, ...queueOptions })
      const handled = Promise.withResolvers<void>()
      const consumer = connection.createConsumer({ queue, queueOptions }, () => handled.resolve())
      const publisher = connection.createPublisher({ confirm: true })
      await publisher.send(queue, '1')
      await handled.promise
      for (const each of [consumer, publisher, connection]) await each.close()
    },
  }

  for (const [name, roundTrip] of Object.entries(clients)) {
    test(`${name}: contexts go through, and spans name the broker and no secret`, () =>
      withSpans(async (spans) => {
        const queue = randomUUID()
        await roundTrip(queue)
        await eventually(() => assert.equal(spans.finished().length, 2))
        const { hostname, port } = new URL(secure.url)
        const attributes = (operation: string, type: string) => ({
          'messaging.system': 'rabbitmq',
          'messaging.operation.name': operation,
          'messaging.operation.type': type,
          'messaging.destination.name': queue,
          'messaging.rabbitmq.destination.routing_key': queue,
          'server.address': hostname,
          'server.port': Number(port),
        })
        const publish = `publish ${queue}`
        const process: SpanNode = {
          name: `process ${queue}`,
          kind: 'CONSUMER',
          trace: 1,
          parent: publish,
          links: [{ to: publish }],
          attributes: {
            ...attributes('process', 'process'),
            'messaging.rabbitmq.message.delivery_tag': 1,
            'throughline.sent_at_source': 'header',
            'throughline.outcome': 'accept',
          },
        }
        assert.deepEqual(spans.tree({ omit: ['throughline.sent_at'] }), [
          {
            name: publish,
            kind: 'PRODUCER',
            trace: 1,
            parent: null,
            attributes: attributes('publish', 'send'),
            children: [process],
          },
        ])
      }))
  }
})

test('the library and rabbitmq-client itself in one process have one span each for what they send and handle', () =>
  withSpans(async (spans) => {
    const [byLibrary, byClient] = [randomUUID(), randomUUID()]
    const connection = new Connection(url)
    const broker = rabbitmq({ url })
    const closables: { close(): Promise<void> }[] = [connection, broker]
    try {
      await connection.queueDeclare({ queue: byLibrary, autoDelete: true })
      const queueOptions = { autoDelete: true }
      await connection.queueDeclare({ queue: byClient, ...queueOptions })
      const handled: string[] = []
      const consumer = connection.createConsumer({ queue: byClient, queueOptions }, ({ body }) => {
        handled.push(`client ${body}`)
      })
      const publisher = connection.createPublisher({ confirm: true })
      closables.push(consumer, publisher)
      await broker.subscribe({ queue: byLibrary, raw: true }, ({ body }) => {
        handled.push(`library ${Buffer.from(body ?? [])}`)
      })
      // Each is read by the other.
      await publisher.send(byLibrary, Buffer.from('1'))
      await broker.publisher({ routingKey: byClient }).publish({ body: Buffer.from('2'), headers: [] })
      await eventually(() => assert.deepEqual(handled.toSorted(), ['client 2', 'library 1']))
      await eventually(() => assert.equal(spans.finished().length, 4))
    } finally {
      for (const each of closables.reverse()) await each.close()
    }
    const chains = spans
      .tree()
      .map(({ name, children = [] }) => [name, ...children.map((child) => child.name)])
    assert.deepEqual(
      chains.toSorted(),
      [
        [`publish ${byClient}`, `process ${byClient}`],
        [`publish ${byLibrary}`, `process ${byLibrary}`],
      ].toSorted(),
    )
    const scopes = spans.finished().map((span) => `${span.name} ${span.instrumentationScope.name}`)
    assert.deepEqual(
      scopes.toSorted(),
      [
        `publish ${byLibrary} @throughline/instrumentation`,
        `process ${byLibrary} @throughline/core`,
        `publish ${byClient} @throughline/core`,
        `process ${byClient} @throughline/instrumentation`,
      ].toSorted(),
    )
  }))
