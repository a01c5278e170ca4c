import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parse, ShapeError } from '../../src/api/shape.ts'
import * as shapes from '../../src/api/shapes.ts'
import { orderJourney } from '../fixtures/order.ts'

test('a journey as the API answers it passes, unknown further members too', () => {
  const answer = { ...structuredClone(orderJourney()), laterMember: 1 }
  assert.equal(parse(shapes.journey, answer, 'journey').id, orderJourney().id)
})

test('an answer that is not as promised is refused by the name of its member', () => {
  const answer = JSON.parse(JSON.stringify(orderJourney()))
  answer.spans[2].startMs = null
  assert.throws(
    () => parse(shapes.journey, answer, '/api/journeys/x'),
    (error) =>
      error instanceof ShapeError &&
      error.message === '/api/journeys/x.spans[2].startMs: expected a number, got null',
  )
})

test('garbage in place of an answer is refused with a reason', () => {
  for (const [garbage, reason] of [
    [null, 'journey: expected an object, got null'],
    ['<html>', 'journey: expected an object, got string'],
    [[], 'journey: expected an object, got a list'],
    [{}, 'journey.id: expected text, got undefined'],
  ] as const) {
    assert.throws(() => parse(shapes.journey, garbage, 'journey'), {
      code: 'TL_UI_ANSWER_SHAPE',
      message: reason,
    })
  }
})
