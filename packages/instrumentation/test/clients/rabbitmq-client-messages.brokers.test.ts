import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { trace } from '@opentelemetry/api'
import { eventually, tcpProxy, withSpans } from '@throughline/testkit'
import type { AsyncMessage, Connection as Client } from 'rabbitmq-client'
import { ended, OMIT, returnedSpan, url } from '../support/rabbitmq.ts'
import { address, Connection, ConsumerStatus, onBroker } from '../support/rabbitmq-client.ts'

const tracer = trace.getTracer('test')
const OWN = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

/** The next message of a queue, as it came. */
async function delivered(connection: Client, queue: string) {
  return await eventually(async () => {
    const message = await connection.basicGet({ queue, noAck: true })
    assert.ok(message)
    return message
  })
}

describe('rabbitmq-client: messages and connections', () => {
  test(
    'an envelope of the application is not changed, and what it holds arrives',
    onBroker(async ({ connection, queue, closing }) => {
      const orders = await queue()
      const headers = Object.freeze({ tenant: 'eu', count: 3, nested: Object.freeze({ deep: true }) })
      const envelope = Object.freeze({ routingKey: orders, headers, durable: true, correlationId: 'c-1' })
      await closing(connection.createPublisher()).send(envelope, Buffer.from([0xff, 0x00]))
      const message = await delivered(connection, orders)
      const { traceparent, 'throughline-sent-at': sentAt, ...rest } = message.headers ?? {}
      assert.match(traceparent, /^00-/)
      assert.match(sentAt, /^\d{16}$/)
      assert.deepEqual(rest, headers)
      assert.deepEqual(message.body, Buffer.from([0xff, 0x00]))
      assert.equal(message.correlationId, 'c-1')
      assert.equal(message.durable, true)
    }),
  )

  test(
    'a context that the application has written itself is kept and linked to; a copied one is replaced',
    onBroker(async ({ connection, queue, closing }, spans) => {
      const [orders, invoices] = [await queue(), await queue()]
      const publisher = closing(connection.createPublisher({ confirm: true }))
      closing(
        connection.createConsumer({ queue: orders }, async ({ headers = {} }) => {
          await publisher.send({ routingKey: invoices, headers }, '2')
        }),
      )
      await publisher.send({ routingKey: orders, headers: { traceparent: OWN } }, '1')
      const { headers } = await delivered(connection, invoices)
      await ended(`process ${orders}`)
      const [first] = spans.named(`publish ${orders}`)
      assert.equal(first?.links[0]?.context.spanId, 'b7ad6b7169203331')
      const [second] = spans.named(`publish ${invoices}`)
      assert.ok(String(headers?.traceparent).includes(second?.spanContext().spanId ?? 'none'))
      assert.deepEqual(second?.links, [])
      assert.equal(second?.spanContext().traceId, '0af7651916cd43dd8448eb211c80319c')
    }),
  )

  test(
    'messages that are handled at once each have their own context',
    onBroker(async ({ connection, queue, closing }, spans) => {
      const [orders, invoices] = [await queue(), await queue()]
      const publisher = closing(connection.createPublisher())
      closing(
        connection.createConsumer({ queue: orders, concurrency: 20 }, async ({ body }) => {
          await new Promise((resolve) => setTimeout(resolve, Math.random() * 10))
          await publisher.send(invoices, body)
        }),
      )
      await Promise.all(
        Array.from({ length: 100 }, (_, order) =>
          tracer.startActiveSpan('order', async (span) => {
            await publisher.send(orders, String(order))
            span.end()
          }),
        ),
      )
      await ended(`process ${orders}`, 100)
      const traces = new Set(spans.named('order').map((span) => span.spanContext().traceId))
      assert.equal(traces.size, 100)
      for (const span of spans.named(`publish ${invoices}`)) {
        assert.ok(traces.delete(span.spanContext().traceId), 'each trace has one invoice')
      }
    }),
  )

  test(
    'a publisher that tries again is one span; its event tells of the application’s own envelope',
    onBroker(async ({ connection, queue, closing }, spans) => {
      const orders = await queue()
      const publisher = closing(connection.createPublisher({ confirm: true, maxAttempts: 2 }))
      const retried: unknown[] = []
      publisher.on('retry', (_error: unknown, envelope: unknown) => retried.push(envelope))
      const envelope = { exchange: 'no-such-exchange', routingKey: orders }
      await assert.rejects(publisher.send(envelope, '1'), { code: 'NOT_FOUND' })
      assert.equal(retried[0], envelope)
      const [send, ...more] = spans.finished()
      assert.deepEqual(more, [])
      assert.equal(send?.status.code, 2)
      assert.equal(send?.attributes['error.type'], 'NOT_FOUND')
    }),
  )

  test(
    'an envelope of an own class goes out as the client copies it, without what its getters answer',
    onBroker(async ({ connection, queue, closing }) => {
      const orders = await queue()
      class Envelope {
        routingKey = orders
        get messageId(): string {
          throw new Error('what nobody asks for is not loaded')
        }
      }
      const publisher = closing(connection.createPublisher({ confirm: true }))
      await publisher.send(new Envelope(), '1')
      const message = await connection.basicGet({ queue: orders, noAck: true })
      assert.equal(message?.messageId, undefined)
      assert.match(message?.headers?.traceparent, /^00-/)
    }),
  )

  for (const by of ['publisher', 'channel'] as const) {
    test(
      `a mandatory message of a ${by} that no queue takes is a failed span, though it is confirmed`,
      onBroker(async ({ connection, closing }, spans) => {
        const route = { exchange: 'amq.direct', routingKey: `nowhere-${randomUUID()}` }
        const publisher = closing(connection.createPublisher({ confirm: true }))
        const channel = closing(await connection.acquire())
        await channel.confirmSelect()
        const returned = once(by === 'publisher' ? publisher : channel, 'basic.return')
        const envelope = Object.freeze({ ...route, mandatory: true })
        if (by === 'publisher') await publisher.send(envelope, '1')
        else await channel.basicPublish(envelope, '1')
        const [{ replyText }] = await returned
        assert.equal(replyText, 'NO_ROUTE')
        await ended(returnedSpan(route).name)
        assert.deepEqual(spans.tree({ omit: OMIT }), [returnedSpan(route)])
      }),
    )
  }

  test(
    'of several mandatory messages those have failed that came back, whatever their headers are',
    onBroker(async ({ connection, queue, closing }, spans) => {
      const orders = await queue()
      const publisher = closing(connection.createPublisher({ confirm: true }))
      await Promise.all(
        Array.from({ length: 40 }, (_, index) => {
          const routingKey = index % 2 === 0 ? orders : `${orders}-lost`
          const headers = index % 5 === 0 ? { traceparent: OWN } : {}
          return publisher.send({ routingKey, mandatory: index % 4 !== 3, headers }, String(index))
        }),
      )
      await ended(`publish ${orders}`, 20)
      await ended(`publish ${orders}-lost`, 20)
      const failed = (name: string) => spans.named(name).filter(({ status }) => status.code === 2).length
      assert.equal(failed(`publish ${orders}`), 0)
      // Every second of these is not mandatory.
      assert.equal(failed(`publish ${orders}-lost`), 10)
    }),
  )

  test('a publish that never gets a connection has failed, in its span too', () =>
    withSpans(async (spans) => {
      const { hostname } = address
      const connection = new Connection({ hostname, port: 9, acquireTimeout: 50 })
      connection.on('error', () => {})
      const publisher = connection.createPublisher()
      await assert.rejects(publisher.send('orders', '1'), { code: 'TIMEOUT' })
      await connection.close()
      const [send] = spans.finished()
      assert.equal(send?.attributes['error.type'], 'TIMEOUT')
      assert.equal(send?.attributes['server.port'], 9)
    }))

  test('when the connection is lost, what was on its way has failed, and what was being handled comes again', async () => {
    await using proxy = await tcpProxy({ target: new URL(url).host })
    await withSpans(async (spans) => {
      const { username, password } = address
      const connection = new Connection({
        hostname: '127.0.0.1',
        port: proxy.port,
        username,
        password,
        retryLow: 50,
      })
      connection.on('error', () => {})
      const queue = `orders-${randomUUID()}`
      await connection.queueDeclare(queue)
      const publisher = connection.createPublisher({ confirm: true })
      let handled = 0
      let release = () => {}
      const cut = new Promise<void>((resolve) => {
        release = resolve
      })
      const consumer = connection.createConsumer({ queue }, async () => {
        if (handled++ === 0) await cut
      })
      consumer.on('error', () => {})
      await publisher.send(queue, '1')
      await eventually(() => assert.equal(handled, 1))
      proxy.stall('toClient')
      const lost = assert.rejects(publisher.send('elsewhere', '2'))
      proxy.cut()
      await proxy.restore()
      await lost
      release()
      await ended(`process ${queue}`, 2)
      await consumer.close()
      await publisher.close()
      await connection.queueDelete(queue)
      await connection.close()
      assert.equal(spans.named('publish elsewhere')[0]?.status.code, 2)
      const [first, second] = spans.named(`process ${queue}`)
      assert.equal(second?.links[1]?.context.spanId, first?.spanContext().spanId)
      assert.equal(second?.attributes['throughline.attempt'], 2)
    })
  })

  test(
    'what comes back to its queue by way of a dead letter exchange is tried again, and is no dead letter',
    onBroker(async ({ connection, closing }, spans) => {
      const orders = `orders-${randomUUID()}`
      const by = (queue: string, more = {}) => ({
        exclusive: true,
        arguments: { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': queue, ...more },
      })
      const pause = `${orders}-pause`
      await connection.queueDeclare({ queue: pause, ...by(orders, { 'x-message-ttl': 1 }) })
      let handled = 0
      const consumer = closing(
        connection.createConsumer({ queue: orders, queueOptions: by(pause) }, () =>
          ++handled < 3 ? ConsumerStatus.DROP : ConsumerStatus.ACK,
        ),
      )
      await once(consumer, 'ready')
      await closing(connection.createPublisher()).send(orders, '1')
      await ended(`process ${orders}`, 3)
      const last = spans.named(`process ${orders}`)[2]
      assert.equal(last?.attributes['throughline.attempt'], 3)
      assert.equal(last?.attributes['throughline.dead_letter'], undefined)
      assert.deepEqual(last?.links.at(-1)?.attributes, { retry: true })
    }),
  )

  test(
    'a queue that the broker has named is in the spans of its consumer, and tells its attempts apart',
    onBroker(async ({ connection, closing }, spans) => {
      const key = `orders.${randomUUID()}`
      const options = {
        queueOptions: { exclusive: true },
        queueBindings: [{ exchange: 'amq.topic', routingKey: key }],
      }
      let handled = 0
      const requeueOnce = () => (++handled === 1 ? ConsumerStatus.REQUEUE : ConsumerStatus.ACK)
      const consumer = closing(connection.createConsumer(options, requeueOnce))
      await once(consumer, 'ready')
      await closing(connection.createPublisher()).send({ exchange: 'amq.topic', routingKey: key }, '1')
      const name = `process amq.topic:${key}:amq.gen`
      await ended(name, 2)
      const [first, second] = spans.named(name)
      assert.equal(first?.attributes['messaging.destination.name'], `amq.topic:${key}:${consumer.queue}`)
      assert.equal(second?.links[1]?.context.spanId, first?.spanContext().spanId)
    }),
  )

  test(
    'what the broker gave to a dead letter exchange is linked to the attempt that dropped it',
    onBroker(async ({ connection, queue, closing }, spans) => {
      const dead = await queue()
      const orders = `${dead}-first`
      const options = {
        arguments: { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': dead },
        exclusive: true,
      }
      const dropping = { queue: orders, queueOptions: options }
      const consumer = closing(connection.createConsumer(dropping, () => ConsumerStatus.DROP))
      closing(connection.createConsumer({ queue: dead }, (_message: AsyncMessage) => {}))
      await once(consumer, 'ready')
      await closing(connection.createPublisher({ confirm: true })).send({ routingKey: orders }, '1')
      await ended(`process ${dead}`)
      const [attempt] = spans.named(`process ${orders}`)
      const [letter] = spans.named(`process ${dead}`)
      assert.equal(letter?.attributes['throughline.dead_letter.reason'], 'rejected')
      assert.equal(letter?.links[1]?.context.spanId, attempt?.spanContext().spanId)
      assert.deepEqual(letter?.links[1]?.attributes, { dead_letter: true })
    }),
  )
})
