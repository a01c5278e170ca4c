import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { context, SpanKind, trace } from '@opentelemetry/api'
import { eventually, recordSpans, withSpans } from '@throughline/testkit'
import type { IClientPublishOptions, IPublishPacket } from 'mqtt'
import { MqttInstrumentation } from '../../src/index.ts'
import { frozen } from '../support/frozen.ts'
import { connect, next, OMIT, PROCESS, PUBLISH, SENT_AT, uniqueTopic } from '../support/mqtt.ts'

recordSpans()
new MqttInstrumentation()

/** What a client without the instrumentation gets of what `publish` sends. */
async function received(
  t: Parameters<typeof connect>[0],
  publish: (client: Awaited<ReturnType<typeof connect>>, topic: string) => Promise<unknown>,
): Promise<IPublishPacket> {
  const topic = uniqueTopic()
  const reader = await connect(t)
  await reader.subscribeAsync(topic)
  const packet = Promise.withResolvers<IPublishPacket>()
  reader.on('packetreceive', (each) => {
    if (each.cmd === 'publish') packet.resolve(each)
  })
  await publish(await connect(t), topic)
  return packet.promise
}

describe('publishing by MQTT.js', () => {
  for (const qos of [0, 1, 2] as const) {
    test(`at QoS ${qos} is a span that ends with what the broker says, and the parent of its process span`, (t) =>
      withSpans(async (spans) => {
        const topic = uniqueTopic()
        const client = await connect(t)
        await client.subscribeAsync(topic, { qos })
        const arrived = next(client, 'message')
        await client.publishAsync(topic, 'hello', { qos })
        await arrived
        await eventually(() => assert.equal(spans.finished().length, 2))
        const quality = { 'messaging.mqtt.qos': qos, 'messaging.mqtt.retain': false }
        assert.deepEqual(spans.tree({ omit: OMIT }), [
          {
            name: `publish ${topic}`,
            kind: 'PRODUCER',
            trace: 1,
            parent: null,
            attributes: { ...PUBLISH, 'messaging.destination.name': topic, ...quality },
            children: [
              {
                name: `process ${topic}`,
                kind: 'CONSUMER',
                trace: 1,
                parent: `publish ${topic}`,
                links: [{ to: `publish ${topic}` }],
                attributes: {
                  ...PROCESS,
                  'messaging.destination.name': topic,
                  ...quality,
                  ...SENT_AT,
                  ...(qos === 0 ? {} : { 'throughline.outcome': 'accept' }),
                },
              },
            ],
          },
        ])
        for (const { attributes } of spans.finished()) {
          assert.equal(typeof attributes['messaging.mqtt.packet_id'], qos === 0 ? 'undefined' : 'number')
          assert.equal(attributes['messaging.client.id'], client.options.clientId)
          assert.equal(typeof attributes['server.port'], 'number')
        }
      }))
  }

  test('is traced in all of its forms, which answer as they did', (t) =>
    withSpans(async (spans) => {
      const topic = uniqueTopic()
      const client = await connect(t)
      const answers: unknown[][] = []
      const answer = (...given: unknown[]) => answers.push(given)
      assert.equal(client.publish(topic, 'no options'), client)
      assert.equal(client.publish(topic, 'callback alone', answer), client)
      client.publish(topic, 'options', { qos: 1, retain: false })
      client.publish(topic, 'both', { qos: 1 }, answer)
      assert.equal(
        typeof (await client.publishAsync(topic, Buffer.from('promise'), { qos: 2 }))?.messageId,
        'number',
      )
      await client.publishAsync(topic, 'promise alone')
      await eventually(() => assert.equal(answers.length, 2))
      assert.deepEqual(answers[0], [])
      assert.equal(answers[1]?.[0] ?? null, null)
      await eventually(() => assert.equal(spans.named(`publish ${topic}`).length, 6))
    }))

  test('carries the context in user properties, and what the application gave is left as it was', async (t) => {
    const options: IClientPublishOptions = frozen({
      qos: 1,
      retain: false,
      properties: {
        contentType: 'text/plain',
        correlationData: new Uint8Array([1, 2, 3]) as Buffer,
        userProperties: { tenant: 'a', trace: ['x', 'y'], Baggage: 'stale=1' },
      },
    })
    await withSpans(async (spans) => {
      const { properties } = await received(t, (client, topic) =>
        client.publishAsync(topic, 'hello', options),
      )
      const [span] = spans.finished()
      const { traceId, spanId } = span?.spanContext() ?? {}
      const { 'throughline-sent-at': sentAt, ...carried } = properties?.userProperties ?? {}
      assert.match(String(sentAt), /^\d{16}$/)
      assert.deepEqual(
        { ...carried },
        { tenant: 'a', trace: ['x', 'y'], traceparent: `00-${traceId}-${spanId}-01` },
      )
      assert.equal(properties?.contentType, 'text/plain')
      assert.deepEqual([...(properties?.correlationData ?? [])], [1, 2, 3])
    })
  })

  test('goes on under the span that is active', (t) =>
    withSpans(async (spans) => {
      const parent = trace.getTracer('application').startSpan('order')
      await context.with(trace.setSpan(context.active(), parent), () =>
        received(t, (client, topic) => client.publishAsync(topic, 'hello')),
      )
      parent.end()
      assert.equal(spans.finished()[1]?.parentSpanContext?.spanId, parent.spanContext().spanId)
    }))

  test('calls back in the context in which it was called, whichever the client was connected in', (t) =>
    withSpans(async () => {
      const tracer = trace.getTracer('application')
      const within = <Result>(name: string, run: () => Result): Result =>
        tracer.startActiveSpan(name, (span) => {
          span.end()
          return run()
        })
      const client = await within('connecting', () => connect(t))
      for (const qos of [0, 1, 2] as const) {
        const { promise, resolve } = Promise.withResolvers<string | undefined>()
        const order = within(`order ${qos}`, () => {
          client.publish(uniqueTopic(), 'x', { qos }, () =>
            resolve(trace.getActiveSpan()?.spanContext().spanId),
          )
          return trace.getActiveSpan()?.spanContext().spanId
        })
        assert.equal(await promise, order)
      }
    }))

  test('keeps a context that the application has put on the message itself, and links to it', async (t) => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    await withSpans(async (spans) => {
      const { properties } = await received(t, (client, topic) =>
        client.publishAsync(topic, 'hello', { properties: { userProperties: { traceparent } } }),
      )
      assert.deepEqual({ ...properties?.userProperties }, { traceparent })
      const [span] = spans.finished()
      assert.equal(span?.kind, SpanKind.CLIENT)
      assert.deepEqual(
        span?.links.map((link) => link.context.spanId),
        ['b7ad6b7169203331'],
      )
    })
  })

  test('replaces the context that was copied with the properties of the message being handled', (t) =>
    withSpans(async (spans) => {
      const [first, second] = [uniqueTopic(), uniqueTopic()]
      const client = await connect(t)
      await client.subscribeAsync([first, second])
      const packets: IPublishPacket[] = []
      client.on('message', (topic, payload, { properties }) => {
        if (topic === first)
          client.publish(second, payload, {
            properties: { userProperties: properties?.userProperties ?? {} },
          })
      })
      client.on('packetreceive', (packet) => {
        if (packet.cmd === 'publish') packets.push(packet)
      })
      await client.publishAsync(first, 'hello', { properties: { userProperties: { tenant: 'a' } } })
      await eventually(() => assert.equal(spans.finished().length, 4))
      const [, , forwarded, last] = spans.finished()
      assert.deepEqual(
        spans.finished().map(({ name, kind }) => [name, SpanKind[kind]]),
        [
          [`publish ${first}`, 'PRODUCER'],
          [`process ${first}`, 'CONSUMER'],
          [`publish ${second}`, 'PRODUCER'],
          [`process ${second}`, 'CONSUMER'],
        ],
      )
      assert.equal(new Set(spans.finished().map((span) => span.spanContext().traceId)).size, 1)
      assert.equal(last?.parentSpanContext?.spanId, forwarded?.spanContext().spanId)
      const { userProperties = {} } = packets[1]?.properties ?? {}
      assert.equal(userProperties.tenant, 'a')
      assert.match(String(userProperties.traceparent), new RegExp(forwarded?.spanContext().spanId ?? 'none'))
    }))

  test('is the span of an event, in binary and in structured mode', async (t) => {
    const attributes = { specversion: '1.0', id: 'e-1', source: '/s', type: 'com.example.reading' }
    const event = {
      'cloudevents.event_id': 'e-1',
      'cloudevents.event_source': '/s',
      'cloudevents.event_type': 'com.example.reading',
      'cloudevents.event_spec_version': '1.0',
      'messaging.message.id': 'e-1',
    }
    for (const [payload, properties] of [
      ['{}', { userProperties: attributes }],
      [JSON.stringify(attributes), { contentType: 'application/cloudevents+json; charset=utf-8' }],
      [JSON.stringify(attributes), {}],
    ] as const) {
      await withSpans(async (spans) => {
        const topic = uniqueTopic()
        const client = await connect(t)
        await client.subscribeAsync(topic)
        client.on('message', () => {})
        await client.publishAsync(topic, payload, { properties })
        await eventually(() => assert.equal(spans.finished().length, 2))
        for (const span of spans.finished()) {
          assert.deepEqual({ ...span.attributes, ...event }, span.attributes)
          // The hop's context is no attribute of the event, which would be linked to as its origin.
          assert.equal(span.links.length, span.kind === SpanKind.CONSUMER ? 1 : 0)
        }
      })
    }
  })

  test('of a topic by its alias is a span of the topic', (t) =>
    withSpans(async (spans) => {
      const topic = uniqueTopic()
      const client = await connect(t)
      const properties = { topicAlias: 1 }
      await client.publishAsync(topic, 'first', { properties })
      await client.publishAsync('', 'second', { properties })
      assert.equal(spans.named(`publish ${topic}`).length, 2)
    }))
})
