import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type SpanSpec, spanId, traceId } from '../otlp-json.ts'
import { journeyIn, storeOf } from '../temporary.ts'
import { idsOf } from './short.ts'

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
