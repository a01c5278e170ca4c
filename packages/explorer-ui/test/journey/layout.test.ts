import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Journey } from '@throughline/explorer/api'
import { capsuleExtent, type Layout, layoutJourney } from '../../src/journey/layout.ts'
import { buildModel } from '../../src/journey/model.ts'
import { createScale } from '../../src/journey/scale.ts'
import { buildTimeline } from '../../src/journey/timeline.ts'
import { hop, journey, ref, span } from '../fixtures/build.ts'
import { batchJourney, largeJourney } from '../fixtures/large.ts'
import { orderJourney } from '../fixtures/order.ts'
import { sensorJourney } from '../fixtures/sensor.ts'

const measure = (text: string): number => text.length * 6.6

function layoutOf(one: Journey): Layout {
  const model = buildModel(one)
  const scale = createScale({
    stretches: buildTimeline(model, true),
    width: 900,
    zoom: 1,
    padLeft: 14,
    padRight: 36,
  })
  return layoutJourney(model, { scale, measure, headPx: 0 })
}

const names = (layout: Layout): readonly string[] => layout.lanes.map((lane) => lane.name)

test('lanes stand in the order in which the event reached them, each message between its sender and its receiver', () => {
  assert.deepEqual(names(layoutOf(sensorJourney())), [
    'station',
    '/events',
    'webhook',
    'sensor-readings',
    'forwarder',
    'sensors/sensor-001/reading',
    'device',
    'echo',
  ])
})

test('a call has an arrow but no lane and no capsule: nothing waits in a queue', () => {
  const layout = layoutOf(sensorJourney())
  assert.ok(!names(layout).includes('/echo'))
  assert.equal(layout.capsules.length, 3)
})

test('lanes follow each other without overlapping, and every span and message stands inside its own', () => {
  for (const one of [sensorJourney(), orderJourney(), batchJourney(500), largeJourney(2000)]) {
    const layout = layoutOf(one)
    let top = 0
    for (const lane of layout.lanes) {
      assert.equal(lane.top, top)
      top += lane.height
    }
    assert.equal(layout.height, top)
    for (const item of [...layout.bars, ...layout.capsules]) {
      assert.ok(item.y >= item.lane.top && item.y + item.height <= item.lane.top + item.lane.height)
    }
    assert.equal(layout.bars.length, one.spans.length)
  }
})

test('no two spans of a row overlap in time, and a nested span stands below its parent', () => {
  for (const one of [orderJourney(), largeJourney(300)]) {
    const layout = layoutOf(one)
    for (const row of Map.groupBy(layout.bars, (bar) => bar.y).values()) {
      const ordered = row.toSorted((a, b) => a.span.startMs - b.span.startMs)
      for (const [index, bar] of ordered.entries()) {
        const before = ordered[index - 1]?.span
        if (before !== undefined) assert.ok(bar.span.startMs >= before.startMs + before.durationMs)
      }
    }
    for (const bar of layout.bars) {
      const parent =
        bar.span.parentSpanId === null
          ? undefined
          : layout.barOf.get(`${bar.span.traceId}/${bar.span.parentSpanId}`)
      if (parent?.span.service === bar.span.service) assert.ok(bar.y > parent.y)
    }
  }
})

test('one message that three services received is one capsule', () => {
  const layout = layoutOf(orderJourney())
  const orders = layout.capsules.filter(({ capsule }) => capsule.destination === 'orders')
  assert.deepEqual(
    orders.map(({ capsule }) => capsule.hops.map((one) => one.to)),
    [['payment', 'inventory', 'analytics']],
  )
  assert.deepEqual([orders[0]?.capsule.startMs, orders[0]?.capsule.endMs], [14, 21])
})

test('of a batch of 500 the own event is a capsule and the others are one bundle', () => {
  const layout = layoutOf(batchJourney(500))
  assert.deepEqual(
    layout.capsules.map(({ capsule }) => [capsule.kind, capsule.hops.length]),
    [
      ['message', 1],
      ['bundle', 499],
    ],
  )
  assert.ok(layout.height < 400)
})

test('a message of unknown origin is a stub that ends where it was processed, above its receiver', () => {
  const one = journey(
    [span({ id: '1', service: 'device', durationMs: 5 })],
    [
      hop({
        index: 0,
        transport: 'mqtt',
        destination: 'depot/7/picked',
        to: 'device',
        process: ref('1'),
        processedMs: 0,
      }),
    ],
  )
  const layout = layoutOf(one)
  assert.deepEqual(names(layout), ['depot/7/picked', 'device'])
  const [placed] = layout.capsules
  assert.ok(placed !== undefined)
  assert.ok(placed.capsule.brokenStart && !placed.capsule.brokenEnd && placed.capsule.startMs === null)
  const scale = createScale({
    stretches: buildTimeline(buildModel(one), true),
    width: 900,
    zoom: 1,
    padLeft: 90,
    padRight: 36,
  })
  const extent = capsuleExtent(placed.capsule, scale)
  assert.equal(extent.right, 90)
  assert.ok(extent.left >= 0 && extent.left < extent.right)
})

test('a message nobody was seen receiving is open at its end', () => {
  const placed = layoutOf(orderJourney()).capsules.find(
    ({ capsule }) => capsule.destination === 'orders.dead',
  )
  assert.ok(placed !== undefined)
  assert.ok(placed.capsule.brokenEnd && placed.capsule.endMs === null)
})

test('clock skew that places the receipt before the send leaves a capsule of the least width', () => {
  const one = journey(
    [span({ id: '1', service: 'a', startMs: 5 }), span({ id: '2', service: 'b', startMs: 3 })],
    [hop({ index: 0, from: 'a', to: 'b', send: ref('1'), process: ref('2'), sentMs: 5, processedMs: 3 })],
  )
  const [placed] = layoutOf(one).capsules
  assert.deepEqual([placed?.capsule.startMs, placed?.capsule.endMs], [5, 5])
})

test('a lane of thousands of parallel spans stays of a height one can scroll through', () => {
  const spans = Array.from({ length: 3000 }, (_, n) =>
    span({ id: (n + 1).toString(16), service: 'a', startMs: n / 1000, durationMs: 100 }),
  )
  assert.ok(layoutOf(journey(spans)).height < 1000)
})
