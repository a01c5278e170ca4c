import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createOffsets } from '../src/offsets.ts'

function delivered(...offsets: bigint[]) {
  const tracked = createOffsets(offsets[0] ?? 0n)
  for (const offset of offsets) tracked.deliver(offset)
  return tracked
}

test('nothing may be committed past the start before anything is settled', () => {
  assert.equal(createOffsets(17n).committable(), 17n)
  assert.equal(delivered(17n, 18n).committable(), 17n)
})

test('settled in order, the offset after the last one may be committed', () => {
  const offsets = delivered(0n, 1n, 2n)
  assert.equal(offsets.settle(0n), true)
  assert.equal(offsets.committable(), 1n)
  offsets.settle(1n)
  offsets.settle(2n)
  assert.equal(offsets.committable(), 3n)
  assert.equal(offsets.unsettled, 0)
})

test('settled out of order, the lowest unsettled one holds the rest back', () => {
  const offsets = delivered(5n, 6n, 7n, 8n)
  offsets.settle(8n)
  offsets.settle(6n)
  assert.equal(offsets.committable(), 5n)
  offsets.settle(5n)
  assert.equal(offsets.committable(), 7n)
  offsets.settle(7n)
  assert.equal(offsets.committable(), 9n)
})

test('gaps of the log count as done', () => {
  const offsets = delivered(10n, 14n, 90n)
  offsets.settle(10n)
  assert.equal(offsets.committable(), 14n)
  offsets.settle(14n)
  offsets.settle(90n)
  offsets.advance(95n)
  assert.equal(offsets.committable(), 95n)
})

test('what was read past does not pass what is unsettled, and reading never goes back', () => {
  const offsets = delivered(1n)
  offsets.advance(50n)
  assert.equal(offsets.committable(), 1n)
  offsets.settle(1n)
  offsets.advance(3n)
  assert.equal(offsets.committable(), 50n)
})

test('settling twice, or what was never delivered, changes nothing', () => {
  const offsets = delivered(1n, 2n)
  assert.equal(offsets.settle(1n), true)
  assert.equal(offsets.settle(1n), false)
  assert.equal(offsets.settle(99n), false)
  assert.equal(offsets.unsettled, 1)
  assert.equal(offsets.committable(), 2n)
})

test('offsets past 2^53 are exact', () => {
  const high = 2n ** 53n + 1n
  const offsets = delivered(high, high + 1n)
  offsets.settle(high)
  assert.equal(offsets.committable(), high + 1n)
})

test('in whatever order a log with gaps is settled, the committed offset is the first that is not', () => {
  const log = fc.uniqueArray(fc.bigInt({ min: 0n, max: 200n }), { minLength: 1, maxLength: 60 })
  fc.assert(
    fc.property(log, fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })), (picked, random) => {
      const all = picked.toSorted((a, b) => Number(a - b))
      const offsets = delivered(...all)
      const open = new Set(all)
      let last = -1n
      while (open.size > 0) {
        const left = [...open]
        const next = left[Math.floor(random.next().value * left.length)] ?? left[0]
        if (next === undefined) break
        open.delete(next)
        offsets.settle(next)
        const lowest = [...open][0] ?? (all.at(-1) ?? 0n) + 1n
        assert.equal(offsets.committable(), lowest)
        assert.ok(lowest >= last)
        last = lowest
      }
    }),
  )
})
