import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { trace } from '@opentelemetry/api'
import { eventually, tcpProxy, withSpans } from '@throughline/testkit'
import { amqp, onBroker } from '../support/amqplib.ts'
import { ended, OMIT, returnedSpan, url } from '../support/rabbitmq.ts'

const tracer = trace.getTracer('test')

describe('amqplib: confirm channels', () => {
  test(
    'a publish span ends when the broker has confirmed; the callback runs in the context of its call',
    onBroker(async ({ connection, queue }, spans) => {
      const orders = await queue()
      const channel = await connection.createConfirmChannel()
      await tracer.startActiveSpan('shop', async (shop) => {
        const seen = await new Promise((resolve) => {
          channel.publish('', orders, Buffer.from('1'), {}, (error) => {
            resolve([error, trace.getActiveSpan() === shop, spans.finished().length])
          })
          assert.equal(spans.finished().length, 0)
        })
        shop.end()
        assert.deepEqual(seen, [null, true, 1])
      })
      const [root] = spans.tree({ omit: ['messaging.message.id'] })
      assert.deepEqual(
        root?.children?.map(({ name, kind, status }) => ({ name, kind, status })),
        [{ name: `publish ${orders}`, kind: 'PRODUCER', status: undefined }],
      )
    }),
  )

  test(
    'waitForConfirms waits for messages with and without a callback; options may be left out',
    onBroker(async ({ connection, queue }, spans) => {
      const orders = await queue()
      const channel = await connection.createConfirmChannel()
      let confirmed = 0
      for (let order = 0; order < 100; order++) {
        channel.sendToQueue(orders, Buffer.from(String(order)))
        channel.sendToQueue(orders, Buffer.from(String(order)), {}, () => void confirmed++)
      }
      await channel.waitForConfirms()
      assert.equal(confirmed, 100)
      assert.equal(spans.named(`publish ${orders}`).length, 200)
      assert.ok(spans.finished().every(({ status }) => status.code === 0))
    }),
  )

  test(
    'a message that the broker refuses is a failed span, and an error for its callback',
    onBroker(async ({ connection, queue }, spans) => {
      const orders = await queue({ maxLength: 1, arguments: { 'x-overflow': 'reject-publish' } })
      const channel = await connection.createConfirmChannel()
      const results = await Promise.all(
        ['1', '2'].map(
          (body) =>
            new Promise((resolve) => {
              channel.sendToQueue(orders, Buffer.from(body), {}, (error) => resolve(error?.message))
            }),
        ),
      )
      assert.deepEqual(results, [undefined, 'message nacked'])
      assert.deepEqual(
        spans.named(`publish ${orders}`).map(({ status }) => status.message),
        [undefined, 'message nacked'],
      )
    }),
  )

  test(
    'a mandatory message that no queue takes is a failed span, though it is confirmed',
    onBroker(async ({ connection }, spans) => {
      const channel = await connection.createConfirmChannel()
      const bare = channel.listenerCount('return')
      const route = { exchange: 'amq.direct', routingKey: `nowhere-${randomUUID()}` }
      const told = new Promise((resolve) => {
        channel.publish(route.exchange, route.routingKey, Buffer.from('1'), { mandatory: true }, resolve)
      })
      assert.equal(channel.listenerCount('return'), bare)
      const returned = once(channel, 'return')
      assert.equal(await told, null)
      const [{ fields, properties }] = await returned
      assert.equal(fields.replyText, 'NO_ROUTE')
      assert.match(properties.headers.traceparent, /^00-/)
      assert.deepEqual(spans.tree({ omit: OMIT }), [returnedSpan(route)])
    }),
  )

  test(
    'of several mandatory messages those have failed that came back, whatever their headers are',
    onBroker(async ({ connection, queue }, spans) => {
      const orders = await queue()
      const channel = await connection.createConfirmChannel()
      const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
      for (let index = 0; index < 40; index++) {
        const options = {
          mandatory: index % 4 !== 3,
          ...(index % 5 === 0 ? { headers: { traceparent } } : {}),
        }
        channel.sendToQueue(index % 2 === 0 ? orders : `${orders}-lost`, Buffer.from(String(index)), options)
      }
      await channel.waitForConfirms()
      const failed = (name: string) => spans.named(name).filter(({ status }) => status.code === 2).length
      assert.equal(spans.finished().length, 40)
      assert.equal(failed(`publish ${orders}`), 0)
      // Every second of these is not mandatory.
      assert.equal(failed(`publish ${orders}-lost`), 10)
    }),
  )

  test(
    'leave the listeners of a channel as they are without',
    onBroker(async ({ connection, queue }) => {
      const orders = await queue()
      const channel = await connection.createConfirmChannel()
      const listeners = () => channel.eventNames().map((name) => [name, channel.listenerCount(name)])
      const before = listeners()
      channel.sendToQueue(orders, Buffer.from('1'), { mandatory: true })
      await channel.waitForConfirms()
      assert.deepEqual(listeners(), before)
    }),
  )

  test(
    'when the broker closes the channel, what it has not confirmed has failed',
    onBroker(async ({ connection, queue }, spans) => {
      const orders = await queue()
      const channel = await connection.createConfirmChannel()
      const closed = once(channel, 'error')
      const results = ['', 'no-such-exchange'].map(
        (exchange) =>
          new Promise((resolve) => {
            channel.publish(exchange, orders, Buffer.from('1'), {}, (error) => resolve(error?.message))
          }),
      )
      await closed
      assert.equal((await Promise.all(results))[1], 'channel closed')
      const [failed] = spans.named(`publish no-such-exchange:${orders}`)
      assert.deepEqual(failed?.status, { code: 2, message: 'channel closed' })
    }),
  )

  test('when the connection is lost, what was on its way has failed', async () => {
    const { host } = new URL(url)
    await using proxy = await tcpProxy({ target: host })
    await withSpans(async (spans) => {
      const connection = await amqp.connect(`amqp://127.0.0.1:${proxy.port}`)
      const lost = once(connection, 'error')
      const channel = await connection.createConfirmChannel()
      const { queue } = await channel.assertQueue('', { exclusive: true })
      channel.sendToQueue(queue, Buffer.from('confirmed'))
      await ended('publish amq.gen')
      proxy.stall('toClient')
      channel.sendToQueue(queue, Buffer.from('lost'))
      const told = new Promise((resolve) => {
        channel.sendToQueue(queue, Buffer.from('lost'), {}, (error) => resolve(error?.message))
      })
      proxy.cut()
      await lost
      assert.equal(await told, 'channel closed')
      await eventually(() => assert.equal(spans.named('publish amq.gen').length, 3))
      assert.deepEqual(
        spans
          .named('publish amq.gen')
          .map(({ status, attributes }) => [status.code, attributes['server.port']]),
        [0, 2, 2].map((code) => [code, proxy.port]),
      )
    })
  })
})
