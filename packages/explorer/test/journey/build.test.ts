import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Journey } from '../../src/api/schema.ts'
import { decodeJsonRequest } from '../../src/otlp/json.ts'
import { intakeOf } from '../../src/otlp/request.ts'
import { message, type SpanSpec, spanId, traceId } from '../otlp-json.ts'
import { needsShared, sharedFile } from '../shared-data.ts'
import { journeyIn, storeOf, temporaryStore } from '../temporary.ts'

const idsOf = (journey: Journey) => journey.spans.map((span) => span.spanId.replace(/^0+/, '')).sort()
const edgesOf = (journey: Journey) =>
  journey.edges
    .map(({ kind, from, to }) => `${from.spanId.replace(/^0+/, '')} ${kind} ${to.spanId.replace(/^0+/, '')}`)
    .sort()
const hopsOf = (journey: Journey) =>
  journey.hops.map(({ transport, destination, from, to }) => `${transport} ${destination}: ${from} → ${to}`)
const close = (actual: number, expected: number) =>
  assert.ok(Math.abs(actual - expected) < 1e-6, `${actual} is not ${expected}`)

const goldenRecords = () => intakeOf(decodeJsonRequest(sharedFile('golden/otlp.json'))).records

describe('the golden journey', needsShared, () => {
  test('is whole from event, trace and span id alike, with its hops in order', (context) => {
    const store = temporaryStore(context)
    store.append(goldenRecords())
    const ref = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '1000000000000005' }
    for (const start of [{ event: 'e-1' }, { kind: 'trace', ...ref }, { kind: 'span', span: ref }] as const) {
      const journey = journeyIn(store, start)
      assert.equal(journey.id, 'e-1')
      assert.deepEqual(journey.event, {
        id: 'e-1',
        source: '/sensors/temperature',
        type: 'com.example.sensor.reading',
        subject: 'sensor-001',
      })
      assert.deepEqual(hopsOf(journey), [
        'http /events: station → webhook',
        'kafka sensor-readings: webhook → forwarder',
        'mqtt sensors/sensor-001/reading: forwarder → device',
        'http /echo: device → echo',
      ])
      const [http, kafka, mqtt, call] = journey.hops
      assert.deepEqual(
        [kafka?.partition, kafka?.offset, mqtt?.qos, mqtt?.destinationTemplate],
        ['2', '17', 1, 'sensors/{event.subject}/reading'],
      )
      assert.deepEqual([http?.kind, call?.kind], ['message', 'call'])
      close(kafka?.queueMs ?? 0, 3.4)
      close(mqtt?.queueMs ?? 0, 1.2)
      close(mqtt?.confirmedMs ?? 0, 6.1)
      assert.deepEqual(journey.findings, [])
      assert.equal(journey.truncated, null)
    }
  })

  test('its time is work, queue and wait, and the queue is that of the brokers', (context) => {
    const store = temporaryStore(context)
    store.append(goldenRecords())
    const { totals } = journeyIn(store, { event: 'e-1' })
    close(totals.durationMs, 8.3)
    close(totals.workMs + totals.queueMs + totals.waitMs, totals.durationMs)
    // 3.4 + 1.2 less the 0.3 ms in which the webhook still worked while its message was under way.
    close(totals.queueMs, 4.3)
  })

  test('links equal to the parent are one edge; over a broker it is asynchronous', (context) => {
    const store = temporaryStore(context)
    store.append(goldenRecords())
    const journey = journeyIn(store, { event: 'e-1' })
    assert.equal(journey.edges.length, 7)
    assert.deepEqual(
      journey.edges.filter(({ kind }) => kind === 'async-child').map(({ to }) => to.spanId),
      ['1000000000000004', '1000000000000006'],
    )
    assert.ok(
      journey.spans.every(({ critical }) => critical),
      'a chain without branches is critical as a whole',
    )
  })

  test('an order leads to its retry and to the batch, not to the other orders of the batch', (context) => {
    const store = temporaryStore(context)
    store.append(goldenRecords())
    const journey = journeyIn(store, { kind: 'trace', traceId: '0af7651916cd43dd8448eb211c80319c' })
    assert.deepEqual(journey.services, ['order-service', 'payment', 'analytics'])
    assert.deepEqual(hopsOf(journey), [
      'kafka orders: order-service → payment',
      'kafka orders: order-service → analytics',
    ])
    assert.equal(journey.hops[0]?.attempts, 2)
    assert.deepEqual(journey.edges.map(({ kind }) => kind).sort(), [
      'async-child',
      'async-child',
      'batch-link',
      'retry',
    ])
  })

  test('the batch itself shows all its orders', (context) => {
    const store = temporaryStore(context)
    store.append(goldenRecords())
    const journey = journeyIn(store, { kind: 'trace', traceId: 'd3f7651916cd43dd8448eb211c80319c' })
    assert.equal(journey.hops.length, 3)
    assert.equal(journey.spans.length, 4)
  })

  test('a replay is a hop of the message that it replays', (context) => {
    const store = temporaryStore(context)
    store.append(goldenRecords())
    const journey = journeyIn(store, { kind: 'trace', traceId: '17f7651916cd43dd8448eb211c80319c' })
    assert.ok(hopsOf(journey).includes('kafka orders: order-service → replayer'))
    assert.ok(journey.edges.some(({ kind }) => kind === 'replay-link'))
  })
})

describe('batches', () => {
  const producers = Array.from({ length: 500 }, (_, i): SpanSpec[] => {
    const n = `${i + 1}`
    return [
      message('send', 'kafka', 'orders', {
        service: 'shop',
        trace: `a${n}`,
        id: `a${n}`,
        at: i,
        event: `e-${n}`,
      }),
      // Another consumer takes them one by one, and sends something on.
      message('process', 'kafka', 'orders', {
        service: 'stock',
        trace: `a${n}`,
        id: `b${n}`,
        parent: `a${n}`,
        at: 600 + i,
        event: `e-${n}`,
      }),
    ]
  }).flat()
  const links = Array.from({ length: 500 }, (_, i) => ({ trace: `a${i + 1}`, id: `a${i + 1}` }))
  const batch = message('process', 'kafka', 'orders', {
    service: 'analytics',
    trace: 'ff',
    id: 'ff',
    at: 2_000,
    links,
    attributes: { 'messaging.batch.message_count': 500 },
  })
  const load: SpanSpec = {
    service: 'analytics',
    trace: 'ff',
    id: 'fe',
    parent: 'ff',
    name: 'load',
    at: 2_000,
  }

  test('one message of a batch of 500 leads to the batch and what the batch did, to no other message', (context) => {
    const store = storeOf(context, [...producers, batch, load])
    const journey = journeyIn(store, { event: 'e-250' })
    assert.deepEqual(idsOf(journey), ['a250', 'b250', 'fe', 'ff'])
    assert.deepEqual(hopsOf(journey), ['kafka orders: shop → stock', 'kafka orders: shop → analytics'])
  })

  test('from the batch all 500 messages are there, with nothing of what else became of them', (context) => {
    const store = storeOf(context, [...producers, batch, load])
    const journey = journeyIn(store, { trace: 'ff' })
    assert.equal(journey.spans.length, 502)
    assert.equal(journey.hops.length, 500)
    assert.equal(
      journey.spans.some(({ service }) => service === 'stock'),
      false,
    )
  })

  test('links that stand on receive parts lead from one message to the batch, and from the batch to all', (context) => {
    const parts = [0, 1, 2, 3].map((part) =>
      message('receive', 'kafka', 'orders', {
        kind: 'CLIENT',
        service: 'analytics',
        trace: 'ff',
        id: `c${part}`,
        parent: 'ff',
        at: 2_000,
        links: links.slice(part * 128, (part + 1) * 128),
        attributes: { 'throughline.batch.part': `${part + 1}/4`, 'messaging.batch.message_count': 128 },
      }),
    )
    const whole = { ...batch, links: parts.map(({ trace, id }) => ({ trace, id })) }
    const store = storeOf(context, [...producers, whole, load, ...parts])
    const one = journeyIn(store, { event: 'e-250' })
    assert.deepEqual(idsOf(one), ['a250', 'b250', 'c1', 'fe', 'ff'])
    assert.deepEqual(hopsOf(one), ['kafka orders: shop → stock', 'kafka orders: shop → analytics'])
    const all = journeyIn(store, { trace: 'ff' })
    assert.equal(all.hops.filter(({ to }) => to === 'analytics').length, 500)
  })

  test('of a poll only the message that was asked for is followed', (context) => {
    const poll: SpanSpec = message('receive', 'kafka', 'orders', {
      kind: 'CLIENT',
      service: 'billing',
      trace: 'ee',
      id: 'ee',
      at: 900,
      ms: 50,
    })
    const each = links.map((link, i) =>
      message('process', 'kafka', 'orders', {
        service: 'billing',
        trace: 'ee',
        id: `d${i + 1}`,
        parent: 'ee',
        at: 901,
        links: [link],
      }),
    )
    const store = storeOf(context, [...producers, poll, ...each])
    assert.deepEqual(idsOf(journeyIn(store, { event: 'e-7' })), ['a7', 'b7', 'd7', 'ee'])
    assert.equal(journeyIn(store, { trace: 'ee' }).hops.filter(({ to }) => to === 'billing').length, 500)
  })

  test('events that a batch sends on one by one stay apart; what it sums up belongs to each', (context) => {
    const sent = [1, 2, 3].map((n) =>
      message('send', 'mqtt', 'out', {
        service: 'analytics',
        trace: 'ff',
        id: `9${n}`,
        parent: 'ff',
        at: 2_001,
        event: `e-${n}`,
      }),
    )
    const sum = message('send', 'kafka', 'sums', {
      service: 'analytics',
      trace: 'ff',
      id: '99',
      parent: 'ff',
      at: 2_002,
      event: 'sum',
    })
    const store = storeOf(context, [...producers, batch, ...sent, sum])
    assert.deepEqual(idsOf(journeyIn(store, { event: 'e-2' })), ['92', '99', 'a2', 'b2', 'ff'])
  })
})

describe('traces of many events', () => {
  test('a job that publishes thousands is an ancestor of each, not a way to the others', (context) => {
    const spans: SpanSpec[] = [
      { trace: '1', id: 'f', name: 'nightly job', ms: 5_000 },
      { trace: '1', id: 'e', parent: 'f', name: 'read file' },
    ]
    for (let n = 1; n <= 1_000; n++) {
      spans.push(
        message('send', 'kafka', 'rows', {
          service: 'job',
          trace: '1',
          id: `a${n}`,
          parent: 'f',
          at: n,
          event: `row-${n}`,
        }),
      )
      spans.push(
        message('process', 'kafka', 'rows', {
          service: 'sink',
          trace: '1',
          id: `b${n}`,
          parent: `a${n}`,
          at: n + 1,
          event: `row-${n}`,
        }),
      )
    }
    const store = storeOf(context, spans)
    const journey = journeyIn(store, { event: 'row-500' })
    assert.deepEqual(idsOf(journey), ['a500', 'b500', 'e', 'f'])
    assert.equal(journeyIn(store, { trace: '1' }).spans.length, 2_002)
  })

  test('an event that ours caused belongs to it, in whatever trace it goes on', (context) => {
    const store = storeOf(context, [
      message('send', 'kafka', 'orders', { service: 'shop', trace: '1', id: '1', event: 'order' }),
      message('process', 'kafka', 'orders', {
        service: 'pay',
        trace: '1',
        id: '2',
        parent: '1',
        at: 5,
        event: 'order',
      }),
      message('send', 'kafka', 'paid', {
        service: 'pay',
        trace: '1',
        id: '3',
        parent: '2',
        at: 6,
        event: 'paid',
      }),
      message('process', 'kafka', 'paid', {
        service: 'ship',
        trace: '2',
        id: '4',
        at: 9,
        event: 'paid',
        links: [{ trace: '1', id: '3' }],
      }),
      message('process', 'kafka', 'orders', {
        service: 'stock',
        trace: '1',
        id: '5',
        parent: '1',
        at: 7,
        event: 'order',
      }),
    ])
    assert.deepEqual(idsOf(journeyIn(store, { event: 'order' })), ['1', '2', '3', '4', '5'])
    // Of the cause only what led to the event: that the stock took the order too is not its business.
    assert.deepEqual(idsOf(journeyIn(store, { event: 'paid' })), ['1', '2', '3', '4'])
  })

  test('the same event in another trace belongs to it; the same id of another source does not', (context) => {
    const store = storeOf(context, [
      message('send', 'kafka', 'orders', { trace: '1', id: '1', event: 'x' }),
      message('send', 'mqtt', 'orders', { trace: '2', id: '2', at: 5, event: 'x' }),
      message('send', 'mqtt', 'orders', {
        trace: '3',
        id: '3',
        at: 9,
        event: 'x',
        attributes: { 'cloudevents.event_source': '/other' },
      }),
      message('process', 'mqtt', 'orders', {
        trace: '4',
        id: '4',
        at: 12,
        event: 'x',
        attributes: { 'mqtt.missing_context': true },
      }),
    ])
    const journey = journeyIn(store, { kind: 'event', event: { id: 'x', source: '/test' } })
    assert.deepEqual(idsOf(journey), ['1', '2', '4'])
    assert.deepEqual(edgesOf(journey), ['1 copy 2', '1 inferred 4'])
  })
})

describe('limits', () => {
  test('what is beyond the budget is counted, not dropped in silence', (context) => {
    const chain = Array.from(
      { length: 300 },
      (_, i): SpanSpec => ({ trace: '1', id: `${i + 1}`, ...(i > 0 ? { parent: `${i}` } : {}), at: i }),
    )
    const store = storeOf(context, chain)
    const journey = journeyIn(store, { trace: '1' }, 100)
    assert.equal(journey.spans.length, 100)
    assert.deepEqual(journey.truncated, { spans: 200, budget: 100 })
    const span = { kind: 'span', span: { traceId: traceId('1'), spanId: spanId('250') } } as const
    assert.ok(idsOf(journeyIn(store, span, 100)).includes('250'), 'what was asked for is in it')
  })

  test('a trace far beyond the budget is entered where it was asked for', (context) => {
    const wide = Array.from(
      { length: 500 },
      (_, i): SpanSpec => ({ trace: '1', id: `${i + 2}`, parent: '1', at: i }),
    )
    const store = storeOf(context, [{ trace: '1', id: '1' }, ...wide])
    const journey = journeyIn(
      store,
      { kind: 'span', span: { traceId: traceId('1'), spanId: spanId('499') } },
      10,
    )
    assert.ok(idsOf(journey).includes('499'))
    assert.equal(journey.spans.length, 10)
    assert.ok((journey.truncated?.spans ?? 0) > 0)
  })

  test('a trace that is thousands of spans deep is followed to its end', (context) => {
    const deep = Array.from(
      { length: 4_000 },
      (_, i): SpanSpec => ({
        trace: '1',
        id: `${i + 1}`,
        ...(i > 0 ? { parent: `${i}` } : {}),
        at: i * 0.001,
        ms: 20 - i * 0.002,
      }),
    )
    const journey = journeyIn(storeOf(context, deep), { trace: '1' })
    assert.equal(journey.spans.length, 4_000)
    assert.ok(journey.spans.every(({ critical }) => critical))
  })

  test('of thousands of links into nothing some are named, and the journey is there', (context) => {
    const astray = Array.from(
      { length: 100 },
      (_, i): SpanSpec => ({
        trace: '1',
        id: `${i + 1}`,
        links: Array.from({ length: 100 }, (_, k) => ({ trace: '9', id: `9${i}9${k}` })),
      }),
    )
    const journey = journeyIn(storeOf(context, astray), { trace: '1' })
    assert.equal(journey.spans.length, 100)
    assert.equal(journey.findings.length, 200)
  })

  test('spans that are their own ancestors are shown once and named', (context) => {
    const store = storeOf(context, [
      { trace: '1', id: '1', parent: '3' },
      { trace: '1', id: '2', parent: '1' },
      { trace: '1', id: '3', parent: '2' },
      { trace: '1', id: '4', parent: '4' },
      { trace: '1', id: '5', links: [{ trace: '1', id: '5' }] },
    ])
    for (const start of [
      { trace: '1' },
      { kind: 'span', span: { traceId: traceId('1'), spanId: spanId('5') } },
    ] as const) {
      const journey = journeyIn(store, start)
      assert.deepEqual(idsOf(journey), ['1', '2', '3', '4', '5'])
      assert.equal(journey.findings.filter(({ code }) => code === 'cycle').length, 2)
    }
  })
})
