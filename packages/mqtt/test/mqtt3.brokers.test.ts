import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { CloudEvent, Delivery, Message, Subscriber } from '@throughline/core'
import { eventually, recordSpans, type SpanRecorder, withSpans } from '@throughline/testkit'
import { mqtt } from '../src/index.ts'
import type { MqttOptions } from '../src/options.ts'
import { mqttTransport } from '../src/transport.ts'
import { mqttUrl, unique } from './mqtt-url.ts'
import { publishAsStranger, subscribeAsStranger } from './stranger.ts'

const ACCEPT = { outcome: 'accept' } as const
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'
const TRACEPARENT = `00-${TRACE}-${SPAN}-01`
const reading = { id: '1', source: '/station', type: 'reading', data: { celsius: 21.5 } }

function old(options: Partial<MqttOptions> = {}): MqttOptions {
  const quiet = { onWarning: () => undefined }
  return { url: mqttUrl(), protocolVersion: 4, clientId: unique('mqtt3'), ...quiet, ...options }
}

function text({ body }: Message): string {
  return Buffer.from(body ?? []).toString()
}

/** The next `count` deliveries, settled if so asked. */
async function take(subscriber: Subscriber, count: number, settle = true): Promise<Delivery[]> {
  const taken: Delivery[] = []
  for await (const deliveries of subscriber.deliveries()) {
    taken.push(...deliveries)
    if (settle) await subscriber.settle(deliveries, ACCEPT)
    if (taken.length >= count) break
  }
  return taken
}

const EVENT_ATTRIBUTES = {
  'cloudevents.event_id': '1',
  'cloudevents.event_source': '/station',
  'cloudevents.event_type': 'reading',
  'cloudevents.event_spec_version': '1.0',
}

/** Spans without what differs from run to run. */
function treeOf(spans: SpanRecorder) {
  const ids = ['messaging.client.id', 'messaging.mqtt.packet_id']
  const omit = ['server.address', 'server.port', 'throughline.sent_at', ...ids]
  return spans.tree({ omit })
}

/** Handles events of a topic, and waits until one span more has ended. */
async function handled(
  t: TestContext,
  options: MqttOptions,
  topic: string,
  qos: 0 | 1 | 2 = 1,
): Promise<CloudEvent[]> {
  const broker = mqtt(options)
  t.after(() => broker.close())
  const events: CloudEvent[] = []
  await broker.subscribe({ topics: [topic], qos, onExhausted: 'drop' }, (event) => void events.push(event))
  return events
}

describe('MQTT 3.1.1 with the envelope', () => {
  for (const [from, to, qos] of [
    [4, 4, 0],
    [4, 4, 1],
    [4, 4, 2],
    [5, 4, 1],
    [4, 5, 1],
    [5, 5, 0],
    [5, 5, 1],
    [5, 5, 2],
  ] as const) {
    test(`one trace goes from a publisher of version ${from} to a subscriber of version ${to} at QoS ${qos}`, (t) =>
      withSpans(async (spans) => {
        const topic = unique('envelope')
        const seen = await handled(t, old({ protocolVersion: to, envelope: true }), topic, qos)
        const broker = mqtt(old({ protocolVersion: from, envelope: true }))
        t.after(() => broker.close())
        await broker.publisher({ topic, qos }).publish(reading)
        await eventually(() => assert.equal(spans.finished().length, 2))
        assert.deepEqual(seen, [{ ...reading, specversion: '1.0' }])
        assert.deepEqual(treeOf(spans), [
          {
            name: `publish ${topic}`,
            kind: 'PRODUCER',
            trace: 1,
            parent: null,
            attributes: {
              'messaging.system': 'mqtt',
              'messaging.operation.name': 'publish',
              'messaging.operation.type': 'send',
              'messaging.destination.name': topic,
              ...EVENT_ATTRIBUTES,
              'messaging.message.id': '1',
              'messaging.mqtt.qos': qos,
              'messaging.mqtt.retain': false,
            },
            children: [
              {
                name: `process ${topic}`,
                kind: 'CONSUMER',
                trace: 1,
                parent: `publish ${topic}`,
                links: [{ to: `publish ${topic}` }],
                attributes: {
                  'messaging.system': 'mqtt',
                  'messaging.operation.name': 'process',
                  'messaging.operation.type': 'process',
                  'messaging.destination.name': topic,
                  'messaging.mqtt.qos': qos,
                  'messaging.mqtt.retain': false,
                  ...EVENT_ATTRIBUTES,
                  'messaging.message.id': '1',
                  'throughline.outcome': 'accept',
                  'throughline.sent_at_source': 'header',
                },
              },
            ],
          },
        ])
      }))
  }

  test('a stranger sees context, headers and event as one JSON object', async (t) => {
    recordSpans()
    const topic = unique('stranger')
    const lines = await subscribeAsStranger(t, topic)
    const broker = mqtt(old({ envelope: true }))
    t.after(() => broker.close())
    const headers = { 'x-y': 'ü' }
    await broker.publisher({ topic }).publish(reading)
    await broker.publisher({ topic }).publish({ body: 'plain', contentType: 'text/plain', headers })
    await broker.publisher({ topic }).publish({ body: Uint8Array.of(255), headers })
    const payloads = await eventually(() => {
      assert.equal(lines.length, 3)
      return lines.map((line) => JSON.parse(line.slice(topic.length + 1)))
    })
    for (const payload of payloads) {
      assert.match(payload.traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
      assert.match(payload.headers['throughline-sent-at'], /^\d{16}$/)
      delete payload.traceparent
      delete payload.headers['throughline-sent-at']
    }
    assert.deepEqual(payloads, [
      { headers: {}, event: { ...reading, specversion: '1.0' } },
      { headers: { ...headers, 'content-type': 'text/plain' }, data: 'plain' },
      { headers, data_base64: '/w==' },
    ])
  })

  test('an envelope that a stranger wrote is unwrapped before the handler, in its trace', (t) =>
    withSpans(async (spans) => {
      const topic = unique('by-hand')
      const seen = await handled(t, old({ envelope: true }), topic)
      const event = { specversion: '1.0', ...reading, n: 7 }
      await publishAsStranger(topic, JSON.stringify({ traceparent: TRACEPARENT, event }))
      await eventually(() => assert.equal(spans.finished().length, 1))
      assert.deepEqual(seen, [event])
      const [span] = treeOf(spans)
      assert.deepEqual([span?.parent, span?.links], [`${TRACE}-${SPAN}`, [{ to: `${TRACE}-${SPAN}` }]])
    }))

  test('a stranger’s JSON with trace members at its top is handled in its trace, its bytes as they came', (t) =>
    withSpans(async (spans) => {
      const topic = unique('top-level')
      const broker = mqtt(old({ envelope: true }))
      t.after(() => broker.close())
      const seen: string[] = []
      await broker.subscribe({ topics: [topic], raw: true }, (message) => void seen.push(text(message)))
      const payload = `{ "traceparent": "${TRACEPARENT}", "celsius": 21.50 }`
      await publishAsStranger(topic, payload)
      await eventually(() => assert.equal(spans.finished().length, 1))
      assert.deepEqual(seen, [payload])
      assert.equal(treeOf(spans)[0]?.parent, `${TRACE}-${SPAN}`)
    }))

  test('a dead letter keeps its reasons, and its trace', (t) =>
    withSpans(async (spans) => {
      const [topic, dead] = [unique('failing'), unique('dead')]
      const broker = mqtt(old({ envelope: true }))
      t.after(() => broker.close())
      const letters: Message[] = []
      await broker.subscribe(
        { topics: [dead], raw: true, session: 'dead' },
        (message) => void letters.push(message),
      )
      const deadLetter = { publisher: broker.publisher({ topic: dead }), route: 'r' }
      await broker.subscribe({ topics: [topic], deadLetter, retry: { attempts: 1 } }, () => {
        throw new Error('broken')
      })
      await broker.publisher({ topic }).publish(reading)
      const [letter] = await eventually(() => {
        assert.equal(letters.length, 1)
        return letters
      })
      const headers = Object.fromEntries(letter?.headers ?? [])
      assert.equal(headers['throughline-dead-letter-reason'], 'broken')
      assert.equal(headers['throughline-dead-letter-source'], topic)
      await eventually(() => assert.equal(spans.finished().length, 4))
      assert.deepEqual([...new Set(spans.finished().map((span) => span.spanContext().traceId))].length, 1)
    }))

  test('an empty message deletes what was retained', async (t) => {
    const topic = unique('retained')
    const transport = mqttTransport(old({ envelope: true }))
    const publisher = transport.publisher({ topic, retain: true })
    const subscriber = transport.subscriber({ topics: [topic, `${topic}/end`] })
    t.after(() => Promise.all([publisher.close(), subscriber.close()]))
    await publisher.publish([{ body: Buffer.from('kept'), headers: [] }])
    await publisher.publish([{ body: null, headers: [] }])
    await subscriber.open()
    await publisher.publish([{ body: Buffer.from('end'), headers: [], destination: `${topic}/end` }])
    const [first] = await take(subscriber, 1)
    assert.equal(first && text(first.message), 'end')
    await publisher.publish([{ body: null, headers: [], destination: `${topic}/end` }])
  })
})

describe('MQTT 3.1.1 without the envelope', () => {
  test('carries whole events in their JSON form and nothing beside them', async (t) => {
    const topic = unique('bare')
    const lines = await subscribeAsStranger(t, topic)
    const seen = await handled(t, old(), topic)
    const broker = mqtt(old())
    t.after(() => broker.close())
    await broker.publisher({ topic, mode: 'binary' }).publish(reading)
    await eventually(() => assert.deepEqual(seen, [{ ...reading, specversion: '1.0' }]))
    const [line = ''] = await eventually(() => {
      assert.equal(lines.length, 1)
      return lines
    })
    assert.deepEqual(JSON.parse(line.slice(topic.length + 1)), { specversion: '1.0', ...reading })
  })

  test('ends the trace at the broker, and says so at the start and on the span', (t) =>
    withSpans(async (spans) => {
      const topic = unique('bare')
      const warnings: string[] = []
      await handled(t, old({ onWarning: (warning) => warnings.push(warning) }), topic)
      assert.match(
        warnings.join(),
        /^MQTT 3\.1\.1 carries no headers: .* set envelope: true, or protocolVersion: 5$/,
      )
      const broker = mqtt(old())
      t.after(() => broker.close())
      await broker.publisher({ topic }).publish(reading)
      await eventually(() => assert.equal(spans.finished().length, 2))
      const roots = treeOf(spans)
      assert.deepEqual(
        roots.map(({ name, parent, attributes = {} }) => [name, parent, attributes['mqtt.missing_context']]),
        [
          [`publish ${topic}`, null, undefined],
          [`process ${topic}`, null, true],
        ],
      )
    }))
})

describe('a session of MQTT 3.1.1', () => {
  test('keeps what comes while its client is away', async (t) => {
    const [topic, options] = [unique('away'), old()]
    const before = mqttTransport(options).subscriber({ topics: [topic] })
    await before.open()
    await before.close()
    await publishAsStranger(topic, 'one')
    await publishAsStranger(topic, 'two')
    const after = mqttTransport(options).subscriber({ topics: [topic] })
    t.after(() => after.close())
    assert.deepEqual(
      (await take(after, 2)).map(({ message }) => text(message)),
      ['one', 'two'],
    )
  })

  test('is not made without a clientId, because nothing would end it, and that is said', async (t) => {
    const warnings: string[] = []
    const { clientId: _, ...options } = old({
      envelope: true,
      onWarning: (warning) => warnings.push(warning),
    })
    const subscriber = mqttTransport(options).subscriber({ topics: [unique('anonymous')] })
    t.after(() => subscriber.close())
    await subscriber.open()
    assert.match(warnings.join(), /^MQTT 3\.1\.1 without a clientId has no session: .* is lost$/)
  })
})
