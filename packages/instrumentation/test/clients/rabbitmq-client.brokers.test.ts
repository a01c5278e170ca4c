import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { context, trace } from '@opentelemetry/api'
import { messageContext } from '@throughline/instrumentation'
import { eventually } from '@throughline/testkit'
import { ended, FIXED, OMIT, queueTree } from '../support/rabbitmq.ts'
import { ConsumerStatus, instrumentation, onBroker } from '../support/rabbitmq-client.ts'

const tracer = trace.getTracer('test')

describe('rabbitmq-client', () => {
  for (const confirm of [false, true]) {
    test(
      `a publisher ${confirm ? 'with' : 'without'} confirmations and a consumer are a publish and a process span`,
      onBroker(async ({ connection, queue, closing }, spans) => {
        const orders = await queue()
        const bodies: unknown[] = []
        closing(connection.createConsumer({ queue: orders }, ({ body }) => void bodies.push(body)))
        const publisher = closing(connection.createPublisher({ confirm }))
        const envelope = Object.freeze({
          routingKey: orders,
          messageId: 'order-1',
          headers: Object.freeze({}),
        })
        const body = Object.freeze({ count: 3 })
        assert.equal(await publisher.send(envelope, body), undefined)
        await ended(`process ${orders}`)
        assert.deepEqual(bodies, [{ count: 3 }])
        const tree = queueTree(orders, { 'messaging.message.id': 'order-1' })
        assert.deepEqual(spans.tree({ omit: OMIT }), tree)
      }),
    )
  }

  test(
    'what a handler answers is the outcome of its message',
    onBroker(async ({ connection, queue, closing }, spans) => {
      const handlers: Record<string, () => number | undefined> = {
        returns: () => undefined,
        ack: () => ConsumerStatus.ACK,
        drop: () => ConsumerStatus.DROP,
        throws: () => {
          throw new TypeError('no such order')
        },
      }
      const orders = await queue()
      const consumer = closing(
        connection.createConsumer({ queue: orders, requeue: false }, async ({ messageId }) =>
          handlers[messageId ?? '']?.(),
        ),
      )
      const errors: string[] = []
      consumer.on('error', (error) => errors.push(String(error)))
      const publisher = closing(connection.createPublisher())
      for (const messageId of Object.keys(handlers))
        await publisher.send({ routingKey: orders, messageId }, '')
      await ended(`process ${orders}`, 4)
      assert.deepEqual(
        spans
          .named(`process ${orders}`)
          .map(({ attributes, status }) => [
            attributes['messaging.message.id'],
            attributes['throughline.outcome'],
            status.message,
          ]),
        [
          ['returns', 'accept', undefined],
          ['ack', 'accept', undefined],
          ['drop', 'reject', undefined],
          ['throws', 'reject', 'no such order'],
        ],
      )
      await eventually(() => assert.deepEqual(errors, ['TypeError: no such order']))
    }),
  )

  test(
    'what a handler gives back to the queue is another attempt, linked to the one before',
    onBroker(async ({ connection, queue, closing }, spans) => {
      const orders = await queue()
      let handled = 0
      closing(
        connection.createConsumer({ queue: orders }, () =>
          ++handled < 3 ? ConsumerStatus.REQUEUE : ConsumerStatus.ACK,
        ),
      )
      await closing(connection.createPublisher()).send(orders, '1')
      await ended(`process ${orders}`, 3)
      assert.deepEqual(
        spans
          .named(`process ${orders}`)
          .map(({ attributes, links }) => [
            attributes['throughline.attempt'],
            attributes['throughline.outcome'],
            links.length,
          ]),
        [
          [undefined, 'release', 1],
          [2, 'release', 2],
          [3, 'accept', 2],
        ],
      )
    }),
  )

  test(
    'a request and its answer are one trace: each is sent and processed',
    onBroker(async ({ connection, queue, closing }, spans) => {
      const orders = await queue()
      closing(
        connection.createConsumer({ queue: orders }, async ({ body }, reply) => {
          await reply(`${body}, too`)
        }),
      )
      const client = closing(connection.createRPCClient())
      await tracer.startActiveSpan('shop', async (shop) => {
        const answer = await client.send(orders, 'hello')
        assert.equal(answer.body, 'hello, too')
        context.with(messageContext(answer), () => tracer.startSpan('handle').end())
        shop.end()
      })
      await ended(`process ${orders}`)
      const [shop] = spans.tree()
      const chain: string[] = []
      for (let at = shop; at !== undefined; at = at.children?.[0]) chain.push(at.name)
      assert.deepEqual(chain, [
        'shop',
        `publish ${orders}`,
        `process ${orders}`,
        'publish amq.rabbitmq.reply-to',
        'process amq.rabbitmq.reply-to',
        'handle',
      ])
    }),
  )

  test(
    'channels by themselves: published, consumed and acknowledged, asked for',
    onBroker(async ({ connection, queue, closing }, spans) => {
      const orders = await queue()
      const channel = closing(await connection.acquire())
      await channel.confirmSelect()
      const { consumerTag } = await channel.basicConsume({ queue: orders }, ({ deliveryTag }) => {
        channel.basicAck({ deliveryTag })
      })
      await channel.basicPublish({ exchange: '', routingKey: orders }, Buffer.from('1'))
      await ended(`process ${orders}`)
      await channel.basicCancel({ consumerTag })
      await channel.basicPublish(orders, 'text')
      assert.equal((await channel.basicGet({ queue: orders, noAck: true }))?.body, 'text')
      assert.equal(await channel.basicGet(orders), undefined)
      assert.deepEqual(
        spans
          .finished()
          .map(({ name, attributes, links }) => [name, attributes['throughline.outcome'], links.length]),
        [
          [`publish ${orders}`, undefined, 0],
          [`process ${orders}`, 'accept', 1],
          [`publish ${orders}`, undefined, 0],
          [`get ${orders}`, undefined, 1],
        ],
      )
      assert.equal(spans.finished()[3]?.attributes['server.port'], FIXED['server.port'])
    }),
  )

  test(
    'a consumer without parameters is refused as it was',
    onBroker(async ({ connection }) => {
      const refused = () => connection.createConsumer(undefined as never, () => {})
      instrumentation.disable()
      let bare: unknown
      try {
        refused()
      } catch (error) {
        bare = error
      }
      instrumentation.enable()
      assert.ok(bare instanceof TypeError)
      assert.throws(refused, { name: 'TypeError', message: bare.message })
    }),
  )

  test(
    'parameters of an own class are read by its getters',
    onBroker(async ({ connection, queue, closing }) => {
      const orders = await queue()
      class Params {
        readonly #atOnce = 2
        readonly queue = orders
        get concurrency() {
          return this.#atOnce
        }
      }
      assert.equal(closing(connection.createConsumer(new Params(), () => {})).concurrency, 2)
    }),
  )

  test(
    'the same parameters may serve consumers and a channel by itself, and are read as they are then',
    onBroker(async ({ connection, queue, closing }, spans) => {
      const orders = await queue()
      const params = { queue: orders, requeue: true }
      const publisher = closing(connection.createPublisher())
      const outcomes: unknown[] = []
      const consumer = closing(
        connection.createConsumer(params, () => {
          throw new TypeError('no such order')
        }),
      )
      params.requeue = false
      consumer.on('error', (error) => outcomes.push(error.message))
      await publisher.send(orders, '1')
      await ended(`process ${orders}`)
      await eventually(() => assert.deepEqual(outcomes, ['no such order']))
      assert.equal(consumer.stats.dropped, 1)
      await consumer.close()
      const channel = closing(await connection.acquire())
      await channel.basicConsume(params, ({ deliveryTag }) => channel.basicAck({ deliveryTag }))
      await publisher.send(orders, '2')
      await ended(`process ${orders}`, 2)
      assert.deepEqual(
        spans.named(`process ${orders}`).map(({ attributes }) => attributes['throughline.outcome']),
        ['reject', 'accept'],
      )
    }),
  )
})
