import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildModel } from '../../src/journey/model.ts'
import { ribbonPieces } from '../../src/journey/ribbon.ts'
import { hop, journey, ref, span } from '../fixtures/build.ts'
import { largeJourney } from '../fixtures/large.ts'
import { orderJourney } from '../fixtures/order.ts'
import { sensorJourney } from '../fixtures/sensor.ts'

test('time goes to who is at work himself, else to the queue, else to waiting', () => {
  const one = journey(
    [
      span({ id: '1', service: 'a', role: 'server', durationMs: 40 }),
      span({ id: '2', parent: '1', service: 'a', role: 'send', startMs: 20, durationMs: 10 }),
      span({ id: '3', service: 'b', role: 'process', startMs: 70, durationMs: 20 }),
      span({ id: '4', parent: '3', service: 'b', role: 'client', startMs: 80, durationMs: 20 }),
    ],
    [hop({ index: 0, send: ref('2'), process: ref('3'), sentMs: 20, processedMs: 70 })],
  )
  const pieces = ribbonPieces(buildModel(one)).map((piece) => [
    piece.kind,
    Math.round(piece.from * 100),
    Math.round(piece.to * 100),
  ])
  assert.deepEqual(pieces, [
    ['work', 0, 20],
    ['queue', 20, 30],
    ['work', 30, 40],
    ['queue', 40, 70],
    ['work', 70, 80],
    ['wait', 80, 100],
  ])
})

test('pieces follow each other from the beginning to the end, however many spans there are', () => {
  for (const one of [sensorJourney(), orderJourney(), largeJourney(3000)]) {
    const pieces = ribbonPieces(buildModel(one))
    assert.ok(pieces.length > 0 && pieces.length <= 160)
    assert.ok(Math.abs((pieces[0]?.from ?? 1) - 0) < 1e-9)
    assert.ok(Math.abs((pieces.at(-1)?.to ?? 0) - 1) < 1e-9)
    for (const [index, piece] of pieces.entries()) {
      if (index > 0) assert.ok(Math.abs(piece.from - (pieces[index - 1]?.to ?? -1)) < 1e-9)
    }
  }
})

test('40 ms of work at the ends of four minutes in a queue are wide enough to be seen', () => {
  const pieces = ribbonPieces(buildModel(orderJourney()))
  assert.deepEqual(
    pieces.map((piece) => piece.kind),
    ['work', 'queue', 'work'],
  )
  assert.ok(pieces.every((piece) => piece.to - piece.from > 0.008))
})
