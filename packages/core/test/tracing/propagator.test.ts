import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, mock, test } from 'node:test'
import {
  type Context,
  propagation,
  ROOT_CONTEXT,
  type TextMapPropagator,
  type TextMapSetter,
  trace,
} from '@opentelemetry/api'
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from '@opentelemetry/core'
import type { Header } from '@throughline/core'
import { extractContext, injectContext } from '../../src/tracing/propagation.ts'

const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
const ARRIVED: readonly Header[] = [['traceparent', TRACEPARENT]]

const inject = mock.method(W3CTraceContextPropagator.prototype, 'inject')
const extract = mock.method(W3CTraceContextPropagator.prototype, 'extract')

/** How often OpenTelemetry's propagator is asked while a message is taken up and passed on, and what is passed on. */
function passOn(headers = ARRIVED, change = (context: Context) => context) {
  inject.mock.resetCalls()
  extract.mock.resetCalls()
  const sent = injectContext(change(extractContext(headers).context), [], 'all')
  return { sent, extracted: extract.mock.callCount(), injected: inject.mock.callCount() }
}

/** The first message after a propagator was set: whether it may be passed over is found out by it. */
function set(propagator: TextMapPropagator): void {
  propagation.setGlobalPropagator(propagator)
  passOn()
}

const composite = (...propagators: TextMapPropagator[]) => new CompositePropagator({ propagators })

/** A subclass of one's own, which writes a header more. */
class Marking extends W3CTraceContextPropagator {
  override inject(context: Context, carrier: unknown, setter: TextMapSetter): void {
    super.inject(context, carrier, setter)
    setter.set(carrier, 'x-mark', '1')
  }
}

const other: TextMapPropagator = {
  inject: () => undefined,
  extract: (context) => context,
  fields: () => [],
}

describe('a message', () => {
  beforeEach(() => void propagation.disable())
  afterEach(() => void propagation.disable())

  for (const [what, propagator] of [
    ['trace context alone', () => new W3CTraceContextPropagator()],
    [
      'trace context with baggage',
      () => composite(new W3CTraceContextPropagator(), new W3CBaggagePropagator()),
    ],
  ] as const) {
    test(`passes over OpenTelemetry’s own propagators, ${what}, and carries what they would write`, () => {
      set(propagator())
      assert.deepEqual(passOn(), { sent: ARRIVED, extracted: 0, injected: 0 })
    })
  }

  const asked: readonly [what: string, propagator: () => TextMapPropagator][] = [
    ['a subclass of one’s own', () => new Marking()],
    [
      'one of several that are not all OpenTelemetry’s own',
      () => composite(new W3CTraceContextPropagator(), other),
    ],
    [
      'an instance with a method of its own',
      () => {
        const own = new W3CTraceContextPropagator()
        return Object.assign(own, { inject: own.inject.bind(own) })
      },
    ],
    [
      'a wrapper',
      () => {
        const own = new W3CTraceContextPropagator()
        return {
          inject: (context, carrier, setter) => own.inject(context, carrier, setter),
          extract: (context, carrier, getter) => own.extract(context, carrier, getter),
          fields: () => own.fields(),
        }
      },
    ],
  ]
  for (const [what, propagator] of asked) {
    test(`asks any other propagator, both ways: ${what}`, () => {
      set(propagator())
      const { sent, extracted, injected } = passOn()
      assert.deepEqual([extracted, injected], [1, 1])
      assert.deepEqual(sent[0], ARRIVED[0])
    })
  }

  test('asks one that is set in place of another from then on, and not the one before', () => {
    set(new W3CTraceContextPropagator())
    propagation.disable()
    set(new Marking())
    assert.deepEqual(passOn().sent, [...ARRIVED, ['x-mark', '1']])
    propagation.disable()
    set(new W3CTraceContextPropagator())
    assert.deepEqual(passOn(), { sent: ARRIVED, extracted: 0, injected: 0 })
  })

  test('asks OpenTelemetry’s own too where there is baggage', () => {
    set(composite(new W3CTraceContextPropagator(), new W3CBaggagePropagator()))
    const baggage: Header = ['baggage', 'tenant=blue']
    const { sent, extracted, injected } = passOn([...ARRIVED, baggage])
    assert.deepEqual([extracted, injected], [1, 1])
    assert.deepEqual(sent, [...ARRIVED, baggage])
  })

  test('without a propagator has no context to take up or to pass on', () => {
    const valid = trace.setSpanContext(ROOT_CONTEXT, {
      traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
      spanId: '00f067aa0ba902b7',
      traceFlags: 1,
    })
    assert.equal(extractContext(ARRIVED).spanContext, undefined)
    assert.deepEqual(
      passOn(ARRIVED, () => valid),
      { sent: [], extracted: 0, injected: 0 },
    )
  })
})
