import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createOutstanding } from '../src/outstanding.ts'

test('settling twice, or what never came, does nothing', () => {
  const outstanding = createOutstanding()
  outstanding.add(1, undefined)
  outstanding.add(2, undefined)
  assert.deepEqual(outstanding.take([2, 2, 7]), [2])
  assert.deepEqual(outstanding.take([2, 1]), [1])
})

test('one acknowledgement settles all where nothing older is left', () => {
  const outstanding = createOutstanding()
  for (const tag of [1, 2, 3]) outstanding.add(tag, undefined)
  outstanding.take([2])
  assert.equal(outstanding.isClearUpTo(2), false)
  outstanding.take([1])
  assert.equal(outstanding.isClearUpTo(2), true)
  assert.equal(outstanding.isClearUpTo(3), false)
})

test('a stream goes on at the oldest that is not settled, else behind the last', () => {
  const outstanding = createOutstanding()
  assert.equal(outstanding.resumeAt, undefined)
  for (const tag of [1, 2, 3]) outstanding.add(tag, BigInt(tag + 100))
  outstanding.take([1, 3])
  assert.equal(outstanding.resumeAt, 102n)
  outstanding.take([2])
  assert.equal(outstanding.resumeAt, 104n)
})
