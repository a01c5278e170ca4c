import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Journey } from '../../src/api/schema.ts'
import { message, type SpanSpec, zeroUnixMs } from '../otlp-json.ts'
import { journeyIn, storeOf } from '../temporary.ts'

const hopsOf = (journey: Journey) => journey.hops.map(({ kind, from, to }) => `${kind} ${from} → ${to}`)
const sentAt = (ms: number, source = 'header') => ({
  'throughline.sent_at': (zeroUnixMs + ms) * 1_000,
  'throughline.sent_at_source': source,
  'throughline.missing_context': true,
})

test('several consumers of one message are several hops', (context) => {
  const store = storeOf(context, [
    message('send', 'kafka', 'orders', { service: 'shop', trace: '1', id: '1' }),
    message('process', 'kafka', 'orders', { service: 'pay', trace: '1', id: '2', parent: '1', at: 5 }),
    message('process', 'kafka', 'orders', {
      service: 'stock',
      trace: '2',
      id: '3',
      at: 9,
      links: [{ trace: '1', id: '1' }],
    }),
  ])
  assert.deepEqual(hopsOf(journeyIn(store, { trace: '1' })), ['message shop → pay', 'message shop → stock'])
})

test('a message that is sent once more with the context that it had is told from the first by its offset', (context) => {
  const at = (offset: number) => ({
    'messaging.destination.partition.id': '0',
    'messaging.kafka.offset': offset,
  })
  const first = [{ trace: '1', id: '1' }]
  const send = message('send', 'kafka', 'orders', { service: 'shop', trace: '1', id: '1', attributes: at(0) })
  const replay: SpanSpec = {
    ...message('send', 'kafka', 'orders', { service: 'replay', trace: '2', id: '2', at: 20, links: first }),
    kind: 'CLIENT',
  }
  const process = (id: string, at: number, attributes: Record<string, unknown>): SpanSpec =>
    message('process', 'kafka', 'orders', { service: 'pay', trace: '1', id, parent: '1', at, attributes })
  const batch = message('process', 'kafka', 'orders', {
    service: 'sums',
    trace: '3',
    id: '5',
    at: 40,
    attributes: { 'messaging.batch.message_count': 2 },
    links: [0, 8].map((offset) => ({ trace: '1', id: '1', attributes: at(offset) })),
  })
  const attributes = { ...replay.attributes, ...at(8) }
  const spans = [send, { ...replay, attributes }, process('3', 5, at(0)), process('4', 25, at(8)), batch]
  const journey = journeyIn(storeOf(context, spans), { trace: '1' })
  assert.deepEqual(hopsOf(journey), [
    'message shop → pay',
    'message shop → sums',
    'message replay → pay',
    'message replay → sums',
  ])
})

test('a message that is sent on to another topic with the context that it had is a hop of the one who sent it on', (context) => {
  const first = [{ trace: '1', id: '1' }]
  const journey = journeyIn(
    storeOf(context, [
      message('send', 'kafka', 'orders', { service: 'shop', trace: '1', id: '1' }),
      message('send', 'kafka', 'copies', { service: 'mirror', trace: '2', id: '2', at: 5, links: first }),
      message('process', 'kafka', 'copies', { service: 'pay', trace: '1', id: '3', parent: '1', at: 9 }),
      message('process', 'kafka', 'orders', { service: 'stock', trace: '1', id: '4', parent: '1', at: 9 }),
    ]),
    { trace: '1' },
  )
  assert.deepEqual(hopsOf(journey), ['message shop → stock', 'message mirror → pay'])
})

test('without the span of the send its start is that of the header, else of the broker', (context) => {
  for (const source of ['header', 'broker'] as const) {
    const store = storeOf(context, [
      message('process', 'kafka', 'orders', {
        service: 'pay',
        trace: '1',
        id: '1',
        at: 50,
        attributes: sentAt(20, source),
      }),
    ])
    const journey = journeyIn(store, { trace: '1' })
    const [hop] = journey.hops
    assert.deepEqual([hop?.from, hop?.queueSource, hop?.queueMs, hop?.sentMs], [null, source, 30, 0])
    assert.equal(journey.totals.durationMs, 31)
    assert.equal(journey.totals.queueMs, 30)
  }
})

test('a time of sending that nobody can believe is left out', (context) => {
  const attributes = { ...sentAt(0), 'throughline.sent_at': 1 }
  const store = storeOf(context, [message('process', 'kafka', 'orders', { trace: '1', id: '1', attributes })])
  const journey = journeyIn(store, { trace: '1' })
  assert.equal(journey.hops[0]?.queueMs, null)
  assert.equal(journey.totals.durationMs, 1)
})

test('a message that an HTTP server takes is a hop, with and without a process span below it', (context) => {
  const attributes = { 'http.request.method': 'POST', 'url.path': '/events' }
  const send = message('send', 'http', '/events', { service: 'station', trace: '1', id: '1', ms: 9 })
  const client: SpanSpec = {
    service: 'station',
    trace: '1',
    id: '2',
    parent: '1',
    kind: 'CLIENT',
    at: 1,
    ms: 7,
    attributes,
  }
  const server: SpanSpec = {
    service: 'webhook',
    trace: '1',
    id: '3',
    parent: '2',
    kind: 'SERVER',
    at: 2,
    ms: 5,
    attributes,
  }
  const process = message('process', 'http', '/events', {
    service: 'webhook',
    trace: '1',
    id: '4',
    parent: '3',
    at: 3,
    links: [{ trace: '1', id: '1' }],
  })
  for (const [spans, at] of [
    [[send, client, server], 2],
    [[send, client, server, process], 3],
  ] as const) {
    const journey = journeyIn(storeOf(context, spans), { trace: '1' })
    assert.deepEqual(hopsOf(journey), ['message station → webhook'])
    assert.equal(journey.hops[0]?.processedMs, at)
  }
})

test('a request of a plain HTTP client is the hop of the message that it was to whoever processed it', (context) => {
  const attributes = { 'http.request.method': 'POST', 'url.full': 'http://127.0.0.1:8081/events' }
  const client: SpanSpec = { service: 'curl', trace: '1', id: '1', kind: 'CLIENT', ms: 9, attributes }
  const server: SpanSpec = {
    service: 'webhook',
    trace: '1',
    id: '2',
    parent: '1',
    kind: 'SERVER',
    at: 1,
    attributes: { 'http.request.method': 'POST', 'url.path': '/events' },
  }
  const process = (trace: string, parent?: string): SpanSpec =>
    message('process', 'http', '/events', {
      service: 'webhook',
      trace,
      id: '3',
      ...(parent === undefined ? {} : { parent }),
      at: 2,
      links: [{ trace: '1', id: '1' }],
    })
  for (const [what, spans] of Object.entries({
    'a child': [client, process('1', '1')],
    'below a server': [client, server, process('1', '2')],
    'a link alone': [client, process('2')],
  })) {
    const journey = journeyIn(storeOf(context, spans), { trace: '1' })
    assert.deepEqual(hopsOf(journey), ['message curl → webhook'], what)
    const [hop] = journey.hops
    assert.deepEqual([hop?.destination, hop?.queueMs, hop?.durationMs], ['/events', 2, 9], what)
    assert.deepEqual(journey.findings, [], what)
  }
})

test('the link to where an event was created is no hop', (context) => {
  const store = storeOf(context, [
    message('send', 'kafka', 'a', { service: 'one', trace: '1', id: '1' }),
    message('process', 'kafka', 'a', { service: 'two', trace: '1', id: '2', parent: '1', at: 2 }),
    message('send', 'kafka', 'a', { service: 'two', trace: '1', id: '3', parent: '2', at: 2.1 }),
    message('process', 'kafka', 'a', {
      service: 'three',
      trace: '2',
      id: '4',
      at: 5,
      event: 'e',
      links: [
        { trace: '1', id: '3' },
        { trace: '1', id: '1', attributes: { origin: true } },
      ],
    }),
  ])
  assert.deepEqual(hopsOf(journeyIn(store, { event: 'e' })), ['message one → two', 'message two → three'])
})

test('with create spans the hop begins with the send that links to them', (context) => {
  const store = storeOf(context, [
    {
      service: 'shop',
      trace: '1',
      id: '1',
      kind: 'PRODUCER',
      name: 'create orders',
      attributes: {
        'messaging.system': 'kafka',
        'messaging.operation.type': 'create',
        'messaging.destination.name': 'orders',
      },
    },
    message('send', 'kafka', 'orders', {
      service: 'shop',
      trace: '2',
      id: '2',
      kind: 'CLIENT',
      at: 3,
      links: [{ trace: '1', id: '1' }],
    }),
    message('process', 'kafka', 'orders', { service: 'pay', trace: '1', id: '3', parent: '1', at: 10 }),
  ])
  const journey = journeyIn(store, { trace: '1' })
  assert.deepEqual(hopsOf(journey), ['message shop → pay'])
  assert.equal(journey.hops[0]?.queueMs, 7)
})

test('calls are hops to who answered, or to the host and path where nobody was seen', (context) => {
  const attributes = {
    'http.request.method': 'GET',
    'url.full': 'http://user:secret@api.example:8080/v1/rates?x=1',
  }
  const store = storeOf(context, [
    { service: 'pay', trace: '1', id: '1' },
    { service: 'pay', trace: '1', id: '2', parent: '1', kind: 'CLIENT', attributes },
    {
      service: 'pay',
      trace: '1',
      id: '3',
      parent: '1',
      kind: 'CLIENT',
      at: 2,
      attributes: { 'db.system.name': 'postgresql', 'server.address': 'db' },
    },
    {
      service: 'pay',
      trace: '1',
      id: '4',
      parent: '1',
      kind: 'CLIENT',
      at: 3,
      attributes: { 'http.method': 'GET', 'http.url': 'http://rates/x' },
    },
    {
      service: 'rates',
      trace: '1',
      id: '5',
      parent: '4',
      kind: 'SERVER',
      at: 3.2,
      attributes: { 'http.method': 'GET', 'http.target': '/x?y=1' },
    },
  ])
  const { hops } = journeyIn(store, { trace: '1' })
  assert.deepEqual(
    hops.map(({ kind, to, destination }) => [kind, to, destination]),
    [
      ['call', null, 'api.example:8080/v1/rates'],
      ['call', 'rates', '/x'],
    ],
  )
})

test('a failed attempt that a later one made good is no error of the hop', (context) => {
  const attempt = (id: string, at: number, n: number, error?: string): SpanSpec =>
    message('process', 'mqtt', 't', {
      service: 'pay',
      trace: '1',
      id,
      parent: '1',
      at,
      attributes: n > 1 ? { 'throughline.attempt': n } : {},
      ...(error ? { error } : {}),
    })
  const send = message('send', 'mqtt', 't', { service: 'shop', trace: '1', id: '1' })
  const good = journeyIn(storeOf(context, [send, attempt('2', 2, 1, 'no'), attempt('3', 9, 2)]), {
    trace: '1',
  })
  assert.deepEqual(
    good.hops.map(({ attempts, error, queueMs }) => ({ attempts, error, queueMs })),
    [{ attempts: 2, error: false, queueMs: 2 }],
  )
  const bad = journeyIn(storeOf(context, [send, attempt('2', 2, 1, 'no'), attempt('3', 9, 2, 'no')]), {
    trace: '1',
  })
  assert.deepEqual(
    bad.hops.map(({ attempts, error }) => ({ attempts, error })),
    [{ attempts: 2, error: true }],
  )
})

test('time that nobody works and nothing is under way is wait', (context) => {
  const store = storeOf(context, [
    message('send', 'kafka', 'orders', { service: 'shop', trace: '1', id: '1', ms: 2 }),
    message('process', 'kafka', 'orders', {
      service: 'pay',
      trace: '1',
      id: '2',
      parent: '1',
      at: 10,
      ms: 20,
    }),
    {
      service: 'pay',
      trace: '1',
      id: '3',
      parent: '2',
      kind: 'CLIENT',
      at: 15,
      ms: 10,
      attributes: { 'url.full': 'http://bank/' },
    },
  ])
  const { totals, spans } = journeyIn(store, { trace: '1' })
  assert.deepEqual(totals, { durationMs: 30, workMs: 10, queueMs: 10, waitMs: 10 })
  assert.deepEqual(
    spans.map(({ selfMs }) => selfMs),
    [2, 10, 10],
  )
})

test('a call whose time was cut to milliseconds still comes after the message that led to it', (context) => {
  const store = storeOf(context, [
    message('process', 'mqtt', 't', {
      service: 'device',
      trace: '1',
      id: '1',
      at: 5.7,
      attributes: { 'mqtt.missing_context': true },
    }),
    {
      service: 'device',
      trace: '1',
      id: '2',
      parent: '1',
      kind: 'CLIENT',
      at: 5,
      attributes: { 'url.full': 'http://h/echo' },
    },
    {
      service: 'echo',
      trace: '1',
      id: '3',
      parent: '2',
      kind: 'SERVER',
      at: 5.9,
      attributes: { 'url.path': '/echo' },
    },
  ])
  assert.deepEqual(hopsOf(journeyIn(store, { trace: '1' })), ['message null → device', 'call device → echo'])
})
