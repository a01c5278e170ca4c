import assert from 'node:assert/strict'
import { test } from 'node:test'
import { durationText, renderJourneyText, toJourneyJson } from '@throughline/explorer'
import { message } from '../otlp-json.ts'
import { needsShared } from '../shared-data.ts'
import { journeyIn, storeOf, storeOfShared } from '../temporary.ts'

test('the golden journey as text', needsShared, (context) => {
  const store = storeOfShared(context, 'golden/otlp.json')
  assert.equal(
    renderJourneyText(journeyIn(store, { event: 'e-1' })),
    `journey of e-1 com.example.sensor.reading  subject sensor-001  trace 4bf92f35…
  HTTP   station   → webhook    /events                             2.1 ms
  Kafka  webhook   → forwarder  sensor-readings[2]@17       waited  3.4 ms
  MQTT   forwarder → device     sensors/sensor-001/reading  waited  1.2 ms  QoS 1
  HTTP   device    → echo       /echo                               2.2 ms
  total 8.3 ms = work 3.0 + queue 4.3 + wait 1.0 · 5 services · 8 spans · 1 trace · nothing missing
  (8: station send; webhook process, send; forwarder process, publish; device process, client; echo server)`,
  )
})

test('what is missing stands in the text and in the JSON', (context) => {
  const store = storeOf(context, [
    message('process', 'http', '/events', {
      service: 'webhook',
      trace: '1',
      id: '1',
      event: 'curl',
      attributes: { 'throughline.missing_context': true },
    }),
    message('send', 'kafka', 'readings', {
      service: 'webhook',
      trace: '1',
      id: '2',
      parent: '1',
      event: 'curl',
      error: 'timeout',
    }),
  ])
  const journey = journeyIn(store, { event: 'curl' })
  assert.match(renderJourneyText(journey), /HTTP {3}unknown → webhook {6}\/events\n/)
  assert.match(renderJourneyText(journey), /Kafka {2}webhook → nobody seen {2}readings .*ERROR\n/)
  assert.match(renderJourneyText(journey), /\n {2}! no context, publisher unknown, path \/events$/)
  assert.deepEqual(toJourneyJson(journey), {
    eventId: 'curl',
    traceId: journey.traceIds[0],
    hops: [
      { transport: 'http', destination: '/events', from: null, to: 'webhook', queueMs: null },
      { transport: 'kafka', destination: 'readings', from: 'webhook', to: null, queueMs: null },
    ],
    spans: 2,
    services: ['webhook'],
    missing: [
      'hop 1 (http /events): no context, publisher unknown, path /events',
      'hop 2 (kafka readings): sent by webhook, received by nobody that was seen',
    ],
  })
})

test('durations are as long as they need to be', () => {
  const cases: [number, string][] = [
    [0, '0.0 ms'],
    [3.44, '3.4 ms'],
    [4_200, '4.2 s'],
    [252_000, '4 m 12 s'],
    [7_980_000, '2 h 13 m'],
    [-42, '-42.0 ms'],
    [59_990, '60.0 s'],
  ]
  for (const [ms, text] of cases) assert.equal(durationText(ms), text)
})

test('a hop says in how large a batch its message was handled, also where links stand on parts of it', (context) => {
  const sent = Array.from({ length: 200 }, (_, index) => {
    const id = `a${index}`
    return message('send', 'kafka', 'orders', { service: 'order', trace: id, id, event: `e-${index}` })
  })
  const links = sent.map(({ trace, id }) => ({ trace, id }))
  const parts = [0, 1].map((part) =>
    message('receive', 'kafka', 'orders', {
      kind: 'CLIENT',
      service: 'analytics',
      trace: 'ff',
      id: `c${part}`,
      parent: 'ff',
      at: 10,
      links: links.slice(part * 128, (part + 1) * 128),
      attributes: {
        'throughline.batch.part': `${part + 1}/2`,
        'messaging.batch.message_count': part === 0 ? 128 : 72,
      },
    }),
  )
  const whole = message('process', 'kafka', 'orders', {
    service: 'analytics',
    trace: 'ff',
    id: 'ff',
    at: 10,
    links: parts.map(({ trace, id }) => ({ trace, id })),
    attributes: { 'messaging.batch.message_count': 200 },
  })
  const store = storeOf(context, [...sent, whole, ...parts])
  assert.match(
    renderJourneyText(journeyIn(store, { event: 'e-150' })),
    /Kafka {2}order → analytics {2}orders {2}waited {2}10\.0 ms {2}in a batch of 200\n/,
  )
})
