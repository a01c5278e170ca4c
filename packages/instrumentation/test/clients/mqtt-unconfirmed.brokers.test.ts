import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { SpanStatusCode } from '@opentelemetry/api'
import { eventually, recordSpans, tcpProxy, withSpans } from '@throughline/testkit'
import { MqttInstrumentation } from '../../src/index.ts'
import { connect, mqttUrl, next, start, uniqueTopic } from '../support/mqtt.ts'

recordSpans()
new MqttInstrumentation()

async function proxied(t: TestContext) {
  const proxy = await tcpProxy({ target: new URL(mqttUrl()).host })
  t.after(() => proxy.close())
  return { proxy, options: { host: proxy.host, port: proxy.port, reconnectPeriod: 20 } }
}

const ENDED = {
  code: SpanStatusCode.ERROR,
  message: 'the client was ended before the message was confirmed',
}

describe('what MQTT.js has yet to send or the broker to confirm', () => {
  for (const qos of [0, 1, 2] as const) {
    test(`stays open at QoS ${qos} while there is no connection, and ends when it is confirmed`, async (t) => {
      const { proxy, options } = await proxied(t)
      await proxy.refuse()
      await withSpans(async (spans) => {
        const topic = uniqueTopic()
        const client = start(t, options)
        const plain = Promise.withResolvers<void>()
        client.publish(topic, 'without a callback', { qos })
        client.publish(topic, 'with one', { qos }, () => plain.resolve())
        const promised = client.publishAsync(topic, 'promised', { qos })
        await next(client, 'close')
        assert.deepEqual(spans.finished(), [])
        await proxy.restore()
        await Promise.all([plain.promise, promised])
        await eventually(() => assert.equal(spans.finished().length, 3))
        for (const { status, attributes } of spans.finished()) {
          assert.equal(status.code, SpanStatusCode.UNSET)
          assert.equal(attributes['messaging.mqtt.qos'], qos)
        }
      })
    })
  }

  test('ends with an error where the client is ended before, in good order or at once', async (t) => {
    const { proxy, options } = await proxied(t)
    await proxy.refuse()
    for (const force of [true, false]) {
      await withSpans(async (spans) => {
        const topic = uniqueTopic()
        const client = start(t, options)
        client.publish(topic, 'zero')
        client.publish(topic, 'one', { qos: 1 })
        await next(client, 'close')
        client.end(force)
        await eventually(() => assert.equal(spans.finished().length, 2))
        for (const span of spans.finished()) assert.deepEqual(span.status, ENDED)
      })
    }
  })

  test('ends with an error where the connection ends with the client, and the broker has not answered', async (t) => {
    const { proxy, options } = await proxied(t)
    await withSpans(async (spans) => {
      const client = await connect(t, options)
      proxy.stall('toClient')
      client.publish(uniqueTopic(), 'one', { qos: 1 })
      client.end(true)
      await eventually(() => assert.equal(spans.finished().length, 1))
      assert.deepEqual(spans.finished()[0]?.status, ENDED)
    })
  })

  test('ends when it is confirmed by another connection than it was sent by', async (t) => {
    const { proxy, options } = await proxied(t)
    await withSpans(async (spans) => {
      const client = await connect(t, options)
      proxy.stall('toClient')
      const sent = client.publishAsync(uniqueTopic(), 'one', { qos: 1 })
      await new Promise(setImmediate)
      assert.deepEqual(spans.finished(), [])
      proxy.cut()
      await proxy.restore()
      await sent
      assert.equal(spans.finished()[0]?.status.code, SpanStatusCode.UNSET)
    })
  })

  test('ends with what its callback is told', (t) =>
    withSpans(async (spans) => {
      const client = await connect(t)
      const told: unknown[] = []
      client.publish(uniqueTopic(), 'one', { qos: 1 }, (error) => told.push(error?.message))
      const id = client.getLastMessageId()
      assert.equal(client.removeOutgoingMessage(id), client)
      await eventually(() => assert.deepEqual(told, ['Message removed']))
      const [span] = spans.finished()
      assert.deepEqual(span?.status, { code: SpanStatusCode.ERROR, message: 'Message removed' })
      assert.equal(span?.attributes['error.type'], 'Error')
    }))

  test('is an error of the client where there is no callback, as it was', (t) =>
    withSpans(async (spans) => {
      const client = await connect(t)
      client.end()
      const failed = next(client, 'error')
      client.publish(uniqueTopic(), 'late')
      const [error] = await failed
      assert.equal(error?.message, 'client disconnecting')
      assert.equal(spans.finished()[0]?.status.message, 'client disconnecting')
      await assert.rejects(client.publishAsync(uniqueTopic(), 'late'), /client disconnecting/)
      assert.equal(spans.finished()[1]?.status.message, 'client disconnecting')
    }))

  test('leaves no listener for each message where the socket is full and nobody asked for an answer', async (t) => {
    const { proxy, options } = await proxied(t)
    await withSpans(async (spans) => {
      const client = await connect(t, options)
      proxy.stall('both')
      const before = client.stream.listenerCount('drain')
      for (let index = 0; index < 300; index++) client.publish(uniqueTopic(), Buffer.alloc(100_000))
      assert.ok(client.stream.writableNeedDrain)
      assert.equal(client.stream.listenerCount('drain'), before)
      assert.equal(spans.finished().length, 300)
    })
  })
})
