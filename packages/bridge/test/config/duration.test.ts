import assert from 'node:assert/strict'
import { test } from 'node:test'
import { durationMs, durationRangeMs } from '../../src/config/duration.ts'

test('durations have a unit and are milliseconds inside', () => {
  assert.deepEqual(['200ms', '1.5s', '2m', '1h', '0s'].map(durationMs), [200, 1500, 120_000, 3_600_000, 0])
  for (const text of ['', '5', '5 s', '-1s', '1d', 's', '1s2'])
    assert.ok(Number.isNaN(durationMs(text)), text)
})

test('a range is two durations', () => {
  assert.deepEqual(durationRangeMs('200ms..30s'), { minMs: 200, maxMs: 30_000 })
  assert.deepEqual(durationRangeMs('200ms .. 30s'), { minMs: 200, maxMs: 30_000 })
  assert.ok(Number.isNaN(durationRangeMs('200ms').minMs))
})
