import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JourneyHop, JourneySpan } from '@throughline/explorer/api'
import { criticalPath } from '../../src/journey/critical.ts'
import { layoutJourney } from '../../src/journey/layout.ts'
import { buildModel, refKey } from '../../src/journey/model.ts'
import { placesOf } from '../../src/journey/order.ts'
import { createScale } from '../../src/journey/scale.ts'
import { buildTimeline } from '../../src/journey/timeline.ts'
import { hop, journey, ref, span } from '../fixtures/build.ts'

function layoutOf(spans: readonly JourneySpan[], hops: readonly JourneyHop[] = []) {
  const model = buildModel(journey(spans, hops))
  const stretches = buildTimeline(model, true)
  const scale = createScale({ stretches, width: 900, zoom: 1, padLeft: 14, padRight: 36 })
  return layoutJourney(model, { scale, measure: (text) => text.length * 6.6, headPx: 0 })
}

/** A device whose HTTP client starts its spans at whole milliseconds, and the server that it calls. */
const device = (clientMs: number) => [
  span({ id: '1', service: 'device', role: 'process', startMs: 10.9, durationMs: 3 }),
  span({ id: '2', parent: '1', service: 'device', role: 'client', startMs: clientMs, durationMs: 3.5 }),
  span({ id: '3', parent: '2', service: 'echo', role: 'server', startMs: 10, durationMs: 2 }),
]

test('a nested span stands below its parent, however early its own clock lets it begin', () => {
  for (const clientMs of [12, 10.9, 10, 4]) {
    const { barOf } = layoutOf(device(clientMs))
    const [parent, child] = [barOf.get(refKey(ref('1'))), barOf.get(refKey(ref('2')))]
    assert.ok(parent !== undefined && child !== undefined && child.y > parent.y, `${clientMs} ms`)
    assert.equal(child.span.startMs, clientMs, 'it is drawn where its clock says')
  }
})

test('lanes keep the order of cause and effect when rounding puts the effect up to 1 ms earlier', () => {
  assert.deepEqual(
    layoutOf(device(10)).lanes.map(({ name }) => name),
    ['device', 'echo'],
  )
})

test('a message stands between its sender and its receiver when rounding puts all three at one moment', () => {
  const spans = [
    span({ id: '1', service: 'webhook', role: 'process', startMs: 5.7, durationMs: 3 }),
    span({ id: '2', parent: '1', service: 'webhook', role: 'send', startMs: 5, durationMs: 3 }),
    span({ id: '3', parent: '2', service: 'forwarder', role: 'process', startMs: 5, durationMs: 4 }),
  ]
  const hops = [
    hop({ index: 0, send: ref('2'), process: ref('3'), sentMs: 5, processedMs: 5, to: 'forwarder' }),
  ]
  assert.deepEqual(
    layoutOf(spans.toReversed(), hops).lanes.map(({ name }) => name),
    ['webhook', 'orders', 'forwarder'],
  )
})

test('between services more than 1 ms is not rounding: each stands where its clock puts it', () => {
  const spans = [
    span({ id: '1', service: 'a', startMs: 5, durationMs: 3 }),
    span({ id: '2', parent: '1', service: 'b', startMs: 3.9, durationMs: 1 }),
  ]
  assert.deepEqual(
    layoutOf(spans).lanes.map(({ name }) => name),
    ['b', 'a'],
  )
})

test('the critical path goes through a nested span that seems to begin before its parent', () => {
  const spans = device(10).map((one) => ({ ...one, critical: true }))
  const [process, client, server] = spans
  assert.ok(process !== undefined && client !== undefined && server !== undefined)
  const steps = criticalPath({ ...journey([]), spans: [process, client, server] })
  assert.deepEqual(
    steps.map((step) => (step.kind === 'span' ? [refKey(step.span).at(-1), step.startMs, step.endMs] : [])),
    [
      ['3', 10, 12],
      ['2', 12, 13.5],
      ['1', 13.5, 13.9],
    ],
  )
})

test('spans that are their own ancestors, and chains of thousands, have a place', () => {
  const cycle = [span({ id: '1', parent: '2', service: 'a' }), span({ id: '2', parent: '1', service: 'a' })]
  assert.equal(placesOf(buildModel(journey(cycle))).size, 2)
  const chain = Array.from({ length: 5_000 }, (_, n) =>
    span({ id: (n + 1).toString(16), parent: n === 0 ? null : n.toString(16), service: 'a' }),
  )
  const places = placesOf(buildModel(journey(chain.toReversed())))
  assert.equal(places.get(refKey(ref((5_000).toString(16))))?.depth, 4_999)
})
