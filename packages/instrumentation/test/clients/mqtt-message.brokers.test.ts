import assert from 'node:assert/strict'
import { type EventEmitter, on } from 'node:events'
import { describe, test } from 'node:test'
import { context, ROOT_CONTEXT, SpanStatusCode, trace } from '@opentelemetry/api'
import { eventually, recordSpans, withSpans } from '@throughline/testkit'
import type { OnMessageCallback } from 'mqtt'
import { MqttInstrumentation, messageContext } from '../../src/index.ts'
import { connect, OMIT, PROCESS, PUBLISH, SENT_AT, uniqueTopic } from '../support/mqtt.ts'
import { unhandledRejection } from '../support/rejection.ts'

recordSpans()
const instrumentation = new MqttInstrumentation()
const activeSpanId = () => trace.getActiveSpan()?.spanContext().spanId

describe('listeners for messages of MQTT.js', () => {
  test('run all in the one process span of their message, which ends with the last of them', (t) =>
    withSpans(async (spans) => {
      const topic = uniqueTopic()
      const client = await connect(t)
      await client.subscribeAsync(topic)
      const seen = new Map<string, unknown>()
      const release = Promise.withResolvers<void>()
      const seenBy = (name: string) => seen.set(name, activeSpanId())
      client.on('message', () => void seenBy('on'))
      client.once('message', () => void seenBy('once'))
      const emitter = client as unknown as EventEmitter
      emitter.addListener('message', async () => {
        await release.promise
        seenBy('later')
      })
      client.prependListener('message', () => void seenBy('first'))
      client.prependOnceListener('message', () => void seenBy('first once'))
      await client.publishAsync(topic, 'hello')
      await eventually(() => assert.equal(seen.size, 4))
      assert.deepEqual(
        spans.finished().map(({ name }) => name),
        [`publish ${topic}`],
      )
      release.resolve()
      await eventually(() => assert.equal(spans.finished().length, 2))
      const [, process] = spans.finished()
      assert.deepEqual([...seen.keys()], ['first once', 'first', 'on', 'once', 'later'])
      assert.deepEqual(new Set(seen.values()), new Set([process?.spanContext().spanId]))
      assert.equal(activeSpanId(), undefined)
    }))

  test('are the application’s own functions, to be listed and taken away', async (t) => {
    const client = await connect(t)
    const calls: string[] = []
    const listener: OnMessageCallback = () => void calls.push('listener')
    client.on('message', listener)
    client.once('message', listener)
    assert.deepEqual(client.listeners('message'), [listener, listener])
    assert.equal(client.rawListeners('message')[0], listener)
    assert.equal(client.listenerCount('message', listener), 2)
    client.off('message', listener)
    client.removeListener('message', listener)
    assert.deepEqual(client.listeners('message'), [])
    client.on('message', listener)
    client.removeAllListeners('message')
    const topic = uniqueTopic()
    await client.subscribeAsync(topic)
    await withSpans(async (spans) => {
      await client.publishAsync(topic, 'nobody listens', { qos: 1 })
      await client.publishAsync(topic, 'nobody listens', { qos: 1 })
      assert.deepEqual(spans.named(`process ${topic}`), [])
    })
    assert.deepEqual(calls, [])
    // As Node's own `emit` answers.
    assert.equal(client.emit('message', topic, Buffer.alloc(0), { cmd: 'publish' } as never), false)
  })

  test('have each the context of its own message, however many are handled at once', (t) =>
    withSpans(async (spans) => {
      const topic = uniqueTopic()
      const client = await connect(t)
      await client.subscribeAsync(topic, { qos: 1 })
      const tracer = trace.getTracer('application')
      const seen = new Map<string, string | undefined>()
      client.on('message', async (_topic, payload) => {
        await new Promise(setImmediate)
        await client.publishAsync(`${topic}/done`, payload)
        seen.set(String(payload), trace.getActiveSpan()?.spanContext().traceId)
      })
      const sent = new Map<string, string>()
      for (let index = 0; index < 50; index++) {
        const order = tracer.startSpan(`order ${index}`, {}, ROOT_CONTEXT)
        sent.set(String(index), order.spanContext().traceId)
        const active = trace.setSpan(context.active(), order)
        context.with(active, () => client.publish(topic, String(index), { qos: 1 }))
        order.end()
      }
      await eventually(() => assert.equal(seen.size, 50))
      assert.deepEqual(new Map([...seen].sort()), new Map([...sent].sort()))
      await eventually(() => assert.equal(spans.finished().length, 200))
    }))

  test('that throw or give a promise that is rejected leave an error on the span', (t) =>
    withSpans(async (spans) => {
      const topic = uniqueTopic()
      const client = await connect(t)
      const packet = { cmd: 'publish', topic, payload: Buffer.from('x'), qos: 1, retain: false, dup: false }
      const emit = () => client.emit('message', topic, packet.payload, packet as never)
      const after: string[] = []
      client.on('message', () => {
        throw new TypeError('cannot read it')
      })
      client.on('message', () => void after.push('called'))
      assert.throws(emit, TypeError)
      assert.deepEqual(after, [])
      const [span] = spans.finished()
      assert.deepEqual(span?.status, { code: SpanStatusCode.ERROR, message: 'cannot read it' })
      assert.equal(span?.attributes['error.type'], 'TypeError')
      assert.equal(span?.attributes['throughline.outcome'], 'release')
    }))

  test('that fail when their message is acknowledged are not the attempt before at the next one of its packet identifier', (t) =>
    withSpans(async (spans) => {
      const topic = uniqueTopic()
      const client = await connect(t)
      const packet = { cmd: 'publish', topic, payload: Buffer.from('x'), qos: 2, retain: false, dup: false }
      const emit = () => client.emit('message', topic, packet.payload, { ...packet, messageId: 7 } as never)
      client.once('message', async () => {
        throw new RangeError('too late')
      })
      const unhandled = unhandledRejection()
      emit()
      assert.equal(String(await unhandled), 'RangeError: too late')
      client.on('message', () => {})
      emit()
      const [failed, next] = spans.finished()
      assert.equal(failed?.attributes['throughline.outcome'], 'accept')
      assert.equal(failed?.status.message, 'too late')
      assert.equal(next?.attributes['throughline.attempt'], undefined)
      assert.deepEqual(next?.links, [])
    }))

  test('that give something else than a promise are not asked for its end', (t) =>
    withSpans(async (spans) => {
      const topic = uniqueTopic()
      const client = await connect(t)
      await client.subscribeAsync(topic)
      let asked = 0
      // A query that runs when somebody awaits it.
      // biome-ignore lint/suspicious/noThenProperty: it is what is tested
      const query = { then: () => void asked++ }
      client.on('message', () => query as never)
      await client.publishAsync(topic, 'hello')
      await eventually(() => assert.equal(spans.finished().length, 2))
      assert.equal(asked, 0)
    }))

  test('have a span without parent where the message brings no context, or one that is not valid', (t) =>
    withSpans(async (spans) => {
      const topic = uniqueTopic()
      const instrumented = await connect(t)
      await instrumented.subscribeAsync(topic)
      const packets: unknown[] = []
      instrumented.on('message', (_topic, _payload, packet) => void packets.push(packet))
      const other = await connect(t)
      instrumentation.disable()
      for (const userProperties of [{ tenant: 'a' }, { traceparent: '00-nonsense-01' }]) {
        await other.publishAsync(topic, 'x', { properties: { userProperties } })
      }
      instrumentation.enable()
      await eventually(() => assert.equal(spans.finished().length, 2))
      const attributes = {
        ...PROCESS,
        'messaging.destination.name': topic,
        'messaging.mqtt.qos': 0,
        'messaging.mqtt.retain': false,
        'throughline.missing_context': true,
        'mqtt.missing_context': true,
      }
      assert.deepEqual(spans.tree({ omit: OMIT }), [
        { name: `process ${topic}`, kind: 'CONSUMER', trace: 1, parent: null, attributes },
        {
          name: `process ${topic}`,
          kind: 'CONSUMER',
          trace: 2,
          parent: null,
          attributes: { ...attributes, 'throughline.invalid_context': '00-nonsense-01' },
        },
      ])
    }))

  test('that feed a loop leave each message its context', (t) =>
    withSpans(async (spans) => {
      const topic = uniqueTopic()
      const client = await connect(t)
      await client.subscribeAsync(topic)
      const messages = on(client as unknown as EventEmitter, 'message')
      for (const payload of ['one', 'two']) await client.publishAsync(topic, payload)
      const traces: unknown[] = []
      for await (const [, , packet] of messages) {
        context.with(messageContext(packet), () => traces.push(trace.getActiveSpan()?.spanContext().traceId))
        if (traces.length === 2) break
      }
      assert.deepEqual(
        traces,
        spans.named(`publish ${topic}`).map((span) => span.spanContext().traceId),
      )
    }))

  test('are named by the subscription’s pattern, and retained messages are told', (t) =>
    withSpans(async (spans) => {
      const topic = uniqueTopic()
      const client = await connect(t)
      await client.publishAsync(`${topic}/7/reading`, 'kept', { retain: true, qos: 1 })
      const seen: unknown[] = []
      client.on('message', (of) => void seen.push(of))
      await client.subscribeAsync({ [`${topic}/+/reading`]: { qos: 1 } })
      await eventually(() => assert.equal(spans.finished().length, 2))
      const quality = { 'messaging.mqtt.qos': 1, 'messaging.mqtt.retain': true }
      const destination = { 'messaging.destination.name': `${topic}/7/reading` }
      assert.deepEqual(spans.tree({ omit: OMIT }), [
        {
          name: `publish ${topic}/7/reading`,
          kind: 'PRODUCER',
          trace: 1,
          parent: null,
          attributes: { ...PUBLISH, ...destination, ...quality },
          children: [
            {
              name: `process ${topic}/+/reading`,
              kind: 'CONSUMER',
              trace: 1,
              parent: `publish ${topic}/7/reading`,
              links: [{ to: `publish ${topic}/7/reading` }],
              attributes: {
                ...PROCESS,
                ...destination,
                'messaging.destination.template': `${topic}/+/reading`,
                ...quality,
                ...SENT_AT,
                'throughline.outcome': 'accept',
              },
            },
          ],
        },
      ])
      await client.publishAsync(`${topic}/7/reading`, '', { retain: true, qos: 1 })
      await eventually(() => assert.equal(seen.length, 2))
    }))
})
