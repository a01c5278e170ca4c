import assert from 'node:assert/strict'
import { test } from 'node:test'
import { INVALID_SPAN_CONTEXT, trace } from '@opentelemetry/api'
import { createAttempts } from '../../src/messages/attempts.ts'

const span = () => trace.wrapSpanContext(INVALID_SPAN_CONTEXT)
const range = (first: number, last = first) => ({ first: BigInt(first), last: BigInt(last) })

test('the message that failed last at a place has an attempt before, others and other places have none', () => {
  const attempts = createAttempts()
  assert.equal(attempts.before('a/0', range(5)), undefined)
  const failed = span()
  attempts.note('a/0', range(5), failed)
  assert.equal(attempts.before('a/0', range(5))?.span, failed)
  assert.equal(attempts.before('a/0', range(6)), undefined)
  assert.equal(attempts.before('a/1', range(5)), undefined)
})

test('attempts are counted until the message is done', () => {
  const attempts = createAttempts()
  for (const count of [1, 2, 3]) {
    attempts.note('a/0', range(5), span())
    assert.equal(attempts.before('a/0', range(5))?.attempt, count)
  }
  attempts.note('a/0', range(5), undefined)
  assert.equal(attempts.before('a/0', range(5)), undefined)
})

test('what comes again of a batch, or with more behind it, is its next attempt', () => {
  const attempts = createAttempts()
  attempts.note('a/0', range(5, 8), span())
  assert.equal(attempts.before('a/0', range(7, 8))?.attempt, 1)
  assert.equal(attempts.before('a/0', range(5, 20))?.attempt, 1)
  assert.equal(attempts.before('a/0', range(9, 20)), undefined)
  assert.equal(attempts.before('a/0', range(4, 8)), undefined)
  attempts.note('a/0', range(7, 9), span())
  assert.equal(attempts.before('a/0', range(9))?.attempt, 2)
})

test('offsets past 2^53 are told apart', () => {
  const attempts = createAttempts()
  attempts.note('a/0', { first: 2n ** 53n, last: 2n ** 53n }, span())
  assert.equal(attempts.before('a/0', { first: 2n ** 53n + 1n, last: 2n ** 53n + 1n }), undefined)
})
