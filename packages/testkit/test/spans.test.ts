import assert from 'node:assert/strict'
import { test } from 'node:test'
import { context, propagation, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { recordSpans, withSpans } from '@throughline/testkit'

test('spans come as a tree of plain objects, ids replaced by what they mean', async () => {
  const tracer = trace.getTracer('test')
  await withSpans((spans) => {
    const send = tracer.startSpan('send orders', { kind: SpanKind.PRODUCER, attributes: { key: 'a' } })
    const sent = trace.setSpan(ROOT_CONTEXT, send)
    send.end()
    for (const attempt of [1, 2]) {
      const process = tracer.startSpan(
        'process orders',
        { kind: SpanKind.CONSUMER, links: [{ context: send.spanContext(), attributes: { attempt } }] },
        sent,
      )
      if (attempt === 1) {
        process.recordException(new Error('no'))
        process.setStatus({ code: SpanStatusCode.ERROR, message: 'no' })
      }
      process.end()
    }
    tracer.startSpan('elsewhere', { root: true }).end()
    const common = { kind: 'CONSUMER', trace: 1, parent: 'send orders' }
    assert.deepEqual(spans.tree({ omit: ['key'] }), [
      {
        name: 'send orders',
        kind: 'PRODUCER',
        trace: 1,
        parent: null,
        children: [
          {
            name: 'process orders',
            ...common,
            links: [{ to: 'send orders', attributes: { attempt: 1 } }],
            status: { code: 'ERROR', message: 'no' },
            events: [
              { name: 'exception', attributes: { 'exception.type': 'Error', 'exception.message': 'no' } },
            ],
          },
          { name: 'process orders', ...common, links: [{ to: 'send orders', attributes: { attempt: 2 } }] },
        ],
      },
      { name: 'elsewhere', kind: 'INTERNAL', trace: 2, parent: null },
    ])
  })
})

test('a parent that was not recorded is named by its ids', async () => {
  await withSpans((spans) => {
    const carrier = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' }
    trace.getTracer('test').startSpan('x', {}, propagation.extract(ROOT_CONTEXT, carrier)).end()
    assert.equal(spans.tree()[0]?.parent, '4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7')
  })
})

test('trace context and baggage are propagated', async () => {
  await withSpans((spans) => {
    const span = trace.getTracer('test').startSpan('x')
    const baggage = propagation.createBaggage({ user: { value: '1' } })
    const carrier: Record<string, string> = {}
    propagation.inject(propagation.setBaggage(trace.setSpan(ROOT_CONTEXT, span), baggage), carrier)
    span.end()
    assert.match(carrier.traceparent ?? '', /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
    assert.equal(carrier.baggage, 'user=1')
    assert.equal(spans.finished().length, 1)
  })
})

test('a span that is not ended fails the test, by its name', async () => {
  await assert.rejects(
    withSpans(() => void trace.getTracer('test').startSpan('forgotten')),
    /span not ended: forgotten/,
  )
})

test('a context in which something still runs fails the test', async () => {
  const pending = Promise.withResolvers<void>()
  await assert.rejects(
    withSpans(() => void context.with(ROOT_CONTEXT, () => pending.promise)),
    /context still active: 1 async call/,
  )
})

test('a call that finished before the test leaves no context active', async () => {
  await withSpans(() => void context.with(ROOT_CONTEXT, async () => {}))
})

test('a recorder apart from the globals sees its own spans alone', async () => {
  await withSpans((spans) => {
    const own = recordSpans({ global: false, spanLimits: { linkCountLimit: 1 } })
    own.tracerProvider.getTracer('test').startSpan('own').end()
    assert.deepEqual([own.named('own').length, spans.finished().length], [1, 0])
  })
})
