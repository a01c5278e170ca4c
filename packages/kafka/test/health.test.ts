import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createHealth } from '../src/health.ts'

function watched() {
  const clock = { now: 0 }
  const lost: unknown[] = []
  const health = createHealth(
    5000,
    (error) => lost.push(error),
    () => clock.now,
  )
  return { clock, lost, health }
}

test('failures count as a loss when nothing succeeded for long enough', () => {
  const { clock, lost, health } = watched()
  health.failed('first', 0)
  clock.now = 4999
  health.failed('second', 4990)
  assert.deepEqual(lost, [])
  clock.now = 5000
  health.failed('third', 5000)
  assert.deepEqual(lost, ['third'])
})

test('a success begins anew', () => {
  const { clock, lost, health } = watched()
  health.failed('first', 0)
  health.succeeded()
  clock.now = 6000
  health.failed('second', 5900)
  assert.deepEqual(lost, [])
})

test('a request that hung counts from when it was sent', () => {
  const { clock, lost, health } = watched()
  clock.now = 5500
  health.failed('hung', 0)
  assert.deepEqual(lost, ['hung'])
})
