import assert from 'node:assert/strict'
import { test } from 'node:test'
import { context, propagation, ROOT_CONTEXT, SpanKind, trace } from '@opentelemetry/api'
import { APPLICATION } from '@throughline/core/tracing'
import { recordMetrics, recordSpans, withSpans } from '@throughline/testkit'
import { withHandled } from '../../src/messages/handled.ts'
import { headersOf, withHeaders } from '../../src/messages/headers.ts'
import type { Outgoing } from '../../src/messages/outgoing.ts'
import { createSends } from '../../src/messages/sends.ts'
import { serverAttributes } from '../../src/messages/system.ts'
import type { ClientInstrumentationConfig } from '../../src/options.ts'
import { kafka } from '../../src/systems/kafka.ts'

recordSpans()
const connection = serverAttributes('localhost:9092', 9092)
/** As a system whose brokers keep no time. */
const CLIENT = { system: { ...kafka, saysSentAt: true }, connection }
const OK = { ok: true } as const
const own = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: 1 }
const TRACEPARENT = `00-${own.traceId}-${own.spanId}-01`

function sendsOf(config: ClientInstrumentationConfig = {}, scope = APPLICATION) {
  return createSends(CLIENT, config, scope)
}

function message(destination = 'orders', headers: Record<string, string> = {}): Outgoing {
  const given = { destination, body: 'one', headers }
  return { ...given, headers: headersOf(headers), own: Object.freeze(given) }
}

const namesOf = (headers: Record<string, unknown>) => Object.keys(headers).sort()

test('a message is to carry its span, and when its send began', () =>
  withSpans((spans) => {
    const send = sendsOf().one(message())
    send?.end({ ok: true, partition: 3, offset: 2n ** 60n })
    const headers = withHeaders({ tenant: 'a' }, send?.hop ?? assert.fail())
    const [span] = spans.finished()
    const { traceId, spanId } = span?.spanContext() ?? assert.fail()
    assert.equal(headers.traceparent, `00-${traceId}-${spanId}-01`)
    assert.match(String(headers['throughline-sent-at']), /^\d{16}$/)
    assert.deepEqual(namesOf(headers), ['tenant', 'throughline-sent-at', 'traceparent'])
    assert.equal(span?.kind, SpanKind.PRODUCER)
    assert.equal(span?.attributes['messaging.kafka.offset'], String(2n ** 60n))
  }))

test("a broker's own time of a message is enough, and a copied one of the hop before goes", () =>
  withSpans(() => {
    const send = createSends({ system: kafka, connection }, {}, APPLICATION).one(message())
    send?.end(OK)
    const headers = withHeaders({ 'throughline-sent-at': '1' }, send?.hop ?? assert.fail())
    assert.deepEqual(namesOf(headers), ['traceparent'])
  }))

test('one whose time is its own says when it was sent, also where brokers keep one', () =>
  withSpans(() => {
    const send = createSends({ system: kafka, connection }, {}, APPLICATION).one({
      ...message(),
      isDated: true,
    })
    send?.end(OK)
    const headers = withHeaders({ 'throughline-sent-at': '1' }, send?.hop ?? assert.fail())
    assert.match(String(headers['throughline-sent-at']), /^\d{16}$/)
  }))

test('a body that is neither text nor bytes is left to the client', () =>
  withSpans((spans) => {
    const sends = sendsOf({ capture: { bodySize: true, bodyChars: 10 } })
    for (const body of [7, { item: 'book' }, true]) {
      sends.one({ ...message(), body, contentType: 'application/cloudevents+json' })?.end(OK)
    }
    assert.equal(spans.finished().length, 3)
  }))

test('two hundred destinations are told apart in metrics, others are counted together, and spans name all', () =>
  withSpans(async (spans) => {
    const metrics = recordMetrics({ global: false })
    const sends = sendsOf({}, { ...APPLICATION, meterProvider: () => metrics.meterProvider })
    for (let round = 0; round < 2; round++) {
      for (let index = 0; index < 1500; index++) sends.one(message(`orders.${index}`))?.end(OK)
    }
    const series = await metrics.series('messaging.client.sent.messages')
    const named = series.filter(({ attributes }) => 'messaging.destination.name' in attributes)
    assert.deepEqual([named.length, named.every(({ count }) => count === 2)], [200, true])
    assert.deepEqual(
      series.filter((each) => !named.includes(each)).map(({ count }) => count),
      [2600],
    )
    assert.equal(new Set(spans.finished().map(({ name }) => name)).size, 1500)
    await metrics.stop()
  }))

test('messages to several destinations have create spans where there are more than one, in order', () =>
  withSpans((spans) => {
    const batch = sendsOf().all([message('a'), message('b'), message('a')])
    assert.equal(batch?.hops.length, 3)
    batch?.end([OK, OK, { ok: false, error: new TypeError('refused') }])
    assert.deepEqual(
      spans
        .tree({ omit: ['server.address', 'server.port'] })
        .map(({ name, status }) => [name, status?.message]),
      [
        ['create a', undefined],
        ['create a', undefined],
        ['send a', '1 of 2 messages: refused'],
        ['send b', undefined],
      ],
    )
    const carried = batch.hops.map((hop) =>
      String(withHeaders({}, hop ?? assert.fail()).traceparent).slice(36, 52),
    )
    const made = [...spans.named('create a'), ...spans.named('send b')].map(
      (span) => span.spanContext().spanId,
    )
    assert.deepEqual(carried, [made[0], made[2], made[1]])
  }))

test('without create spans each message has a send span', () =>
  withSpans((spans) => {
    const batch = sendsOf({ createSpans: false }).all([message(), message()])
    batch?.end(OK)
    assert.deepEqual(
      spans.finished().map(({ name, kind }) => [name, kind]),
      [
        ['send orders', SpanKind.PRODUCER],
        ['send orders', SpanKind.PRODUCER],
      ],
    )
  }))

test('destinations that are ignored are left alone, also among others', () =>
  withSpans((spans) => {
    const sends = sendsOf({ ignore: ['health', /^internal\./g] })
    for (const name of ['health', 'internal.a', 'internal.b'])
      assert.equal(sends.one(message(name)), undefined)
    assert.equal(sends.all([message('health'), message('health')]), undefined)
    const batch = sends.all([message('health'), message('orders')])
    assert.deepEqual(
      batch?.hops.map((hop) => hop === null),
      [true, false],
    )
    batch?.end(OK)
    assert.deepEqual(
      spans.finished().map(({ name }) => name),
      ['send orders'],
    )
  }))

test("the application's own context of a message is kept, and linked to", () =>
  withSpans((spans) => {
    const send = sendsOf().one(message('orders', { Traceparent: TRACEPARENT }))
    assert.equal(send?.hop, null)
    send?.end(OK)
    const batch = sendsOf().all([message('orders', { traceparent: TRACEPARENT }), message()])
    assert.deepEqual(
      batch?.hops.map((hop) => hop === null),
      [true, false],
    )
    batch?.end(OK)
    const [one, create, many] = spans.finished()
    assert.equal(one?.kind, SpanKind.CLIENT)
    assert.equal(one?.links[0]?.context.spanId, own.spanId)
    assert.deepEqual(
      many?.links.map((link) => link.context.spanId),
      [own.spanId, create?.spanContext().spanId],
    )
  }))

test('a context that was injected by hand into copied headers is kept, and the time of the hop before is not', () =>
  withSpans(() => {
    const given = { traceparent: TRACEPARENT, 'throughline-sent-at': '1', tenant: 'a' }
    const send = sendsOf().one(message('orders', given))
    send?.end(OK)
    const headers = withHeaders(given, send?.hop ?? assert.fail())
    assert.match(String(headers['throughline-sent-at']), /^\d{16}$/)
    assert.deepEqual({ ...headers, 'throughline-sent-at': '1' }, given)
    const dated = createSends({ system: kafka, connection }, {}, APPLICATION).one(message('orders', given))
    dated?.end(OK)
    assert.deepEqual(withHeaders(given, dated?.hop ?? assert.fail()), {
      traceparent: TRACEPARENT,
      tenant: 'a',
    })
  }))

test('a context that is not valid is none, and replaced', () =>
  withSpans((spans) => {
    const given = { traceparent: '00-0-0-00' }
    const send = sendsOf().one(message('orders', given))
    assert.notEqual(withHeaders(given, send?.hop ?? assert.fail()).traceparent, given.traceparent)
    send?.end(OK)
    assert.equal(spans.finished()[0]?.kind, SpanKind.PRODUCER)
  }))

test('headers copied from what is handled are replaced: of one message, and of any of a batch', () =>
  withSpans((spans) => {
    const ofHop = { 'throughline-replay': 'true', 'throughline-attempt-of': TRACEPARENT }
    const given = { traceparent: TRACEPARENT, tenant: 'a', ...ofHop }
    const copied = message('orders', given)
    const root = trace.getTracer('application').startSpan('process')
    const active = trace.setSpan(ROOT_CONTEXT, root)
    const one = { hop: own, headers: message('orders', given).headers }
    const ofMessage = withHandled(trace.setSpanContext(ROOT_CONTEXT, own), one)
    const sends = sendsOf()
    for (const handled of [one, new Map([[own.spanId, ofMessage]])]) {
      // What the application adds to the context stays in it.
      const handling = withHandled(active, handled)
        .setValue(Symbol.for('own'), 1)
        .deleteValue(Symbol.for('own'))
      const send = context.with(handling, () => sends.one(copied))
      const headers = withHeaders(given, send?.hop ?? assert.fail())
      assert.deepEqual(namesOf(headers), ['tenant', 'throughline-sent-at', 'traceparent'])
      send?.end(OK)
    }
    root.end()
    assert.deepEqual(
      spans.named('send orders').map((span) => span.parentSpanContext?.spanId),
      [root.spanContext().spanId, own.spanId],
    )
  }))

test('a header of Throughline’s that the application adds to copied ones is its own, and goes with the message', () =>
  withSpans(() => {
    const headers = message('orders', { traceparent: TRACEPARENT }).headers
    const given = { traceparent: TRACEPARENT, 'throughline-replay': 'true' }
    const one = { hop: own, headers }
    const ofMessage = withHandled(ROOT_CONTEXT, one)
    for (const handled of [one, new Map([[own.spanId, ofMessage]])]) {
      const send = context.with(withHandled(ROOT_CONTEXT, handled), () =>
        sendsOf().one(message('orders', given)),
      )
      const sent = withHeaders(given, send?.hop ?? assert.fail())
      assert.deepEqual(namesOf(sent), ['throughline-replay', 'throughline-sent-at', 'traceparent'])
      assert.notEqual(sent.traceparent, TRACEPARENT)
      send?.end(OK)
    }
  }))

test('what the application itself says of a message with headers of Throughline’s goes with it', () =>
  withSpans(() => {
    const given = { 'throughline-replay': 'true' }
    const send = sendsOf().one(message('orders', given))
    send?.end(OK)
    const headers = withHeaders(given, send?.hop ?? assert.fail())
    assert.deepEqual(namesOf(headers), ['throughline-replay', 'throughline-sent-at', 'traceparent'])
  }))

test('what is propagated, the correlation header and templates are options', () =>
  withSpans((spans) => {
    const baggage = propagation.createBaggage({ tenant: { value: 'a' } })
    const active = propagation.setBaggage(ROOT_CONTEXT, baggage)
    const given = { baggage: 'old=1', Correlation_ID: 'x' }
    const carried = (config: ClientInstrumentationConfig) => {
      const send = context.with(active, () => sendsOf(config).one(message('orders/1', given)))
      send?.end(OK)
      return withHeaders(given, send?.hop ?? assert.fail())
    }
    assert.deepEqual(carried({}).baggage, 'tenant=a')
    assert.deepEqual(namesOf(carried({ propagate: 'trace' })), [
      'Correlation_ID',
      'throughline-sent-at',
      'traceparent',
    ])
    assert.deepEqual(namesOf(carried({ propagate: 'none' })), ['Correlation_ID', 'throughline-sent-at'])
    const correlated = carried({ correlationHeader: 'correlation_id', template: () => 'orders/{id}' })
    const span = spans.finished().at(-1)
    assert.equal(correlated.correlation_id, span?.spanContext().traceId)
    assert.equal(correlated.Correlation_ID, undefined)
    assert.equal(span?.name, 'send orders/{id}')
    assert.equal(span?.attributes['messaging.destination.template'], 'orders/{id}')
    assert.equal(span?.attributes['messaging.destination.name'], 'orders/1')
  }))

test('a fault in a hook, a template, a propagator or a tracer leaves the message to its client', async () => {
  const fault = (): never => {
    throw new Error('injected')
  }
  await withSpans((spans) => {
    for (const config of [{ producerHook: fault }, { template: fault }]) {
      const send = sendsOf(config).one(message())
      assert.notEqual(send?.hop ?? null, null)
      send?.end(OK)
    }
    assert.equal(spans.named('send orders').length, 2)
  })
  await withSpans((spans) => {
    propagation.disable()
    propagation.setGlobalPropagator({ inject: fault, extract: fault, fields: () => [] })
    const send = sendsOf().one(message())
    const batch = sendsOf().all([message(), message()])
    propagation.disable()
    propagation.setGlobalPropagator(recordSpans().propagator)
    assert.equal(send?.hop, null)
    assert.deepEqual(batch?.hops, [null, null])
    send?.end(OK)
    batch?.end(OK)
    assert.equal(spans.named('send orders').length, 2)
  })
  const tracer = { startSpan: fault, startActiveSpan: fault }
  const broken = sendsOf({}, { ...APPLICATION, tracer })
  assert.equal(broken.one(message()), undefined)
  assert.equal(broken.all([message(), message()]), undefined)
})
