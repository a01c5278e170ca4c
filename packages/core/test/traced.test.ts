import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isTraced, markTraced } from '../src/traced.ts'

test('a marked client is the same object, looks as before, and is known by the mark', () => {
  const client = { port: 1883 }
  assert.equal(isTraced(client), false)
  assert.equal(markTraced(client), client)
  assert.equal(isTraced(client), true)
  assert.deepEqual({ ...client }, { port: 1883 })
  assert.equal(isTraced({ ...client }), false)
})

test('the mark is known to another copy of the package', () => {
  const client = Object.defineProperty({}, Symbol.for('throughline.traced'), { value: true })
  assert.equal(isTraced(client), true)
})

test('what is no object has no mark', () => {
  for (const value of [undefined, null, 'client', 1]) assert.equal(isTraced(value), false)
})
