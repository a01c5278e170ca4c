import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildModel } from '../../src/journey/model.ts'
import { createScale, FOLD_WIDTH, tickLabel, ticks } from '../../src/journey/scale.ts'
import { buildTimeline } from '../../src/journey/timeline.ts'
import { journey, span } from '../fixtures/build.ts'
import { largeJourney } from '../fixtures/large.ts'
import { orderJourney } from '../fixtures/order.ts'
import { sensorJourney } from '../fixtures/sensor.ts'

const HOUR_MS = 3_600_000

function folds(of: Parameters<typeof buildModel>[0]) {
  return buildTimeline(buildModel(of), true).filter((stretch) => stretch.fold !== null)
}

test('a long idle stretch is folded, from the end of one span to the start of the next', () => {
  const [fold, ...others] = folds(
    journey([
      span({ id: '1', service: 'a', durationMs: 12 }),
      span({ id: '2', service: 'b', startMs: 2 * HOUR_MS, durationMs: 8 }),
    ]),
  )
  assert.deepEqual(fold, { startMs: 12, endMs: 2 * HOUR_MS, fold: 'idle' })
  assert.equal(others.length, 0)
})

test('several long stretches are all folded, though none is most of the whole', () => {
  const spans = [0, 1, 2, 3, 4].map((n) =>
    span({ id: `${n + 1}`, service: 'a', startMs: n * HOUR_MS, durationMs: 10 }),
  )
  assert.equal(folds(journey(spans)).length, 4)
})

test('a wait that is part of the picture is not folded', () => {
  assert.deepEqual(folds(sensorJourney()), [])
})

test('a span that works for long is not folded away', () => {
  const call = journey([
    span({ id: '1', service: 'a', durationMs: 10_000 }),
    span({ id: '2', parent: '1', service: 'b', startMs: 1, durationMs: 9_998 }),
  ])
  assert.deepEqual(folds(call), [])
  assert.deepEqual(folds(journey([span({ id: '1', service: 'a', durationMs: HOUR_MS })])), [])
})

test('work so long that it would squeeze many other spans to nothing is folded and said to be long, not idle', () => {
  const short = Array.from({ length: 9 }, (_, n) =>
    span({ id: `${n + 1}`, service: 'a', startMs: n * 2, durationMs: 1 }),
  )
  const [fold] = folds(journey([...short, span({ id: 'f', service: 'b', startMs: 17, durationMs: HOUR_MS })]))
  assert.equal(fold?.fold, 'long')
})

test('stretches touch each other and cover the journey, folded or not', () => {
  for (const one of [sensorJourney(), orderJourney(), largeJourney(500)]) {
    const model = buildModel(one)
    for (const folding of [true, false]) {
      const stretches = buildTimeline(model, folding)
      assert.equal(stretches[0]?.startMs, model.startMs)
      assert.equal(stretches.at(-1)?.endMs, model.endMs)
      for (const [index, stretch] of stretches.entries()) {
        assert.ok(stretch.endMs > stretch.startMs)
        if (index > 0) assert.equal(stretch.startMs, stretches[index - 1]?.endMs)
      }
    }
  }
})

test('a journey without spans, or of one moment, still has an axis', () => {
  for (const one of [journey([]), journey([span({ id: '1', service: 'a', durationMs: 0 })])]) {
    const scale = createScale({
      stretches: buildTimeline(buildModel(one), true),
      width: 800,
      zoom: 1,
      padLeft: 10,
      padRight: 10,
    })
    assert.ok(Number.isFinite(scale.x(0)))
    assert.ok(scale.width > 0)
  }
})

function orderScale(zoom: number) {
  const stretches = buildTimeline(buildModel(orderJourney()), true)
  return createScale({ stretches, width: 1000, zoom, padLeft: 14, padRight: 36 })
}

test('times go to the page and back, across folds and at any zoom', () => {
  for (const zoom of [1, 3.7, 1200]) {
    const scale = orderScale(zoom)
    let before = Number.NEGATIVE_INFINITY
    for (const ms of [0, 14, 40, 100, 120_000, 251_843, 251_901]) {
      const x = scale.x(ms)
      assert.ok(x >= before, `${ms} stands behind what was before it`)
      assert.ok(Math.abs(scale.ms(x) - ms) < 1e-6 * Math.max(1, ms))
      before = x
    }
  }
})

test('a fold keeps its width while the rest is magnified', () => {
  for (const zoom of [1, 50]) {
    const fold = orderScale(zoom).stretches.find((stretch) => stretch.fold !== null)
    assert.ok(fold !== undefined)
    assert.ok(Math.abs(fold.right - fold.left - FOLD_WIDTH) < 1e-9)
  }
  assert.ok(orderScale(1).width <= 1000 + 1e-9)
})

test('ticks stand at round times, far enough apart for their labels, and count from a fold', () => {
  for (const zoom of [1, 2, 9, 40, 900]) {
    const scale = orderScale(zoom)
    const shown = ticks(scale, 0, 1000)
    for (const [index, tick] of shown.entries()) {
      const previous = shown[index - 1]
      if (previous !== undefined && !/^[\d]+ m/.test(tick.label))
        assert.ok(tick.x - previous.x > 60, `${previous.label} ${tick.label}`)
    }
  }
  const labels = ticks(orderScale(1), 0, 1000).map((tick) => tick.label)
  assert.deepEqual(labels, ['0 ms', '20 ms', '40 ms', '4 m 12 s', '+20 ms', '+40 ms'])
})

test('a tick has the digits its step needs', () => {
  assert.deepEqual(
    [
      tickLabel(2.5, 0.5),
      tickLabel(1250, 10),
      tickLabel(0.2, 0.1),
      tickLabel(0, 5),
      tickLabel(120_000, 60_000),
    ],
    ['2.5 ms', '1.25 s', '200 µs', '0 ms', '2 m'],
  )
})
