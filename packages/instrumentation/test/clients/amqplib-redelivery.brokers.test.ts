import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import { recordMetrics, type SpanNode, tcpProxy, withSpans } from '@throughline/testkit'
import type { ChannelModel } from 'amqplib'
import { amqp, onBroker } from '../support/amqplib.ts'
import { ended, OMIT, url } from '../support/rabbitmq.ts'

const omit = [
  ...OMIT,
  'server.address',
  'server.port',
  'messaging.system',
  'messaging.operation.name',
  'messaging.operation.type',
  'messaging.destination.name',
  'messaging.rabbitmq.destination.routing_key',
  'messaging.rabbitmq.message.delivery_tag',
]

/** Only what tells attempts apart. */
const attempts = (nodes: readonly SpanNode[] | undefined) =>
  nodes?.map(({ name, links, attributes }) => ({ name, links, attributes }))

describe('amqplib: messages that come again', () => {
  test(
    'what was requeued is another attempt with the same parent, linked to the one before',
    onBroker(async ({ channel, queue }, spans) => {
      const orders = await queue()
      let handled = 0
      await channel.consume(orders, (message) => {
        if (message === null) return
        if (++handled < 3) channel.nack(message)
        else channel.ack(message)
      })
      channel.sendToQueue(orders, Buffer.from('1'))
      await ended(`process ${orders}`, 3)
      const [send] = spans.tree({ omit })
      const [publish, process] = [`publish ${orders}`, `process ${orders}`]
      assert.deepEqual(attempts(send?.children), [
        { name: process, links: [{ to: publish }], attributes: { 'throughline.outcome': 'release' } },
        {
          name: process,
          links: [{ to: publish }, { to: process, attributes: { retry: true } }],
          attributes: { 'throughline.attempt': 2, 'throughline.outcome': 'release' },
        },
        {
          name: process,
          links: [{ to: publish }, { to: `${process}#2`, attributes: { retry: true } }],
          attributes: { 'throughline.attempt': 3, 'throughline.outcome': 'accept' },
        },
      ])
    }),
  )

  test(
    'what was not acknowledged when its channel closed is linked to its first attempt, on another connection too',
    onBroker(async ({ connection, channel }, spans) => {
      const { queue: orders } = await channel.assertQueue(`orders-${randomUUID()}`, { expires: 60_000 })
      const first = await connection.createChannel()
      await first.consume(orders, () => {})
      channel.sendToQueue(orders, Buffer.from('1'))
      await ended(`process ${orders}`)
      await first.close()
      const other = await amqp.connect(url)
      const second = await other.createChannel()
      await second.consume(orders, (message) => message && second.ack(message))
      await ended(`process ${orders}`, 2)
      await other.close()
      await channel.deleteQueue(orders)
      const [send] = spans.tree({ omit })
      assert.deepEqual(attempts(send?.children)?.at(1), {
        name: `process ${orders}`,
        links: [{ to: `publish ${orders}` }, { to: `process ${orders}`, attributes: { retry: true } }],
        attributes: { 'throughline.attempt': 2, 'throughline.outcome': 'accept' },
      })
    }),
  )

  test('what was being handled when the connection was lost is tried again by the one that amqplib makes anew', async () => {
    await using proxy = await tcpProxy({ target: new URL(url).host })
    await withSpans(async (spans) => {
      const metrics = recordMetrics()
      const orders = `orders-${randomUUID()}`
      let handled = 0
      const connection = await amqp.connect(`amqp://127.0.0.1:${proxy.port}`, {
        recovery: {
          initialDelay: 20,
          setup: async (made: ChannelModel) => {
            const channel = await made.createChannel()
            await channel.assertQueue(orders, { expires: 60_000 })
            await channel.consume(orders, (message) => {
              if (message !== null && ++handled > 1) channel.ack(message)
            })
          },
        },
      })
      // What a lost connection is told by; the next one is made all the same.
      connection.on('error', () => {})
      const sender = await connection.createChannel()
      sender.on('error', () => {})
      sender.sendToQueue(orders, Buffer.from('1'))
      await ended(`process ${orders}`)
      proxy.cut()
      await ended(`process ${orders}`, 2)
      const channel = await connection.createChannel()
      await channel.deleteQueue(orders)
      await connection.close()
      const [send] = spans.tree({ omit })
      assert.deepEqual(attempts(send?.children), [
        { name: `process ${orders}`, links: [{ to: `publish ${orders}` }], attributes: undefined },
        {
          name: `process ${orders}`,
          links: [{ to: `publish ${orders}` }, { to: `process ${orders}`, attributes: { retry: true } }],
          attributes: { 'throughline.attempt': 2, 'throughline.outcome': 'accept' },
        },
      ])
      for (const { attributes } of spans.finished()) {
        assert.deepEqual([attributes['server.address'], attributes['server.port']], ['127.0.0.1', proxy.port])
      }
      // A message has waited once, however often it is handled.
      const counts = (await metrics.series()).map(({ name, count }) => [name, count])
      await metrics.stop()
      assert.deepEqual(counts, [
        ['messaging.client.sent.messages', 1],
        ['messaging.client.operation.duration', 1],
        ['messaging.client.consumed.messages', 1],
        ['messaging.process.duration', 2],
        ['throughline.queue.duration', 1],
      ])
    })
  })

  test(
    'a redelivery whose first attempt was elsewhere says so',
    onBroker(async ({ connection, channel, queue }, spans) => {
      const orders = await queue()
      const other = await connection.createChannel()
      channel.sendToQueue(orders, Buffer.from('1'))
      await other.get(orders)
      await other.close()
      await channel.consume(orders, (message) => message && channel.ack(message))
      await ended(`process ${orders}`)
      const [process] = spans.named(`process ${orders}`)
      assert.equal(process?.attributes['throughline.redelivered'], true)
      assert.equal(process?.attributes['throughline.attempt'], undefined)
    }),
  )

  test(
    'a quorum queue’s own count of deliveries is the attempt',
    onBroker(async ({ connection, channel }, spans) => {
      const name = `orders-${randomUUID()}`
      const { queue: orders } = await channel.assertQueue(name, { arguments: { 'x-queue-type': 'quorum' } })
      const elsewhere = await connection.createChannel()
      channel.sendToQueue(orders, Buffer.from('1'))
      for (let delivery = 0; delivery < 2; ) {
        const message = await elsewhere.get(orders)
        if (message === false) continue
        elsewhere.nack(message)
        delivery++
      }
      await channel.consume(orders, (message) => message && channel.ack(message))
      await ended(`process ${orders}`)
      await channel.deleteQueue(orders)
      const [process] = spans.named(`process ${orders}`)
      assert.equal(process?.attributes['throughline.attempt'], 3)
    }),
  )

  test(
    'what the broker gave to a dead letter exchange goes on in its trace, linked to the attempt that rejected it',
    onBroker(async ({ channel, queue }, spans) => {
      const dead = await queue()
      const orders = await queue({ deadLetterExchange: '', deadLetterRoutingKey: dead })
      await channel.consume(orders, (message) => message && channel.nack(message, false, false))
      await channel.consume(dead, (message) => message && channel.ack(message))
      channel.sendToQueue(orders, Buffer.from('1'))
      await ended(`process ${dead}`)
      const [send] = spans.tree({ omit })
      assert.deepEqual(attempts(send?.children), [
        {
          name: `process ${orders}`,
          links: [{ to: `publish ${orders}` }],
          attributes: { 'throughline.outcome': 'reject' },
        },
        {
          name: `process ${dead}`,
          links: [
            { to: `publish ${orders}` },
            { to: `process ${orders}`, attributes: { dead_letter: true } },
          ],
          attributes: {
            'throughline.dead_letter': true,
            'throughline.dead_letter.reason': 'rejected',
            'throughline.outcome': 'accept',
          },
        },
      ])
    }),
  )

  test(
    'what comes back to its queue by way of a dead letter exchange is tried again, and is no dead letter',
    onBroker(async ({ channel, queue }, spans) => {
      const orders = `orders-${randomUUID()}`
      const pause = await queue({ messageTtl: 1, deadLetterExchange: '', deadLetterRoutingKey: orders })
      await channel.assertQueue(orders, {
        exclusive: true,
        deadLetterExchange: '',
        deadLetterRoutingKey: pause,
      })
      let handled = 0
      await channel.consume(orders, (message) => {
        if (message === null) return
        if (++handled < 3) channel.reject(message, false)
        else channel.ack(message)
      })
      channel.sendToQueue(orders, Buffer.from('1'))
      await ended(`process ${orders}`, 3)
      const last = spans.named(`process ${orders}`)[2]
      assert.equal(last?.attributes['throughline.attempt'], 3)
      assert.equal(last?.attributes['throughline.dead_letter'], undefined)
      assert.deepEqual(last?.links.at(-1)?.attributes, { retry: true })
    }),
  )
})
