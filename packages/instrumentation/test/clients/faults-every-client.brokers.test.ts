import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import {
  type Meter,
  metrics,
  propagation,
  type Span,
  type TextMapPropagator,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import { eventually, recordSpans, withSpans } from '@throughline/testkit'
import type { ClientInstrumentationConfig } from '../../src/options.ts'
import { type Carrier, roundTrip } from '../support/carrier.ts'
import { carriers } from '../support/carriers.ts'

const recorder = recordSpans()
const sound: TextMapPropagator = {
  inject: (...given) => recorder.propagator.inject(...given),
  extract: (...given) => recorder.propagator.extract(...given),
  fields: () => recorder.propagator.fields(),
}

function fails(): never {
  throw new Error('a fault that was put there')
}

function propagating(t: TestContext, propagator: TextMapPropagator): void {
  propagation.disable()
  propagation.setGlobalPropagator(propagator)
  t.after(() => {
    propagation.disable()
    propagation.setGlobalPropagator(recorder.propagator)
  })
}

function tracing(t: TestContext, { instrumentation }: Carrier, startSpan: () => Span): void {
  const tracer: Tracer = { startSpan, startActiveSpan: fails }
  instrumentation.setTracerProvider({ getTracer: () => tracer })
  t.after(() => instrumentation.setTracerProvider(trace.getTracerProvider()))
}

interface Fault {
  readonly config?: ClientInstrumentationConfig
  inject?(t: TestContext, carrier: Carrier): void
  /** What is traced all the same. */
  readonly spans: readonly ('sent' | 'handled')[]
  /** Whether the message has its context all the same. */
  readonly carries: boolean
}

const WHOLE: Fault = { spans: ['sent', 'handled'], carries: true }
const BROKEN_SPAN: Span = new Proxy({} as Span, { get: () => fails })
const BROKEN_METER: Meter = new Proxy({} as Meter, { get: () => () => ({ add: fails, record: fails }) })

/** One in each place where something of the application's, or of its SDK's, is called. */
const faults: Readonly<Record<string, Fault>> = {
  'a template': { config: { template: fails }, ...WHOLE },
  'a producerHook': { config: { producerHook: fails }, ...WHOLE },
  'a consumerHook': { config: { consumerHook: fails }, ...WHOLE },
  'a tracer': {
    inject: (t, carrier) => tracing(t, carrier, fails),
    spans: [],
    carries: false,
  },
  'every method of spans': {
    inject: (t, carrier) => tracing(t, carrier, () => BROKEN_SPAN),
    spans: [],
    carries: false,
  },
  'a propagator, when it writes,': {
    inject: (t) => propagating(t, { ...sound, inject: fails }),
    spans: ['sent', 'handled'],
    carries: false,
  },
  'a propagator, when it reads,': {
    inject: (t) => propagating(t, { ...sound, extract: fails }),
    spans: ['sent'],
    carries: true,
  },
  'a propagator, when it names its headers,': {
    inject: (t) => propagating(t, { inject: fails, extract: fails, fields: fails }),
    spans: ['sent'],
    carries: false,
  },
}

for (const carrier of carriers) {
  describe(`faults, whichever the client: ${carrier.name}`, () => {
    for (const [what, { config, inject, spans, carries }] of Object.entries(faults)) {
      test(`${what} that throws is not noticed by the application`, (t) =>
        withSpans(async () => {
          inject?.(t, carrier)
          const trip = await roundTrip(t, carrier, config)
          assert.equal(trip.headers.kept, 'as it was')
          assert.equal('traceparent' in trip.headers, carries)
          await eventually(() =>
            assert.deepEqual(
              recorder.finished().map(({ name }) => name),
              spans.map((each) => trip[each].name),
            ),
          )
        }))
    }

    test('metrics that throw are not noticed by the application', async (t) => {
      carrier.instrumentation.setMeterProvider({ getMeter: () => BROKEN_METER })
      t.after(() => carrier.instrumentation.setMeterProvider(metrics.getMeterProvider()))
      const { headers } = await roundTrip(t, carrier)
      assert.equal(headers.kept, 'as it was')
    })

    test('disabled it leaves the client as it was; enabled again it traces again', (t) =>
      withSpans(async (spans) => {
        const { instrumentation, methods } = carrier
        assert.notDeepEqual(methods.now(), methods.originals)
        const lane = await carrier.open(t)
        const handled: object[] = []
        await lane.consume((headers) => void handled.push(headers))
        await lane.publish({ kept: 'traced' })
        await eventually(() => assert.equal(spans.finished().length, 2))
        instrumentation.disable()
        t.after(() => instrumentation.enable())
        assert.deepEqual(methods.now(), methods.originals)
        // What was made before goes on, alone.
        await lane.publish({ kept: 'untraced' })
        await eventually(() => assert.deepEqual(handled[1], { kept: 'untraced' }))
        assert.equal(spans.finished().length, 2)
        instrumentation.enable()
        await lane.publish({ kept: 'traced again' })
        await eventually(() => assert.equal(spans.finished().length, 4))
      }))
  })
}
