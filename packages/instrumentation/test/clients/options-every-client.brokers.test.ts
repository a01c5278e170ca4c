import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { context, propagation, SamplingDecision, type Span, TraceFlags, trace } from '@opentelemetry/api'
import { eventually, recordMetrics, recordSpans, type SpanNode, withSpans } from '@throughline/testkit'
import type { ClientInstrumentationConfig, MessageInfo } from '../../src/options.ts'
import { type RoundTrip, roundTrip } from '../support/carrier.ts'
import { carriers } from '../support/carriers.ts'

recordSpans()
const tracer = trace.getTracer('application')
const BAGGAGE = propagation.createBaggage({ tenant: { value: 'eu' } })

/** The application's call, in a span of its own and with baggage. */
function inOrder(publish: () => Promise<void>): Promise<void> {
  return context.with(propagation.setBaggage(context.active(), BAGGAGE), () =>
    tracer.startActiveSpan('order', async (span) => {
      await publish()
      span.end()
    }),
  )
}

async function finished(count: number): Promise<void> {
  await eventually(() => assert.equal(recordSpans().finished().length, count))
}

/** Of one trace from end to end, and of a handler that has its own. */
const linked = ({ sent }: RoundTrip) => ({ links: [{ to: sent.name }] })
const continued = (trip: RoundTrip): SpanNode[] => {
  const child = { ...trip.handled, trace: 1, parent: trip.sent.name, ...linked(trip) }
  return order({ ...trip.sent, trace: 1, parent: 'order', children: [child] })
}
const parted = (trip: RoundTrip, links: object): SpanNode[] => [
  ...order({ ...trip.sent, trace: 1, parent: 'order' }),
  { ...trip.handled, trace: 2, parent: null, ...links },
]
const order = (child: SpanNode): SpanNode[] => [
  { name: 'order', kind: 'INTERNAL', trace: 1, parent: null, children: [child] },
]

const CONTINUED = { tree: continued, baggage: 'eu' }
const LINKED = { tree: (trip: RoundTrip) => parted(trip, linked(trip)), baggage: 'eu' }
const FOREIGN = { ...LINKED, baggage: undefined }
const IGNORED = { tree: (trip: RoundTrip) => parted(trip, {}), baggage: undefined }

for (const carrier of carriers) {
  describe(`options, whichever the client: ${carrier.name}`, () => {
    for (const [config, { tree, baggage }] of [
      [{}, CONTINUED],
      [{ trust: 'continue', linkage: 'parent' }, CONTINUED],
      [{ linkage: 'link' }, LINKED],
      [{ trust: 'link', linkage: 'parent' }, FOREIGN],
      [{ trust: 'ignore' }, IGNORED],
      [{ trust: 'ignore', linkage: 'link' }, IGNORED],
    ] as const) {
      test(`${JSON.stringify(config)} says what the context of a message may do`, (t) =>
        withSpans(async (spans) => {
          const trip = await roundTrip(t, carrier, config, inOrder)
          await finished(3)
          assert.deepEqual(spans.tree({ omit: trip.omit }), tree(trip))
          assert.equal(trip.baggage, baggage)
          assert.equal(trip.headers.baggage, 'tenant=eu')
        }))
    }

    test('what an unsampled span sends goes on unsampled, and makes no spans', (t) =>
      withSpans(async (spans) => {
        const parent = {
          traceId: '0af7651916cd43dd8448eb211c80319c',
          spanId: 'b7ad6b7169203331',
          traceFlags: TraceFlags.NONE,
        }
        const { headers, span } = await roundTrip(t, carrier, {}, (publish) =>
          context.with(trace.setSpanContext(context.active(), parent), publish),
        )
        const [, traceId, spanId, flags] = String(headers.traceparent).split('-')
        assert.deepEqual([traceId, flags], [parent.traceId, '00'])
        assert.notEqual(spanId, parent.spanId)
        assert.equal(span?.isRecording(), false)
        assert.equal(span?.spanContext().traceId, parent.traceId)
        assert.deepEqual(spans.finished(), [])
      }))

    test('what the sampler drops is sent with its context, not sampled, and is counted', async (t) => {
      const shouldSample = () => ({ decision: SamplingDecision.NOT_RECORD })
      const dropped = recordSpans({ global: false, sampler: { shouldSample, toString: () => 'none' } })
      carrier.instrumentation.setTracerProvider(dropped.tracerProvider)
      t.after(() => carrier.instrumentation.setTracerProvider(recordSpans().tracerProvider))
      const metrics = recordMetrics()
      t.after(() => metrics.stop())
      const operation = await withSpans(async (spans) => {
        const { headers, span, baggage, sent } = await roundTrip(t, carrier, {}, inOrder)
        const [only, ...others] = spans.finished()
        assert.deepEqual(others, [])
        assert.equal(only?.name, 'order')
        const { traceId } = only.spanContext()
        assert.match(String(headers.traceparent), new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`))
        assert.equal(headers.baggage, 'tenant=eu')
        assert.equal(span?.isRecording(), false)
        assert.equal(span?.spanContext().traceId, traceId)
        assert.equal(baggage, 'eu')
        return sent.attributes['messaging.operation.name']
      })
      await eventually(async () => {
        const series = await metrics.series()
        assert.deepEqual(
          series.map(({ name, unit, count }) => [name, unit, count]),
          [
            ['messaging.client.sent.messages', '{message}', 1],
            ['messaging.client.operation.duration', 's', 1],
            ['messaging.client.consumed.messages', '{message}', 1],
            ['messaging.process.duration', 's', 1],
            ['throughline.queue.duration', 's', 1],
          ],
        )
        const operations = series.map(({ attributes }) => attributes['messaging.operation.name'])
        assert.deepEqual([...new Set(operations)], [operation, 'process'])
      })
    })

    for (const [config, carried] of [
      [{}, ['traceparent', 'baggage']],
      [{ propagate: 'trace' }, ['traceparent']],
      [{ propagate: 'none' }, []],
      [{ propagate: 'none', correlationHeader: 'correlation_id' }, ['correlation_id']],
    ] as const) {
      test(`${JSON.stringify(config)} writes ${carried.join(' and ') || 'no context'}`, (t) =>
        withSpans(async (spans) => {
          const { headers, handled, own } = await roundTrip(t, carrier, config, inOrder)
          await finished(3)
          assert.deepEqual(Object.keys(headers).sort(), ['kept', ...own, ...carried].sort())
          assert.equal(headers.kept, 'as it was')
          const [order] = spans.named('order')
          const { traceId } = order?.spanContext() ?? {}
          if ('correlation_id' in headers) assert.equal(headers.correlation_id, traceId)
          const [process] = spans.named(handled.name)
          const isMissing = 'traceparent' in headers ? undefined : true
          assert.equal(process?.attributes['throughline.missing_context'], isMissing)
        }))
    }

    test('a message without a context begins a trace of its own, whatever its client was made and used in', (t) =>
      withSpans(async (spans) => {
        const made = context.with(propagation.setBaggage(context.active(), BAGGAGE), () =>
          tracer.startActiveSpan('start', async (span) => {
            const trip = await roundTrip(t, carrier, { propagate: 'none' })
            span.end()
            return trip
          }),
        )
        const { sent, handled, omit, baggage } = await made
        await finished(3)
        const attributes = { ...handled.attributes, 'throughline.missing_context': true }
        const [start, process, ...more] = spans.tree({ omit: [...omit, 'mqtt.missing_context'] })
        assert.deepEqual(start?.children, [{ ...sent, trace: 1, parent: 'start' }])
        assert.deepEqual(process, { ...handled, trace: 2, parent: null, attributes })
        assert.deepEqual(more, [])
        assert.equal(baggage, undefined)
      }))

    test('destinations that are ignored have neither spans nor a context', (t) =>
      withSpans(async (spans) => {
        const { headers } = await roundTrip(t, carrier, { ignore: [/^/] })
        assert.deepEqual(headers, { kept: 'as it was' })
        assert.deepEqual(spans.finished(), [])
      }))

    test('a template names spans, hooks see them, and what is asked for is captured', (t) =>
      withSpans(async (spans) => {
        const told: [string, MessageInfo][] = []
        const hook = (name: string) => (span: Span, info: MessageInfo) => {
          span.setAttribute('hook', name)
          told.push([name, info])
        }
        const config: ClientInstrumentationConfig = {
          template: () => 'orders-{id}',
          producerHook: hook('producer'),
          consumerHook: hook('consumer'),
          capture: { headers: ['kept'], bodySize: true },
        }
        const { destination, omit, sent, handled } = await roundTrip(t, carrier, config)
        await finished(2)
        const named = ({ name, kind, attributes }: typeof sent, hook: string) => ({
          name: name.replace(destination, 'orders-{id}'),
          kind,
          attributes: {
            ...attributes,
            'messaging.destination.template': 'orders-{id}',
            'messaging.header.kept': ['as it was'],
            'messaging.message.body.size': 3,
            hook,
          },
        })
        const [root] = spans.tree({ omit })
        const { children: [child] = [] } = root ?? {}
        for (const [node, span, by] of [
          [root, sent, 'producer'],
          [child, handled, 'consumer'],
        ] as const) {
          const { name, kind, attributes } = node ?? {}
          assert.deepEqual({ name, kind, attributes }, named(span, by))
        }
        assert.deepEqual(
          told.map(([name, info]) => [name, info.destination, typeof info.message]),
          [
            ['producer', destination, 'object'],
            ['consumer', destination, 'object'],
          ],
        )
      }))
  })
}
