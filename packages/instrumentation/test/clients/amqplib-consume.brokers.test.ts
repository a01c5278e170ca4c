import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { context, trace } from '@opentelemetry/api'
import { messageContext } from '@throughline/instrumentation'
import { eventually } from '@throughline/testkit'
import type { ConsumeMessage } from 'amqplib'
import { onBroker } from '../support/amqplib.ts'
import { ended, FIXED, OMIT } from '../support/rabbitmq.ts'
import { unhandledRejection } from '../support/rejection.ts'

const tracer = trace.getTracer('test')

describe('amqplib: consuming', () => {
  test(
    'a process span ends with its handler, and says what the application told the broker until then',
    onBroker(async ({ channel, queue }, spans) => {
      const settles: Record<string, (message: ConsumeMessage) => void> = {
        ack: (message) => channel.ack(message),
        nack: (message) => channel.nack(message, false, false),
        reject: (message) => channel.reject(message, false),
        later: (message) => setImmediate(() => channel.ack(message)),
        never: () => {},
        ackAll: () => channel.ackAll(),
        allUpTo: (message) => channel.ack(message, true),
        nackAll: () => channel.nackAll(false),
      }
      const orders = await queue()
      await channel.consume(orders, (message) => {
        if (message !== null) settles[message.content.toString()]?.(message)
      })
      for (const name of Object.keys(settles)) {
        channel.sendToQueue(orders, Buffer.from(name), { messageId: name })
      }
      await ended(`process ${orders}`, Object.keys(settles).length)
      const outcomes = spans
        .named(`process ${orders}`)
        .map(({ attributes }) => [attributes['messaging.message.id'], attributes['throughline.outcome']])
      assert.deepEqual(Object.fromEntries(outcomes), {
        ack: 'accept',
        nack: 'reject',
        reject: 'reject',
        later: undefined,
        never: undefined,
        ackAll: 'accept',
        allUpTo: 'accept',
        nackAll: 'reject',
      })
    }),
  )

  test(
    'a handler that gives a promise ends its span with it; its failure stays an unhandled rejection',
    onBroker(async ({ channel, queue }, spans) => {
      const orders = await queue()
      await channel.consume(orders, async (message) => {
        await new Promise((resolve) => setImmediate(resolve))
        if (message === null) return
        channel.ack(message)
        if (message.content.toString() === 'bad') throw new TypeError('no such order')
      })
      const unhandled = unhandledRejection()
      channel.sendToQueue(orders, Buffer.from('good'))
      channel.sendToQueue(orders, Buffer.from('bad'))
      assert.equal(String(await unhandled), 'TypeError: no such order')
      await ended(`process ${orders}`, 2)
      const [good, bad] = spans.named(`process ${orders}`)
      assert.equal(good?.status.code, 0)
      assert.equal(good?.attributes['throughline.outcome'], 'accept')
      assert.deepEqual(bad?.status, { code: 2, message: 'no such order' })
      assert.equal(bad?.attributes['error.type'], 'TypeError')
      assert.equal(bad?.attributes['throughline.outcome'], 'accept')
    }),
  )

  test(
    'what a handler throws goes on to amqplib, which tells of it by its own event',
    onBroker(async ({ channel, queue }, spans) => {
      const orders = await queue()
      await channel.consume(orders, () => {
        throw new RangeError('no such order')
      })
      const told = once(channel, 'handler-error')
      channel.sendToQueue(orders, Buffer.from('1'))
      const [error] = await told
      assert.equal(String(error), 'RangeError: no such order')
      const [failed] = spans.named(`process ${orders}`)
      assert.equal(failed?.status.message, 'no such order')
    }),
  )

  test(
    'a handler may give what can be started by its then: it is not started',
    onBroker(async ({ channel, queue }) => {
      const orders = await queue()
      let started = 0
      // biome-ignore lint/suspicious/noThenProperty: as query builders have it
      const query = { then: () => void started++ }
      await channel.consume(orders, (() => query) as () => void, { noAck: true })
      channel.sendToQueue(orders, Buffer.from('1'))
      await ended(`process ${orders}`)
      assert.equal(started, 0)
    }),
  )

  test(
    'without acknowledgements a message counts as accepted',
    onBroker(async ({ channel, queue }, spans) => {
      const orders = await queue()
      await channel.consume(orders, () => {}, { noAck: true })
      channel.sendToQueue(orders, Buffer.from('1'))
      await ended(`process ${orders}`)
      assert.equal(spans.named(`process ${orders}`)[0]?.attributes['throughline.outcome'], 'accept')
    }),
  )

  test(
    'the end of a consumer is told to it by null, and is no message',
    onBroker(async ({ channel, queue }, spans) => {
      const orders = await queue()
      const cancelled = new Promise((resolve) => {
        void channel.consume(orders, (message) => message === null && resolve(message))
      })
      await channel.deleteQueue(orders)
      assert.equal(await cancelled, null)
      assert.deepEqual(spans.finished(), [])
    }),
  )

  test(
    'handlers that run at once each have their own message’s context',
    onBroker(async ({ channel, queue }, spans) => {
      const [orders, invoices] = [await queue(), await queue()]
      await channel.consume(orders, async (message) => {
        if (message === null) return
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 10))
        channel.sendToQueue(invoices, message.content)
        channel.ack(message)
      })
      for (let order = 0; order < 100; order++) {
        tracer.startActiveSpan('order', (span) => {
          channel.sendToQueue(orders, Buffer.from(String(order)))
          span.end()
        })
      }
      await ended(`process ${orders}`, 100)
      const processes = new Map(
        spans.named(`process ${orders}`).map((span) => [span.spanContext().spanId, span]),
      )
      for (const send of spans.named(`publish ${invoices}`)) {
        const process = processes.get(send.parentSpanContext?.spanId ?? '')
        assert.equal(process?.spanContext().traceId, send.spanContext().traceId)
        processes.delete(send.parentSpanContext?.spanId ?? '')
      }
      assert.equal(processes.size, 0)
    }),
  )

  test(
    'a message that is asked for is a get span where it was asked for; its own context is there to handle it in',
    onBroker(async ({ channel, queue }, spans) => {
      const orders = await queue()
      await tracer.startActiveSpan('shop', async (span) => {
        channel.sendToQueue(orders, Buffer.from('1'), { messageId: 'order-1' })
        span.end()
      })
      await tracer.startActiveSpan('poll', async (span) => {
        const message = await eventually(async () => {
          const got = await channel.get(orders)
          if (got === false) throw new Error('nothing yet')
          return got
        })
        context.with(messageContext(message), () => tracer.startSpan('handle').end())
        channel.ack(message)
        assert.equal(await channel.get(orders), false)
        span.end()
      })
      const place = {
        'messaging.destination.name': orders,
        'messaging.rabbitmq.destination.routing_key': orders,
        'messaging.message.id': 'order-1',
      }
      const [shop, poll] = spans.tree({ omit: OMIT })
      assert.deepEqual(shop?.children?.[0]?.children, [
        { name: 'handle', kind: 'INTERNAL', trace: 1, parent: `publish ${orders}` },
      ])
      assert.deepEqual(poll, {
        name: 'poll',
        kind: 'INTERNAL',
        trace: 2,
        parent: null,
        children: [
          {
            name: `get ${orders}`,
            kind: 'CLIENT',
            trace: 2,
            parent: 'poll',
            links: [{ to: `publish ${orders}` }],
            attributes: {
              ...FIXED,
              'messaging.operation.name': 'get',
              'messaging.operation.type': 'receive',
              'messaging.rabbitmq.message.delivery_tag': 1,
              ...place,
            },
          },
        ],
      })
    }),
  )

  test(
    'a request by direct reply-to and its answer are one trace, and the answer has its context wherever it is handled',
    onBroker(async ({ channel, queue }, spans) => {
      const orders = await queue()
      const REPLY_TO = 'amq.rabbitmq.reply-to'
      await channel.consume(orders, (request) => {
        if (request === null) return
        channel.sendToQueue(request.properties.replyTo, Buffer.from('2'))
        channel.ack(request)
      })
      const answered = Promise.withResolvers<ConsumeMessage>()
      await channel.consume(REPLY_TO, (answer) => answer && answered.resolve(answer), { noAck: true })
      tracer.startActiveSpan('shop', (shop) => {
        channel.sendToQueue(orders, Buffer.from('1'), { replyTo: REPLY_TO })
        shop.end()
      })
      context.with(messageContext(await answered.promise), () => tracer.startSpan('handle').end())
      await ended(`process ${orders}`)
      await ended(`process ${REPLY_TO}`)
      const chain: string[] = []
      for (let [at] = spans.tree(); at !== undefined; at = at.children?.[0]) {
        chain.push(`${at.kind} ${at.name}`)
      }
      assert.deepEqual(chain, [
        'INTERNAL shop',
        `PRODUCER publish ${orders}`,
        `CONSUMER process ${orders}`,
        `PRODUCER publish ${REPLY_TO}`,
        `CONSUMER process ${REPLY_TO}`,
        'INTERNAL handle',
      ])
      const [answer] = spans.named(`process ${REPLY_TO}`)
      assert.match(String(answer?.attributes['messaging.destination.name']), /^amq\.rabbitmq\.reply-to\.g/)
    }),
  )

  test(
    'a consumer that is cancelled by its tag has what came before, and its queue is left to others',
    onBroker(async ({ channel, queue }, spans) => {
      const orders = await queue()
      const bodies: string[] = []
      const handle = (message: ConsumeMessage | null) => {
        if (message === null) return
        bodies.push(`${message.fields.consumerTag} ${message.content}`)
        channel.ack(message)
      }
      assert.deepEqual(await channel.consume(orders, handle, { consumerTag: 'first' }), {
        consumerTag: 'first',
      })
      channel.sendToQueue(orders, Buffer.from('1'))
      await ended(`process ${orders}`)
      assert.deepEqual(await channel.cancel('first'), { consumerTag: 'first' })
      await channel.consume(orders, handle, { consumerTag: 'second' })
      channel.sendToQueue(orders, Buffer.from('2'))
      await ended(`process ${orders}`, 2)
      assert.deepEqual(bodies, ['first 1', 'second 2'])
      assert.equal(spans.finished().length, 4)
    }),
  )
})
