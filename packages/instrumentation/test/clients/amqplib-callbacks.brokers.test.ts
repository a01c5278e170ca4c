import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import { context, trace } from '@opentelemetry/api'
import { messageContext } from '@throughline/instrumentation'
import { eventually, withSpans } from '@throughline/testkit'
import type { Channel, ConfirmChannel, Connection } from 'amqplib/callback_api'
import { callbacks } from '../support/amqplib.ts'
import { ended, OMIT, queueTree, url } from '../support/rabbitmq.ts'

const tracer = trace.getTracer('test')

const opened = () => promisify<string, Connection>(callbacks.connect)(url)

describe('amqplib: its callback API', () => {
  test('has the same spans', () =>
    withSpans(async (spans) => {
      const connection = await opened()
      const channel = await promisify<Channel>(connection.createChannel).call(connection)
      const orders = `orders-${randomUUID()}`
      await new Promise((resolve) => channel.assertQueue(orders, { exclusive: true }, resolve))
      await new Promise((resolve) => {
        const chained: unknown = channel.consume(
          orders,
          (message) => message && channel.ack(message),
          {},
          resolve,
        )
        assert.equal(chained, channel)
      })
      channel.publish('', orders, Buffer.from('1'))
      await ended(`process ${orders}`)
      await new Promise((resolve) => connection.close(resolve))
      assert.deepEqual(spans.tree({ omit: OMIT }), queueTree(orders))
    }))

  test('confirms, and answers get by a callback', () =>
    withSpans(async (spans) => {
      const connection = await opened()
      const channel = await promisify<ConfirmChannel>(connection.createConfirmChannel).call(connection)
      const orders = `orders-${randomUUID()}`
      await new Promise((resolve) => channel.assertQueue(orders, { exclusive: true }, resolve))
      const confirmed = await new Promise((resolve) => {
        channel.sendToQueue(orders, Buffer.from('1'), {}, resolve)
      })
      assert.equal(confirmed, null)
      channel.sendToQueue(orders, Buffer.from('2'))
      await new Promise<unknown>((resolve) => channel.waitForConfirms(resolve))
      assert.equal(spans.named(`publish ${orders}`).length, 2)
      await eventually(async () => {
        const message = await new Promise<object | false>((resolve, reject) => {
          channel.get(orders, { noAck: true }, (error, got) => (error ? reject(error) : resolve(got)))
        })
        assert.ok(message)
        context.with(messageContext(message), () => tracer.startSpan('handle').end())
      })
      await new Promise((resolve) => connection.close(resolve))
      const [first, get] = spans.tree({ omit: OMIT })
      assert.deepEqual(
        first?.children?.map(({ name }) => name),
        ['handle'],
      )
      assert.equal(spans.named(`get ${orders}`)[0]?.links.length, 1)
      assert.equal(get?.name, `publish ${orders}`)
    }))

  test('takes calls without options and without callbacks as it did', () =>
    withSpans(async (spans) => {
      const connection = await opened()
      const channel = await promisify<ConfirmChannel>(connection.createConfirmChannel).call(connection)
      const orders = `orders-${randomUUID()}`
      await new Promise((resolve) => channel.assertQueue(orders, { exclusive: true }, resolve))
      const bodies: string[] = []
      assert.equal(
        channel.consume(orders, (message) => {
          if (message === null) return
          bodies.push(String(message.content))
          channel.ack(message)
        }),
        channel,
      )
      assert.equal(channel.publish('', orders, Buffer.from('1')), true)
      assert.equal(channel.sendToQueue(orders, Buffer.from('2')), true)
      await ended(`process ${orders}`, 2)
      await new Promise((resolve) => connection.close(resolve))
      assert.deepEqual(bodies, ['1', '2'])
      assert.equal(spans.named(`publish ${orders}`).length, 2)
    }))
})
