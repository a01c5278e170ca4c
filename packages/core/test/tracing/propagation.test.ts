import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type Context,
  propagation,
  ROOT_CONTEXT,
  type SpanContext,
  type TextMapGetter,
  type TextMapPropagator,
  type TextMapSetter,
  trace,
} from '@opentelemetry/api'
import { headerText } from '@throughline/core'
import { recordSpans } from '@throughline/testkit'
import fc from 'fast-check'
import { extractContext, injectContext } from '../../src/tracing/propagation.ts'
import { parseTraceparent } from '../../src/tracing/traceparent.ts'
import { parseTraceState } from '../../src/tracing/tracestate.ts'

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN_ID = '00f067aa0ba902b7'
const VALID = `00-${TRACE_ID}-${SPAN_ID}-01`

const spans = recordSpans()
const tracer = spans.tracerProvider.getTracer('test')

/** What the next service gets of a message that this one takes up and passes on in a child span. */
function passOn(headers: readonly [string, string][]) {
  const { context, spanContext, invalid } = extractContext(headers)
  const span = tracer.startSpan('child', {}, context)
  span.end()
  const sent = injectContext(trace.setSpan(context, span), headers, 'all')
  const next = (name: string) => headerText(sent, name)
  return { spanContext, invalid, traceparent: next('traceparent'), tracestate: next('tracestate') }
}

const state = (tracestate: string) =>
  passOn([
    ['traceparent', VALID],
    ['tracestate', tracestate],
  ])

describe('traceparent', () => {
  const cases: [why: string, text: string, flags: number | undefined][] = [
    ['sampled', VALID, 1],
    ['sampled and random', `00-${TRACE_ID}-${SPAN_ID}-03`, 3],
    ['random alone', `00-${TRACE_ID}-${SPAN_ID}-02`, 2],
    ['flags that version 00 does not know are left out', `00-${TRACE_ID}-${SPAN_ID}-ff`, 3],
    ['white space that the header may have about it', ` \t${VALID} `, 1],
    ['a future version', `cc-${TRACE_ID}-${SPAN_ID}-01`, 1],
    ['a future version with more behind', `cc-${TRACE_ID}-${SPAN_ID}-01-what-the-future-holds`, 1],
    ['a future version with more that has no dash before it', `cc-${TRACE_ID}-${SPAN_ID}-01.x`, undefined],
    ['version ff', `ff-${TRACE_ID}-${SPAN_ID}-01`, undefined],
    ['version 00 with more behind', `${VALID}-x`, undefined],
    ['capital letters', VALID.toUpperCase(), undefined],
    ['a trace id of zeros', `00-${'0'.repeat(32)}-${SPAN_ID}-01`, undefined],
    ['a span id of zeros', `00-${TRACE_ID}-${'0'.repeat(16)}-01`, undefined],
    ['one digit too few', VALID.slice(0, -1), undefined],
    ['a line break behind it', `00-${TRACE_ID}-${SPAN_ID}-01\n`, undefined],
  ]
  for (const [why, text, flags] of cases) {
    test(`${why}: ${flags === undefined ? 'invalid' : 'taken'}`, () => {
      const { spanContext, invalid } = extractContext([['traceparent', text]])
      assert.equal(spanContext?.traceFlags, flags)
      assert.equal(spanContext?.traceId, flags === undefined ? undefined : TRACE_ID)
      assert.equal(invalid, flags === undefined ? text.slice(0, 64) : undefined)
    })
  }

  test('two are invalid, equal ones too, in whatever case', () => {
    for (const name of ['traceparent', 'Traceparent']) {
      const { spanContext, invalid } = extractContext([
        ['traceparent', VALID],
        [name, VALID],
      ])
      assert.equal(spanContext, undefined)
      assert.equal(invalid, `${VALID},${VALID}`.slice(0, 64))
    }
  })

  test('the random flag is carried through spans of an SDK that drops it', () => {
    const child = passOn([['traceparent', `00-${TRACE_ID}-${SPAN_ID}-03`]])
    assert.match(child.traceparent ?? '', new RegExp(`^00-${TRACE_ID}-(?!${SPAN_ID})[0-9a-f]{16}-03$`))
    assert.match(passOn([['traceparent', VALID]]).traceparent ?? '', /-01$/)
    const unsampled = passOn([['traceparent', `00-${TRACE_ID}-${SPAN_ID}-02`]])
    assert.match(unsampled.traceparent ?? '', /-02$/)
  })

  test('any valid one is read, and any other text never is', () => {
    const hex = (length: number) =>
      fc
        .array(fc.constantFrom(...'0123456789abcdef'), { minLength: length, maxLength: length })
        .map((all) => all.join(''))
    fc.assert(
      fc.property(hex(32), hex(16), hex(2), (traceId, spanId, flags) => {
        fc.pre(!/^0*$/.test(traceId) && !/^0*$/.test(spanId))
        const read = parseTraceparent(`00-${traceId}-${spanId}-${flags}`)
        assert.deepEqual([read?.traceId, read?.spanId], [traceId, spanId])
      }),
    )
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
        const { spanContext } = extractContext([['traceparent', text]])
        assert.equal(spanContext, undefined)
      }),
    )
  })
})

describe('tracestate', () => {
  const kept: [why: string, text: string, next?: string][] = [
    ['one member', 'rojo=00f067aa0ba902b7'],
    ['32 members', Array.from({ length: 32 }, (_, index) => `k${index}=1`).join(',')],
    ['keys that begin with a digit', '1a-2b=1,0=0'],
    ['keys with @, _, -, * and /', 'tenant@system=1,a_b-c*d/e=2'],
    ['a key and a value of 256 characters', `${'k'.repeat(256)}=${'v'.repeat(256)}`],
    [
      'more than 512 characters',
      Array.from({ length: 20 }, (_, index) => `k${index}=${'v'.repeat(50)}`).join(','),
    ],
    ['white space and empty members', 'a=1 ,\t b=2,, ,c=3', 'a=1,b=2,c=3'],
    ['a key twice: the first counts', 'a=1,b=2,a=3', 'a=1,b=2'],
    ['spaces within and before a value', 'a= 1 2', 'a= 1 2'],
  ]
  for (const [why, text, next = text] of kept) {
    test(`${why}: carried`, () => assert.equal(state(text).tracestate, next))
  }

  const dropped: [why: string, text: string][] = [
    ['33 members', Array.from({ length: 33 }, (_, index) => `k${index}=1`).join(',')],
    ['a capital letter in a key', 'a=1,Foo=2'],
    ['a space in a key', 'a b=1'],
    ['a key of 257 characters', `a=1,${'k'.repeat(257)}=1`],
    ['a key that begins with a dash', '-a=1'],
    ['no key', '=1'],
    ['no value', 'a=1,b='],
    ['no equals sign', 'a=1,b'],
    ['an equals sign in a value', 'a=b=c'],
    ['a value of 257 characters', `a=${'v'.repeat(257)}`],
    ['a value that is not ASCII', 'a=ü'],
    ['a control character in a value', 'a=1\u00012'],
  ]
  for (const [why, text] of dropped) {
    test(`${why}: dropped whole, and the traceparent kept`, () => {
      const next = state(text)
      assert.equal(next.tracestate, null)
      assert.equal(next.spanContext?.spanId, SPAN_ID)
      assert.match(next.traceparent ?? '', new RegExp(`^00-${TRACE_ID}-`))
    })
  }

  test('several headers are one list', () => {
    const next = passOn([
      ['traceparent', VALID],
      ['tracestate', 'a=1'],
      ['Tracestate', 'b=2'],
    ])
    assert.equal(next.tracestate, 'a=1,b=2')
  })

  test('without a valid traceparent it is not taken', () => {
    const next = passOn([
      ['traceparent', 'nonsense'],
      ['tracestate', 'a=1'],
    ])
    assert.equal(next.tracestate, null)
  })

  test('any valid list is carried as it is, whatever is put before it stays valid', () => {
    const key = fc.stringMatching(/^[a-z0-9][a-z0-9_\-*/@]{0,20}$/)
    const value = fc.stringMatching(/^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,20}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/)
    const members = fc.uniqueArray(fc.tuple(key, value), {
      minLength: 1,
      maxLength: 32,
      selector: ([name]) => name,
    })
    fc.assert(
      fc.property(members, key, value, (list, name, changed) => {
        const text = list.map((member) => member.join('=')).join(',')
        const parsed = parseTraceState(text)
        assert.equal(parsed?.serialize(), text)
        const next = parsed?.set(name, changed).serialize() ?? ''
        assert.equal(next.split(',')[0], `${name}=${changed}`)
        assert.ok(parseTraceState(next), next)
        assert.equal(parsed?.get(list[0]?.[0] ?? ''), list[0]?.[1])
      }),
    )
  })

  test('any text is carried by the letter, or not at all', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 100 }), (text) => {
        const parsed = parseTraceState(text)
        if (parsed) assert.equal(parseTraceState(parsed.serialize())?.serialize(), parsed.serialize())
      }),
      { numRuns: 2000 },
    )
  })
})

describe('a propagator of another kind', () => {
  const b3: TextMapPropagator = {
    inject(context: Context, carrier: unknown, setter: TextMapSetter) {
      const span = trace.getSpanContext(context)
      if (span) setter.set(carrier, 'b3', `${span.traceId}-${span.spanId}-${span.traceFlags & 1}`)
    },
    extract(context: Context, carrier: unknown, getter: TextMapGetter) {
      const text = getter.get(carrier, 'b3')
      const [traceId, spanId, flags] = typeof text === 'string' ? text.split('-') : []
      if (traceId === undefined || spanId === undefined) return context
      const found: SpanContext = { traceId, spanId, traceFlags: Number(flags), isRemote: true }
      return trace.setSpanContext(context, found)
    },
    fields: () => ['b3'],
  }
  const OTHER = 'a'.repeat(32)

  function withPropagators(propagators: readonly TextMapPropagator[], run: () => void): void {
    propagation.disable()
    propagation.setGlobalPropagator({
      inject: (context, carrier, setter) => {
        for (const each of propagators) each.inject(context, carrier, setter)
      },
      extract: (context, carrier, getter) =>
        propagators.reduce((found, each) => each.extract(found, carrier, getter), context),
      fields: () => propagators.flatMap((each) => each.fields()),
    })
    try {
      run()
    } finally {
      propagation.disable()
      propagation.setGlobalPropagator(spans.propagator)
    }
  }

  test('works alone: its header is read, replaced and written', () =>
    withPropagators([b3], () => {
      const headers: [string, string][] = [['b3', `${OTHER}-${SPAN_ID}-1`]]
      const { context, spanContext, invalid } = extractContext(headers)
      assert.deepEqual([spanContext?.traceId, spanContext?.spanId, invalid], [OTHER, SPAN_ID, undefined])
      const span = tracer.startSpan('child', {}, context)
      span.end()
      const { spanId } = span.spanContext()
      assert.deepEqual(injectContext(trace.setSpan(context, span), headers, 'all'), [
        ['b3', `${OTHER}-${spanId}-1`],
      ])
    }))

  test("works beside W3C's: the message that has the one or the other, a broken W3C header notwithstanding", () =>
    withPropagators([spans.propagator, b3], () => {
      assert.equal(extractContext([['traceparent', VALID]]).spanContext?.traceId, TRACE_ID)
      const { spanContext, invalid } = extractContext([
        ['traceparent', 'nonsense'],
        ['b3', `${OTHER}-${SPAN_ID}-1`],
      ])
      assert.deepEqual([spanContext?.traceId, invalid], [OTHER, undefined])
      const both = extractContext([
        ['traceparent', VALID],
        ['tracestate', 'a=1'],
        ['b3', `${OTHER}-${SPAN_ID}-1`],
      ])
      assert.deepEqual([both.spanContext?.traceId, both.spanContext?.traceState], [OTHER, undefined])
      const sent = injectContext(
        trace.setSpanContext(ROOT_CONTEXT, both.spanContext ?? assert.fail()),
        [],
        'all',
      )
      assert.deepEqual(
        sent.map(([name]) => name),
        ['traceparent', 'b3'],
      )
    }))
})
