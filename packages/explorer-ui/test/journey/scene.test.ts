import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Journey } from '@throughline/explorer/api'
import { layoutJourney } from '../../src/journey/layout.ts'
import { buildModel } from '../../src/journey/model.ts'
import { createScale } from '../../src/journey/scale.ts'
import { buildScene, type Frame, type Scene } from '../../src/journey/scene.ts'
import { buildTimeline } from '../../src/journey/timeline.ts'
import { finding, journey, ref, span } from '../fixtures/build.ts'
import { batchJourney, largeJourney } from '../fixtures/large.ts'
import { orderJourney } from '../fixtures/order.ts'
import { sensorJourney } from '../fixtures/sensor.ts'

const measure = (text: string): number => text.length * 6.6

function sceneOf(one: Journey, change: Partial<Frame> & { zoom?: number; viewPx?: number } = {}): Scene {
  const { zoom = 1, viewPx = 900, ...frame } = change
  const model = buildModel(one)
  const options = { stretches: buildTimeline(model, true), width: viewPx, padLeft: 40, padRight: 36 }
  const scale = createScale({ ...options, zoom: 1 })
  const layout = layoutJourney(model, { scale, measure, headPx: 0 })
  return buildScene(model, layout, {
    scale: createScale({ ...options, zoom }),
    panPx: 0,
    width: viewPx,
    top: 0,
    bottom: 100_000,
    measure,
    selected: null,
    ...frame,
  })
}

interface Box {
  readonly what: string
  readonly y: number
  readonly from: number
  readonly to: number
}

/** All that has ink in a row: bars, capsules, marks and the labels beside them. */
function inkOf(scene: Scene): readonly Box[] {
  const boxes: Box[] = []
  const label = (y: number, beside: { text: string; x: number; anchor: string } | null): void => {
    if (beside === null) return
    const width = measure(beside.text)
    const from = beside.anchor === 'start' ? beside.x : beside.x - width
    boxes.push({ what: beside.text, y, from, to: from + width })
  }
  for (const shape of scene.bars) {
    boxes.push({ what: shape.bar.span.name, y: shape.bar.y, from: shape.left, to: shape.right })
    label(shape.bar.y, shape.beside)
  }
  for (const shape of scene.capsules) {
    boxes.push({ what: shape.placed.capsule.key, y: shape.placed.y, from: shape.left, to: shape.right })
    label(shape.placed.y, shape.beside)
  }
  return boxes
}

function assertNothingOverlaps(scene: Scene, name: string): void {
  const boxes = inkOf(scene)
  for (const row of Map.groupBy(boxes, (box) => box.y).values()) {
    const ordered = row.toSorted((a, b) => a.from - b.from)
    for (const [index, box] of ordered.entries()) {
      const before = ordered[index - 1]
      if (before === undefined) continue
      const isLabel = before.what !== '' && box.from < before.to - 0.01
      assert.ok(
        !isLabel,
        `${name}: "${before.what}" (to ${before.to}) overlaps "${box.what}" (from ${box.from})`,
      )
    }
  }
}

test('labels overlap neither each other nor a bar, at any width and zoom', () => {
  const journeys = {
    sensor: sensorJourney(),
    order: orderJourney(),
    batch: batchJourney(60),
    large: largeJourney(200),
  }
  for (const [name, one] of Object.entries(journeys)) {
    for (const viewPx of [340, 900, 1600]) {
      for (const zoom of [1, 2.3, 17])
        assertNothingOverlaps(sceneOf(one, { viewPx, zoom }), `${name} ${viewPx} ${zoom}`)
    }
  }
})

test('every span and message of a small journey carries a label', () => {
  for (const viewPx of [900, 1400]) {
    const scene = sceneOf(sensorJourney(), { viewPx })
    for (const shape of scene.bars)
      assert.ok(shape.inside !== null || shape.beside !== null, shape.bar.span.name)
    for (const shape of scene.capsules) assert.ok(shape.inside !== null || shape.beside !== null)
  }
})

test('a capsule says destination, partition, offset and how long it waited', () => {
  const labels = sceneOf(sensorJourney(), { viewPx: 1400 }).capsules.map((shape) => shape.beside?.text)
  assert.ok(labels.includes('sensor-readings[2]@17 · waited 3.4 ms'), labels.join('\n'))
  assert.ok(labels.includes('sensors/sensor-001/reading · waited 1.2 ms · QoS 1'), labels.join('\n'))
})

test('a break in the chain is marked once: at the message, else before the span', () => {
  const withHop = sceneOf(orderJourney())
  const picked = withHop.capsules.find((shape) => shape.placed.capsule.destination === 'depot/7/picked')
  assert.ok(picked?.startMarkX !== null && picked !== undefined)
  assert.ok(picked.beside?.text.includes('no context, publisher unknown'))
  assert.ok(withHop.bars.every((shape) => shape.markX === null))
  const alone = sceneOf(
    journey([span({ id: '1', service: 'a', startMs: 0 }), span({ id: '2', service: 'b', startMs: 5 })], [], {
      findings: [finding({ code: 'span-not-received', span: ref('2') })],
    }),
  )
  assert.deepEqual(
    alone.bars.map((shape) => shape.markX !== null),
    [false, true],
  )
})

test('a failed span says why, beside its bar', () => {
  const failed = sceneOf(orderJourney()).bars.find(
    (shape) => shape.bar.span.statusMessage === '503 from carrier',
  )
  assert.match(failed?.beside?.text ?? '', /✕.*503 from carrier/)
})

test('only what is in view is drawn', () => {
  const all = sceneOf(largeJourney(170), { zoom: 1 })
  const some = sceneOf(largeJourney(170), { zoom: 40, panPx: 9000 })
  const few = sceneOf(largeJourney(170), { top: 0, bottom: 60 })
  assert.equal(all.bars.length, 170)
  assert.ok(some.bars.length < 60)
  assert.ok(few.bars.length < 90)
  assert.ok(few.bars.every((shape) => shape.bar.y <= 60))
})

test('of 5,000 spans only the widest are elements, the rest few paths, and the selected one is always there', () => {
  const narrow = largeJourney(5000).spans.find((one) => one.durationMs === 2)
  assert.ok(narrow !== undefined)
  const key = `${narrow.traceId}/${narrow.spanId}`
  const scene = sceneOf(largeJourney(5000), { selected: key })
  assert.ok(scene.bars.length <= 181)
  assert.ok(scene.bars.some((shape) => shape.bar.key === key))
  assert.ok(scene.specks.size <= 7)
  assert.ok(scene.specks.has('error'))
})
