import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { startExplorer, toJourneyJson } from '@throughline/explorer'
import { eventually, type OtlpSink, otlpSink, type PlainSpan } from '@throughline/testkit'
import { fetchJourney } from './support/journey.ts'
import { brokers, createPipeline, type Pipeline } from './support/pipeline.ts'
import { type KafkaRecord, type MqttMessage, type MqttTap, readTopic, tapMqtt } from './support/wire.ts'

const COUNT = 8
const EVENT_ID = 'cloudevents.event_id'

let sink: OtlpSink
let pipeline: Pipeline
let tap: MqttTap
/** Ids of the readings that the station had answered 2xx, in order; every second one has an origin extension. */
let ids: readonly string[] = []
let records: readonly KafkaRecord[] = []

before(async () => {
  sink = await otlpSink()
  pipeline = await createPipeline({ otlpUrl: sink.url })
  tap = await tapMqtt(brokers().mqttUrl, 'sensors/#')
  for (const name of ['echo', 'device', 'forwarder', 'webhook'] as const) await pipeline.start(name)
  const station = await pipeline.start('station', ['--count', String(COUNT), '--rate', '20'])
  await station.exited
  const answered = pipeline.printed('station')
  assert.equal(answered.length, COUNT)
  const isWhole = (id: string) => spansOf(id).length === 8
  await eventually(() => assert.ok(answered.every(isWhole)), { timeoutMs: 30_000 })
  // Printed as they were answered; wanted as they were sent.
  const sentAt = (id: string) =>
    Number(spansOf(id).find(({ service }) => service === 'station')?.startUnixNanos)
  ids = answered.toSorted((a, b) => sentAt(a) - sentAt(b))
  records = await readTopic(brokers().kafkaBrokers, 'sensor-readings')
})
after(async () => {
  await tap[Symbol.asyncDispose]()
  await pipeline[Symbol.asyncDispose]()
  await sink.close()
})

/** All spans of the trace in which an event was sent. */
function spansOf(id: string): readonly PlainSpan[] {
  const spans = sink.spans()
  const traceId = spans.find(({ attributes }) => attributes[EVENT_ID] === id)?.traceId
  return spans.filter((span) => span.traceId === traceId)
}

const recordOf = (id: string): KafkaRecord | undefined =>
  records.find(({ headers }) => headers.some(([name, value]) => name === 'ce_id' && value === id))

function mqttOf(id: string): MqttMessage | undefined {
  return tap.messages.find(
    ({ properties, payload }) => properties['user-properties'].id === id || payload.includes(`"id":"${id}"`),
  )
}

/** A span with the ids replaced by what they stand for, and its children. */
interface Node {
  readonly span: string
  readonly kind: string
  readonly service: string
  readonly links: readonly string[]
  readonly attributes: Readonly<Record<string, unknown>>
  readonly children: readonly Node[]
}

function treeOf(spans: readonly PlainSpan[], parentSpanId = ''): readonly Node[] {
  const nameOf = (spanId: string) => {
    const span = spans.find((each) => each.spanId === spanId)
    return span === undefined ? `unknown ${spanId}` : `${span.service}: ${span.name}`
  }
  return spans
    .filter((span) => span.parentSpanId === parentSpanId)
    .map((span) => ({
      span: span.name,
      kind: span.kind,
      service: span.service,
      links: span.links.map(
        ({ spanId, attributes }) => `${nameOf(spanId)}${attributes.origin ? ' (origin)' : ''}`,
      ),
      attributes: Object.fromEntries(
        Object.entries(span.attributes).filter(
          ([name]) => name.startsWith('messaging.') || name.startsWith('throughline.'),
        ),
      ),
      children: treeOf(spans, span.spanId),
    }))
}

describe('the whole way of a reading', () => {
  test('is one trace with the span tree of the tracing rules', () => {
    for (const [index, id] of ids.entries()) {
      const spans = spansOf(id)
      const subject = `sensor-00${(index % 3) + 1}`
      const record = recordOf(id)
      assert.ok(record)
      const { partition, offset } = record
      const [root] = treeOf(spans)
      assert.ok(root)
      const port = (service: string, name: string) =>
        spans.find((span) => span.service === service && span.name.startsWith(name))?.attributes[
          'messaging.mqtt.packet_id'
        ]
      const sentAt = (service: string) =>
        spans.find((span) => span.service === service && span.kind === 'CONSUMER')?.attributes[
          'throughline.sent_at'
        ]
      const common = (system: string, name: string, type: string) => ({
        'messaging.system': system,
        'messaging.operation.name': name,
        'messaging.operation.type': type,
        'messaging.message.id': id,
      })
      const http = { 'messaging.destination.name': '/events' }
      const kafka = {
        'messaging.client.id': 'throughline',
        'messaging.destination.name': 'sensor-readings',
        'messaging.destination.partition.id': String(partition),
        'messaging.kafka.message.key': subject,
        'messaging.kafka.offset': offset,
      }
      const mqtt = (client: string, template: string, packetId: unknown) => ({
        'messaging.client.id': client,
        'messaging.destination.name': `sensors/${subject}/reading`,
        'messaging.destination.template': template,
        'messaging.mqtt.packet_id': packetId,
        'messaging.mqtt.qos': 1,
        'messaging.mqtt.retain': false,
      })
      const processed = (service: string) => ({
        'throughline.outcome': 'accept',
        'throughline.sent_at': sentAt(service),
        'throughline.sent_at_source': 'header',
      })
      // The origin is the very span that sent the first hop: a link of its own only where the hop context has moved on.
      const origin = index % 2 === 1 ? ['station: send /events (origin)'] : []
      assert.deepEqual(root, {
        span: 'send /events',
        kind: 'PRODUCER',
        service: 'station',
        links: [],
        attributes: { ...common('http', 'send', 'send'), ...http },
        children: [
          {
            span: 'process /events',
            kind: 'CONSUMER',
            service: 'webhook',
            links: ['station: send /events'],
            attributes: { ...common('http', 'process', 'process'), ...http, ...processed('webhook') },
            children: [
              {
                span: 'send sensor-readings',
                kind: 'PRODUCER',
                service: 'webhook',
                links: [],
                attributes: { ...common('kafka', 'send', 'send'), ...kafka },
                children: [
                  {
                    span: 'process sensor-readings',
                    kind: 'CONSUMER',
                    service: 'forwarder',
                    links: ['webhook: send sensor-readings', ...origin],
                    attributes: {
                      ...common('kafka', 'process', 'process'),
                      ...kafka,
                      ...processed('forwarder'),
                      'messaging.consumer.group.name': 'forwarder',
                    },
                    children: [
                      {
                        span: 'publish sensors/{event.subject}/reading',
                        kind: 'PRODUCER',
                        service: 'forwarder',
                        links: [],
                        attributes: {
                          ...common('mqtt', 'publish', 'send'),
                          ...mqtt(
                            'sensors-forwarder-pub-forwarder',
                            'sensors/{event.subject}/reading',
                            port('forwarder', 'publish'),
                          ),
                        },
                        children: [
                          {
                            span: 'process sensors/{id}/reading',
                            kind: 'CONSUMER',
                            service: 'device',
                            links: ['forwarder: publish sensors/{event.subject}/reading', ...origin],
                            attributes: {
                              ...common('mqtt', 'process', 'process'),
                              ...mqtt(
                                'sensors-device-sub',
                                'sensors/{id}/reading',
                                port('device', 'process'),
                              ),
                              ...processed('device'),
                            },
                            children: [
                              {
                                span: 'POST',
                                kind: 'CLIENT',
                                service: 'device',
                                links: [],
                                attributes: {},
                                children: [
                                  {
                                    span: 'POST',
                                    kind: 'SERVER',
                                    service: 'echo',
                                    links: [],
                                    attributes: {},
                                    children: [],
                                  },
                                ],
                              },
                            ],
                          },
                        ],
                      },
                    ],
                  },
                ],
              },
            ],
          },
        ],
      })
    }
  })

  test('says of which event it is on every message span, and nothing failed', () => {
    for (const [index, id] of ids.entries()) {
      for (const span of spansOf(id)) {
        assert.equal(span.status.code, 'UNSET')
        assert.ok(span.endUnixNanos >= span.startUnixNanos)
        if (span.attributes['messaging.system'] === undefined) continue
        assert.equal(span.attributes[EVENT_ID], id)
        assert.equal(span.attributes['cloudevents.event_source'], '/stations/seattle')
        assert.equal(span.attributes['cloudevents.event_type'], 'com.example.sensor.reading')
        assert.equal(span.attributes['cloudevents.event_subject'], `sensor-00${(index % 3) + 1}`)
        assert.equal(span.attributes['cloudevents.event_spec_version'], '1.0')
      }
    }
  })

  test('has another traceparent at each hop, exactly one, while the origin extension stays as it was written', () => {
    for (const [index, id] of ids.entries()) {
      const spans = spansOf(id)
      const spanId = (name: string, service: string) =>
        spans.find((span) => span.name.startsWith(name) && span.service === service)?.spanId
      const traceId = spans[0]?.traceId
      const traceparent = (name: string, service: string) => `00-${traceId}-${spanId(name, service)}-01`
      const record = recordOf(id)
      const message = mqttOf(id)
      assert.ok(record && message)
      const contexts = record.headers.filter(([name]) => name.toLowerCase() === 'traceparent')
      assert.deepEqual(contexts, [['traceparent', traceparent('send', 'webhook')]])
      assert.equal(message.properties['user-properties'].traceparent, traceparent('publish', 'forwarder'))
      // Over MQTT an event with an origin goes structured: bare user properties of that name are the hop context.
      const origin = traceparent('send', 'station')
      const onKafka = record.headers.filter(([name]) => name === 'ce_traceparent')
      if (index % 2 === 0) {
        assert.deepEqual(onKafka, [])
        assert.equal(message.properties['user-properties'].specversion, '1.0')
        assert.equal(message.properties['content-type'], 'application/json')
      } else {
        assert.deepEqual(onKafka, [['ce_traceparent', origin]])
        assert.match(message.properties['content-type'] ?? '', /^application\/cloudevents\+json/)
        assert.equal(JSON.parse(message.payload).traceparent, origin)
      }
    }
  })

  test("strangers' clients see the event: ce_ headers and the key in kcat, attributes as user properties in mosquitto_sub", () => {
    const record = recordOf(ids[0] ?? '')
    assert.ok(record)
    const names = record.headers.map(([name]) => name)
    for (const name of [
      'ce_specversion',
      'ce_id',
      'ce_source',
      'ce_type',
      'ce_subject',
      'ce_time',
      'content-type',
    ]) {
      assert.equal(names.filter((each) => each === name).length, 1, name)
    }
    assert.equal(record.key, 'sensor-001')
    assert.equal(typeof JSON.parse(record.payload ?? '').celsius, 'number')
    const properties = mqttOf(ids[0] ?? '')?.properties['user-properties']
    assert.deepEqual(Object.keys(properties ?? {}).sort(), [
      ...['id', 'source', 'specversion', 'subject', 'throughline-sent-at', 'time', 'traceparent', 'type'],
    ])
  })
})

/** A hop derived from nothing but spans' parents and what kcat and mosquitto_sub saw: no code of the journey builder. */
function derivedHops(id: string) {
  const spans = spansOf(id)
  const parentOf = (span: PlainSpan) => spans.find(({ spanId }) => spanId === span.parentSpanId)
  const received = spans.filter(({ kind }) => kind === 'CONSUMER' || kind === 'SERVER')
  return received
    .sort((a, b) => Number(a.startUnixNanos - b.startUnixNanos))
    .map((span) => {
      const sender = parentOf(span)
      assert.ok(sender)
      const system = span.attributes['messaging.system'] ?? 'http'
      const record = recordOf(id)
      const onWire = { kafka: record?.topic, mqtt: mqttOf(id)?.topic }
      const wire = system === 'kafka' || system === 'mqtt' ? onWire[system] : undefined
      return {
        transport: system,
        destination: wire ?? span.attributes['messaging.destination.name'] ?? span.attributes['url.path'],
        from: sender.service,
        to: span.service,
        // Where one of the two is told in whole milliseconds only, a receiver can seem to begin before its sender.
        queueMs: Math.max(0, Number(span.startUnixNanos - sender.startUnixNanos) / 1e6),
      }
    })
}

describe('the explorer, given the bytes that the services exported', () => {
  test('draws the hops that are derived without it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'throughline-pipeline-'))
    const explorer = await startExplorer({ listen: '127.0.0.1:0', otlpHttp: '127.0.0.1:0', dataDir: folder })
    try {
      for (const { path, headers, body } of sink.requests) {
        const { 'content-type': type = '', 'content-encoding': encoding } = headers
        const response = await fetch(new URL(path, explorer.otlpUrl), {
          method: 'POST',
          headers: {
            'content-type': type,
            ...(encoding === undefined ? {} : { 'content-encoding': encoding }),
          },
          body: new Uint8Array(body),
        })
        assert.equal(response.status, 200)
      }
      for (const id of ids) {
        const journey = toJourneyJson(await fetchJourney(explorer, id))
        const rounded = (hops: readonly { readonly queueMs: number | null }[]) =>
          hops.map((hop) => ({ ...hop, queueMs: Math.round((hop.queueMs ?? Number.NaN) * 100) / 100 }))
        assert.deepEqual(rounded(journey.hops), rounded(derivedHops(id)))
        assert.deepEqual(journey.services, ['station', 'webhook', 'forwarder', 'device', 'echo'])
        assert.deepEqual([journey.eventId, journey.spans, journey.missing], [id, 8, []])
      }
    } finally {
      await explorer.close()
      await rm(folder, { recursive: true, force: true })
    }
  })
})
