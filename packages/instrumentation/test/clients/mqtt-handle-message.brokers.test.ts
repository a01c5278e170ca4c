import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, type TestContext, test } from 'node:test'
import { SpanStatusCode, trace } from '@opentelemetry/api'
import { eventually, recordSpans, tcpProxy, withSpans } from '@throughline/testkit'
import type { IPublishPacket, MqttClient } from 'mqtt'
import { MqttInstrumentation } from '../../src/index.ts'
import { connect, loadMqtt, mqttUrl, next, uniqueTopic } from '../support/mqtt.ts'

recordSpans()
new MqttInstrumentation()
const activeSpanId = () => trace.getActiveSpan()?.spanContext().spanId
type HandleMessage = MqttClient['handleMessage']
const payloadOf = (packet: object) => String((packet as IPublishPacket).payload)

/** A connection that can be cut. */
async function proxied(t: TestContext) {
  const { host, port, cut, close } = await tcpProxy({ target: new URL(mqttUrl()).host })
  t.after(() => close())
  return { cut, options: { host, port, reconnectPeriod: 20 } }
}

describe('handleMessage of an application that uses MQTT.js', () => {
  for (const qos of [0, 1, 2] as const) {
    test(`runs in the span of its message at QoS ${qos}, until it calls back`, (t) =>
      withSpans(async (spans) => {
        const topic = uniqueTopic()
        const client = await connect(t)
        await client.subscribeAsync(topic, { qos })
        const handling: { span: unknown; callback: () => void }[] = []
        const handleMessage: HandleMessage = (_packet, callback) => {
          handling.push({ span: activeSpanId(), callback })
        }
        client.handleMessage = handleMessage
        // MQTT.js reads no answer to what it sends while it waits for it.
        const other = await connect(t)
        for (const payload of ['one', 'two']) await other.publishAsync(topic, payload, { qos })
        for (const count of [1, 2]) {
          await eventually(() => assert.equal(handling.length, count))
          assert.equal(spans.named(`process ${topic}`).length, count - 1)
          // As the application left it.
          assert.equal(client.handleMessage, handleMessage)
          handling[count - 1]?.callback()
          await eventually(() => assert.equal(spans.named(`process ${topic}`).length, count))
        }
        const processed = spans.named(`process ${topic}`)
        assert.deepEqual(
          handling.map(({ span }) => span),
          processed.map((span) => span.spanContext().spanId),
        )
        for (const { attributes } of processed) {
          assert.equal(attributes['throughline.outcome'], qos === 0 ? undefined : 'accept')
        }
      }))
  }

  test('may be a subclass’s, may be asynchronous, and shares the span of the listeners', (t) =>
    withSpans(async (spans) => {
      const { MqttClient } = loadMqtt()
      const plain = await connect(t)
      const seen: [string, unknown][] = []
      class Worker extends MqttClient {
        override handleMessage: HandleMessage = async (packet, callback) => {
          seen.push([`before ${payloadOf(packet)}`, activeSpanId()])
          await new Promise(setImmediate)
          seen.push([`after ${payloadOf(packet)}`, activeSpanId()])
          callback()
        }
      }
      const builder = Reflect.get(plain, 'streamBuilder')
      const worker = new Worker(builder, { ...plain.options, clientId: `worker-${randomUUID()}` })
      t.after(() => worker.end(true))
      await next(worker, 'connect')
      const topic = uniqueTopic()
      await worker.subscribeAsync(topic, { qos: 1 })
      worker.on('message', (_topic, payload) => void seen.push([`listener ${payload}`, activeSpanId()]))
      for (const payload of ['one', 'two']) await plain.publishAsync(topic, payload, { qos: 1 })
      await eventually(() => assert.equal(spans.named(`process ${topic}`).length, 2))
      const [one, two] = spans.named(`process ${topic}`).map((span) => span.spanContext().spanId)
      assert.deepEqual(seen, [
        ['listener one', one],
        ['before one', one],
        ['after one', one],
        ['listener two', two],
        ['before two', two],
        ['after two', two],
      ])
    }))

  for (const qos of [1, 2] as const) {
    test(`that calls back with an error at QoS ${qos} leaves it on the span, and the attempt that follows is linked`, (t) =>
      withSpans(async (spans) => {
        const topic = uniqueTopic()
        const { cut, options } = await proxied(t)
        const persistent = { clean: false, properties: { sessionExpiryInterval: 60 } }
        const client = await connect(t, { ...options, ...persistent })
        await client.subscribeAsync(topic, { qos })
        let attempts = 0
        client.handleMessage = (_packet, callback) =>
          callback(++attempts === 1 ? new RangeError('not now') : undefined)
        const other = await connect(t)
        await other.publishAsync(topic, 'one', { qos })
        await eventually(() => assert.equal(spans.named(`process ${topic}`).length, 1))
        cut()
        await eventually(() => assert.equal(spans.named(`process ${topic}`).length, 2))
        const [failed, again] = spans.named(`process ${topic}`)
        assert.deepEqual(failed?.status, { code: SpanStatusCode.ERROR, message: 'not now' })
        assert.equal(failed?.attributes['error.type'], 'RangeError')
        assert.equal(failed?.attributes['throughline.outcome'], 'release')
        assert.equal(again?.status.code, SpanStatusCode.UNSET)
        assert.equal(again?.attributes['throughline.attempt'], 2)
        assert.equal(again?.attributes['throughline.redelivered'], undefined)
        assert.equal(again?.attributes['throughline.outcome'], 'accept')
        assert.equal(again?.parentSpanContext?.spanId, failed?.parentSpanContext?.spanId)
        assert.deepEqual(
          again?.links.map(({ context, attributes }) => [context.spanId, attributes]),
          [
            [failed?.parentSpanContext?.spanId, undefined],
            [failed?.spanContext().spanId, { retry: true }],
          ],
        )
      }))

    test(`that failed at QoS ${qos} is not the attempt before at a message of another session`, (t) =>
      withSpans(async (spans) => {
        const topic = uniqueTopic()
        const { cut, options } = await proxied(t)
        const client = await connect(t, options)
        await client.subscribeAsync(topic, { qos })
        const subscribed = Promise.withResolvers<void>()
        client.on('packetreceive', ({ cmd }) => {
          if (cmd === 'suback') subscribed.resolve()
        })
        const ids: unknown[] = []
        client.handleMessage = (packet, callback) => {
          ids.push(packet.messageId)
          callback(ids.length === 1 ? new RangeError('not now') : undefined)
        }
        const other = await connect(t)
        await other.publishAsync(topic, 'one', { qos })
        await eventually(() => assert.equal(ids.length, 1))
        cut()
        await subscribed.promise
        await other.publishAsync(topic, 'two', { qos })
        await eventually(() => assert.equal(spans.named(`process ${topic}`).length, 2))
        assert.deepEqual(ids, [1, 1])
        const [, second] = spans.named(`process ${topic}`)
        assert.equal(second?.links.length, 1)
        assert.equal(second?.attributes['throughline.attempt'], undefined)
      }))
  }

  test('is as it was after messages that the application emits itself', (t) =>
    withSpans(async (spans) => {
      const topic = uniqueTopic()
      const client = await connect(t)
      const handleMessage: HandleMessage = (_packet, callback) => callback()
      client.handleMessage = handleMessage
      const packet = { cmd: 'publish', topic, payload: 'x', qos: 0, retain: false, dup: false }
      for (const payload of ['one', 'two']) {
        client.emit('message', topic, Buffer.from(payload), { ...packet, payload } as never)
      }
      await eventually(() => assert.equal(spans.named(`process ${topic}`).length, 2))
      assert.equal(client.handleMessage, handleMessage)
    }))
})
