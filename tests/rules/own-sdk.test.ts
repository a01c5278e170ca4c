import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { context, propagation, ROOT_CONTEXT, type TextMapPropagator, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { CompositePropagator, W3CTraceContextPropagator } from '@opentelemetry/core'
import { B3InjectEncoding, B3Propagator } from '@opentelemetry/propagator-b3'
import { type ReadableSpan, type Sampler, SamplingDecision, TracerProvider } from '@opentelemetry/sdk-trace'
import type { Message } from '@throughline/core'
import { eventually } from '@throughline/testkit'
import { type Leg, legs } from './legs.ts'
import { event } from './shape.ts'

/** An application's own OpenTelemetry, set up by it and not by us: its propagators, its sampler, its span ids. */

const ended: ReadableSpan[] = []
/** Drops what goes to or comes from destinations with `quiet` in their names, by the attributes at the span's start. */
const sampler: Sampler = {
  shouldSample: (_parent, _traceId, _name, _kind, attributes) => ({
    decision: String(attributes['messaging.destination.name']).includes('quiet')
      ? SamplingDecision.NOT_RECORD
      : SamplingDecision.RECORD_AND_SAMPLED,
  }),
  toString: () => 'by destination',
}
let nextId = 0
const provider = new TracerProvider({
  sampler,
  idGenerator: {
    generateTraceId: () => `feed${(++nextId).toString(16).padStart(28, '0')}`,
    generateSpanId: () => `beef${(++nextId).toString(16).padStart(12, '0')}`,
  },
  spanProcessors: [
    {
      onStart: () => {},
      onEnd: (span) => void ended.push(span),
      forceFlush: async () => {},
      shutdown: async () => {},
    },
  ],
})
context.setGlobalContextManager(new AsyncLocalStorageContextManager())
trace.setGlobalTracerProvider(provider)
after(() => provider.shutdown())

const single = new B3Propagator()
const multi = new B3Propagator({ injectEncoding: B3InjectEncoding.MULTI_HEADER })
const w3c = new W3CTraceContextPropagator()

/** Publishes one event and handles it under these propagators; the message as the consumer got it, and all spans. */
async function hop(
  leg: Leg,
  propagators: TextMapPropagator[],
  { name = 'readings' } = {},
): Promise<{ readonly message: Message; readonly spans: readonly ReadableSpan[] }> {
  propagation.disable()
  propagation.setGlobalPropagator(new CompositePropagator({ propagators }))
  ended.length = 0
  const messages: Message[] = []
  await using line = await leg.open(name)
  const subscription = await line.subscribe('one', {}, (_event, { message }) => void messages.push(message))
  await context.with(ROOT_CONTEXT, () => line.publisher().publish(event('1')))
  await eventually(() => assert.equal(messages.length, 1))
  await subscription.close()
  const [message] = messages
  assert.ok(message)
  return { message, spans: [...ended] }
}

/** Trace headers by their lower-case names, each of which has to be there once. */
function traceHeaders({ headers }: Message): Readonly<Record<string, string>> {
  const found = headers.filter(([name]) => /^(b3|x-b3-.*|traceparent|tracestate)$/i.test(name))
  assert.equal(new Set(found.map(([name]) => name)).size, found.length, 'no header twice')
  return Object.fromEntries(found.map(([name, value]) => [name.toLowerCase(), String(value)]))
}

for (const leg of legs) {
  describe(`an application's own OpenTelemetry over ${leg.system}`, () => {
    for (const [form, propagator] of [
      ['one header', single],
      ['several headers', multi],
    ] as const) {
      test(`carries the context as B3 in ${form}, and no traceparent`, async () => {
        const { message, spans } = await hop(leg, [propagator])
        const send = spans.find(({ kind }) => kind === 3)
        const process = spans.find(({ kind }) => kind === 4)
        assert.ok(send && process && spans.length === 2)
        const { traceId, spanId } = send.spanContext()
        assert.match(traceId, /^feed/, 'ids are of its own generator')
        assert.deepEqual(
          traceHeaders(message),
          propagator === single
            ? { b3: `${traceId}-${spanId}-1` }
            : { 'x-b3-traceid': traceId, 'x-b3-spanid': spanId, 'x-b3-sampled': '1' },
        )
        assert.equal(process.parentSpanContext?.spanId, spanId)
        assert.equal(process.spanContext().traceId, traceId)
        assert.deepEqual(
          process.links.map((link) => link.context.spanId),
          [spanId],
        )
      })
    }

    test('carries B3 and W3C side by side, and they agree', async () => {
      const { message, spans } = await hop(leg, [w3c, single])
      const { traceId, spanId } = spans.find(({ kind }) => kind === 3)?.spanContext() ?? assert.fail()
      assert.deepEqual(traceHeaders(message), {
        traceparent: `00-${traceId}-${spanId}-01`,
        b3: `${traceId}-${spanId}-1`,
      })
      assert.equal(spans.find(({ kind }) => kind === 4)?.parentSpanContext?.spanId, spanId)
    })

    test('is asked by its sampler, which knows the destination, and what it drops is carried unsampled', async () => {
      const { message, spans } = await hop(leg, [w3c], { name: 'quiet' })
      assert.deepEqual(spans, [])
      assert.match(traceHeaders(message).traceparent ?? '', /^00-feed[0-9a-f]{28}-beef[0-9a-f]{12}-00$/)
    })

    test('without any propagator sends no context, and its consumer begins a trace', async () => {
      const { message, spans } = await hop(leg, [])
      assert.deepEqual(traceHeaders(message), {})
      const process = spans.find(({ kind }) => kind === 4)
      assert.equal(process?.parentSpanContext, undefined)
      assert.equal(process?.attributes['throughline.missing_context'], true)
    })
  })
}
