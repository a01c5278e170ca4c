import assert from 'node:assert/strict'
import { test } from 'node:test'
import { count, formatDuration, middle, shortId, unixMs } from '../src/format.ts'

test('a duration is written in at most two units, as precise as a reader needs', () => {
  const cases: readonly (readonly [number, string])[] = [
    [0, '0 ms'],
    [0.0004, '1 µs'],
    [0.3, '300 µs'],
    [0.9999, '1 ms'],
    [3.4, '3.4 ms'],
    [99.94, '99.9 ms'],
    [99.96, '100 ms'],
    [999.6, '1 s'],
    [1300, '1.3 s'],
    [59_940, '59.9 s'],
    [59_960, '1 m'],
    [252_000, '4 m 12 s'],
    [3_599_600, '1 h'],
    [7_980_000, '2 h 13 m'],
    [86_399_000_000, '1000 d'],
    [-2.5, '−2.5 ms'],
    [Number.NaN, '–'],
  ]
  for (const [ms, text] of cases) assert.equal(formatDuration(ms), text, String(ms))
})

test('a time in nanoseconds keeps its milliseconds beyond what a number can hold', () => {
  assert.equal(unixMs('1795255200123999999'), 1_795_255_200_123)
  assert.equal(unixMs('not a time'), 0)
})

test('long texts are cut where they differ least', () => {
  assert.equal(middle('sensors/sensor-001/reading', 12), 'sensor…ading')
  assert.equal(middle('orders', 12), 'orders')
  assert.equal(shortId('6f1c2e9a-77aa'), '6f1c2e9a…')
  assert.equal(shortId('order-1'), 'order-1')
})

test('counts agree with their noun', () => {
  assert.deepEqual(
    [count(1, 'span'), count(5000, 'span'), count(2, 'retry', 'retries')],
    ['1 span', '5,000 spans', '2 retries'],
  )
})
