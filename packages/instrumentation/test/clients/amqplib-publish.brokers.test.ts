import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { context, propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import { recordSpans } from '@throughline/testkit'
import { amqp, delivered, onBroker } from '../support/amqplib.ts'
import { ended, FIXED, OMIT, queueTree, url } from '../support/rabbitmq.ts'
import { unlisted } from '../support/unlisted.ts'

const tracer = trace.getTracer('test')
const OWN = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

describe('amqplib: publishing', () => {
  test(
    'a message is a publish span when it is handed over, and a process span below it',
    onBroker(async ({ channel, queue }, spans) => {
      const orders = await queue()
      await channel.consume(orders, (message) => message && channel.ack(message))
      assert.equal(channel.sendToQueue(orders, Buffer.from('{}'), { messageId: 'order-1' }), true)
      await ended(`process ${orders}`)
      const tree = queueTree(orders, { 'messaging.message.id': 'order-1' })
      assert.deepEqual(spans.tree({ omit: OMIT }), tree)
    }),
  )

  test(
    'destinations are called exchange:routing key, and exchange:routing key:queue where they are read',
    onBroker(async ({ channel, queue }, spans) => {
      const [all, bare] = [await queue(), await queue()]
      await channel.bindQueue(all, 'amq.topic', 'orders.*')
      await channel.bindQueue(bare, 'amq.fanout', '')
      await channel.consume(all, () => {}, { noAck: true })
      await channel.consume(bare, () => {}, { noAck: true })
      channel.publish('amq.topic', 'orders.eu', Buffer.from('1'))
      channel.publish('amq.fanout', '', Buffer.from('2'))
      await ended(`process amq.topic:orders.eu:${all}`)
      await ended(`process amq.fanout:${bare}`)
      const [first, second] = spans.finished()
      assert.equal(first?.name, 'publish amq.topic:orders.eu')
      assert.equal(first?.attributes['messaging.rabbitmq.destination.routing_key'], 'orders.eu')
      assert.equal(second?.name, 'publish amq.fanout')
      assert.equal('messaging.rabbitmq.destination.routing_key' in (second?.attributes ?? {}), false)
    }),
  )

  test(
    'a queue that the broker has named has a name of low cardinality in spans, its own in attributes',
    onBroker(async ({ channel }, spans) => {
      const { queue } = await channel.assertQueue('', { exclusive: true })
      await channel.consume(queue, () => {}, { noAck: true })
      channel.sendToQueue(queue, Buffer.from('1'))
      await ended('process amq.gen')
      for (const span of spans.finished()) {
        assert.equal(span.attributes['messaging.destination.name'], queue)
        assert.equal(span.attributes['messaging.destination.template'], 'amq.gen')
      }
    }),
  )

  test(
    'messages that are published under different spans go on in their own traces',
    onBroker(async ({ channel, queue }, spans) => {
      const orders = await queue()
      await channel.consume(orders, (message) => message && channel.ack(message))
      for (let order = 0; order < 50; order++) {
        tracer.startActiveSpan('order', (span) => {
          channel.sendToQueue(orders, Buffer.from(String(order)))
          span.end()
        })
      }
      await ended(`process ${orders}`, 50)
      const traces = new Set(spans.named('order').map((span) => span.spanContext().traceId))
      assert.equal(traces.size, 50)
      for (const span of spans.named(`process ${orders}`)) {
        assert.ok(traces.delete(span.spanContext().traceId), 'each trace has one process span')
      }
    }),
  )

  test(
    'neither options nor headers of the application are changed, and what they hold arrives',
    onBroker(async ({ channel, queue }) => {
      const orders = await queue()
      const headers = Object.freeze({
        tenant: 'eu',
        bytes: Buffer.from([0xff, 0x00]),
        count: 3,
        nested: Object.freeze({ deep: true }),
      })
      const options = Object.freeze({ headers, contentType: 'text/plain', persistent: true, priority: 2 })
      channel.sendToQueue(orders, Buffer.from('1'), options)
      const { properties } = await delivered(channel, orders)
      const { traceparent, 'throughline-sent-at': sentAt, ...rest } = properties.headers ?? {}
      assert.match(traceparent, /^00-/)
      assert.match(sentAt, /^\d{16}$/)
      assert.deepEqual(rest, headers)
      assert.equal(properties.contentType, 'text/plain')
      assert.equal(properties.deliveryMode, 2)
      assert.deepEqual(Object.keys(headers), ['tenant', 'bytes', 'count', 'nested'])
    }),
  )

  test(
    'options and headers may be inherited',
    onBroker(async ({ channel, queue }) => {
      const orders = await queue()
      class Envelope {
        headers = Object.create({ tenant: 'eu' })
        get messageId() {
          return 'order-1'
        }
        get customer(): string {
          throw new Error('what nobody asks for is not loaded')
        }
      }
      channel.sendToQueue(orders, Buffer.from('1'), new Envelope())
      const { properties } = await delivered(channel, orders)
      assert.equal(properties.messageId, 'order-1')
      assert.equal(properties.headers?.tenant, 'eu')
      assert.match(properties.headers?.traceparent, /^00-/)
    }),
  )

  test(
    'options that cannot be copied go out as they are, and the span ends',
    onBroker(async ({ connection, channel, queue }, spans) => {
      const orders = await queue()
      const confirming = await connection.createConfirmChannel()
      channel.sendToQueue(orders, Buffer.from('1'), unlisted({ messageId: 'order-1' }))
      confirming.sendToQueue(orders, Buffer.from('2'), unlisted({ messageId: 'order-1' }))
      await confirming.waitForConfirms()
      for (const _ of ['1', '2']) {
        const { properties } = await delivered(channel, orders)
        assert.equal(properties.messageId, 'order-1')
        assert.deepEqual(properties.headers, {})
      }
      assert.equal(spans.named(`publish ${orders}`).length, 2)
    }),
  )

  test(
    'headers that are none are refused in the words of the client',
    onBroker(async ({ channel, queue }, spans) => {
      const orders = await queue()
      const options = { headers: 'tenant' }
      assert.throws(() => Reflect.apply(channel.sendToQueue, channel, [orders, Buffer.from('1'), options]), {
        message: /prototype may only be an Object/,
      })
      assert.deepEqual(spans.finished(), [])
    }),
  )

  test(
    'a context that the application has written itself is kept and linked to',
    onBroker(async ({ channel, queue }, spans) => {
      const orders = await queue()
      channel.sendToQueue(orders, Buffer.from('1'), { headers: { traceparent: OWN } })
      const { properties } = await delivered(channel, orders)
      assert.equal(properties.headers?.traceparent, OWN)
      const [send] = spans.named(`publish ${orders}`)
      assert.equal(send?.links[0]?.context.spanId, 'b7ad6b7169203331')
    }),
  )

  test(
    'headers that were copied from the message being handled get the context of the next hop',
    onBroker(async ({ channel, queue }, spans) => {
      const [orders, invoices] = [await queue(), await queue()]
      await channel.consume(
        orders,
        (message) => {
          channel.sendToQueue(invoices, Buffer.from('2'), { headers: message?.properties.headers })
        },
        { noAck: true },
      )
      channel.sendToQueue(orders, Buffer.from('1'))
      const { properties } = await delivered(channel, invoices)
      await ended(`process ${orders}`)
      const [send] = spans.named(`publish ${invoices}`)
      assert.ok(String(properties.headers?.traceparent).includes(send?.spanContext().spanId ?? ''))
      assert.deepEqual(send?.links, [])
      assert.equal(send?.parentSpanContext?.spanId, spans.named(`process ${orders}`)[0]?.spanContext().spanId)
    }),
  )

  test(
    'baggage is sent on, and is there for the handler',
    onBroker(async ({ channel, queue }) => {
      const orders = await queue()
      const baggage = propagation.createBaggage({ tenant: { value: 'eu' } })
      const seen = new Promise((resolve) => {
        void channel.consume(
          orders,
          () => resolve(propagation.getBaggage(context.active())?.getEntry('tenant')?.value),
          { noAck: true },
        )
      })
      context.with(propagation.setBaggage(ROOT_CONTEXT, baggage), () =>
        channel.sendToQueue(orders, Buffer.from('1')),
      )
      assert.equal(await seen, 'eu')
      await ended(`process ${orders}`)
    }),
  )

  test(
    'what a closed channel throws reaches the application and is on the span',
    onBroker(async ({ connection, queue }, spans) => {
      const orders = await queue()
      const closed = await connection.createChannel()
      await closed.close()
      assert.throws(() => closed.sendToQueue(orders, Buffer.from('1')), { name: 'IllegalOperationError' })
      const [send] = spans.tree({ omit: [...OMIT, 'exception.message'] })
      assert.equal(send?.status?.code, 'ERROR')
      assert.equal(send?.attributes?.['error.type'], 'IllegalOperationError')
    }),
  )

  test('spans name the server, and nothing else of what connect was given', async () => {
    const { hostname, port } = new URL(url)
    const addresses = [
      `amqp://guest:guest@${hostname}:${port}/%2F?heartbeat=10`,
      { protocol: 'amqp', hostname, port: Number(port), username: 'guest', password: 'guest' },
    ]
    for (const address of addresses) {
      const recorder = recordSpans()
      recorder.reset()
      const connection = await amqp.connect(address, { clientProperties: { connection_name: 'shop' } })
      const channel = await connection.createChannel()
      const { queue } = await channel.assertQueue('', { exclusive: true })
      channel.sendToQueue(queue, Buffer.from('1'))
      await connection.close()
      const [span] = recorder.finished()
      assert.deepEqual(
        { ...FIXED, 'messaging.client.id': 'shop', ...span?.attributes },
        { ...span?.attributes },
      )
      assert.doesNotMatch(JSON.stringify(span?.attributes), /guest/)
    }
  })
})
