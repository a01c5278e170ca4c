import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildModel } from '../../src/journey/model.ts'
import { createScale, type Scale } from '../../src/journey/scale.ts'
import { buildTimeline } from '../../src/journey/timeline.ts'
import { clampPan, MAX_ZOOM, reveal, showWindow, WHOLE, zoomAt } from '../../src/journey/viewport.ts'
import { orderJourney } from '../fixtures/order.ts'
import { sensorJourney } from '../fixtures/sensor.ts'

const WIDTH = 1000

function scales(one = sensorJourney()): (zoom: number) => Scale {
  const stretches = buildTimeline(buildModel(one), true)
  return (zoom) => createScale({ stretches, width: WIDTH, zoom, padLeft: 14, padRight: 36 })
}

test('the moment under the pointer stays there while it is magnified', () => {
  const scaleAt = scales(orderJourney())
  let view = zoomAt(WHOLE, 4, 300, scaleAt, WIDTH)
  const ms = scaleAt(view.zoom).ms(view.panPx + 300)
  for (const factor of [2, 3, 1.1, 0.7]) {
    view = zoomAt(view, factor, 300, scaleAt, WIDTH)
    assert.ok(Math.abs(scaleAt(view.zoom).ms(view.panPx + 300) - ms) < 1e-6)
  }
})

test('one cannot shrink below the whole, magnify without end, or move beyond the edges', () => {
  const scaleAt = scales()
  assert.deepEqual(zoomAt({ zoom: 2, panPx: 100 }, 0.01, 10, scaleAt, WIDTH), WHOLE)
  assert.equal(zoomAt(WHOLE, 1e9, 10, scaleAt, WIDTH).zoom, MAX_ZOOM)
  assert.equal(clampPan({ zoom: 2, panPx: -50 }, 2000, WIDTH).panPx, 0)
  assert.equal(clampPan({ zoom: 2, panPx: 5000 }, 2000, WIDTH).panPx, 1000)
})

test('a window of time fills the drawing from edge to edge', () => {
  const scaleAt = scales()
  const view = showWindow(4, 6, scaleAt, WIDTH)
  const scale = scaleAt(view.zoom)
  assert.ok(Math.abs(scale.x(4) - view.panPx) < 1)
  assert.ok(Math.abs(scale.x(6) - view.panPx - WIDTH) < 1)
})

test('what is selected is moved into view, and nothing moves when it is there', () => {
  const view = { zoom: 10, panPx: 2000 }
  assert.equal(reveal(view, 2300, 2500, 9000, WIDTH), view)
  const moved = reveal(view, 7000, 7100, 9000, WIDTH)
  assert.ok(moved.panPx < 7000 && moved.panPx + WIDTH > 7100)
})
