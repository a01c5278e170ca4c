import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { baggageProblem, contextHeaders, traceparentProblem, tracestateProblem } from '../src/context.ts'

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const spanId = '00f067aa0ba902b7'

describe('what is wrong with a traceparent is said in words', () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['', /it has no version/],
    ['00', /it has no trace id/],
    [`00-${traceId}`, /it has no span id/],
    [`00-${traceId}-${spanId}`, /it has no flags/],
    [`00-${traceId.slice(1)}-${spanId}-01`, /the trace id: 31 characters, not 32/],
    [`00-${traceId.toUpperCase()}-${spanId}-01`, /the trace id has upper-case digits/],
    [`00-${'g'.repeat(32)}-${spanId}-01`, /the trace id is not hexadecimal/],
    [`00-${'0'.repeat(32)}-${spanId}-01`, /the trace id is all zeros/],
    [`00-${traceId}-${'0'.repeat(16)}-01`, /the span id is all zeros/],
    [`00-${traceId}-${spanId}-1`, /the flags: 1 characters, not 2/],
    [`ff-${traceId}-${spanId}-01`, /the version ff is forbidden/],
    [`00-${traceId}-${spanId}-01-x`, /there is more after the flags/],
  ]
  for (const [text, expected] of cases) {
    test(text || 'an empty one', () => assert.match(traceparentProblem(text) ?? 'valid', expected))
  }

  test('and nothing is wrong with valid ones', () => {
    assert.equal(traceparentProblem(`00-${traceId}-${spanId}-03`), undefined)
    assert.equal(traceparentProblem(`01-${traceId}-${spanId}-00-more`), undefined)
  })
})

test('the member of a tracestate or a baggage that is wrong is named', () => {
  assert.match(tracestateProblem('a=1, b , c=2') ?? 'valid', /"b" is no key=value/)
  assert.match(
    tracestateProblem(Array.from({ length: 33 }, (_, i) => `k${i}=1`).join()) ?? '',
    /more than 32/,
  )
  assert.equal(tracestateProblem('a=1,b@c=2'), undefined)
  assert.match(baggageProblem('user=4711,shop') ?? 'valid', /"shop" is no key=value/)
  assert.match(baggageProblem('user=ä') ?? 'valid', /percent-encoded/)
  assert.equal(baggageProblem('user=4711;ttl=3;x, shop=a%20b'), undefined)
})

test('a context is refused before anything is sent, else it is headers', () => {
  const traceparent = `00-${traceId}-${spanId}-01`
  assert.deepEqual(contextHeaders({ traceparent, baggage: 'a=1' }), [
    ['traceparent', traceparent],
    ['baggage', 'a=1'],
  ])
  assert.throws(() => contextHeaders({ traceparent: '00' }), { code: 'TL_BAD_CONTEXT', exitCode: 2 })
  assert.throws(() => contextHeaders({ tracestate: 'a=1' }), /a tracestate needs a traceparent/)
})
