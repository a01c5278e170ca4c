import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '@throughline/testkit'

test('gives what the assertion returned once it passes', async () => {
  let tries = 0
  const value = await eventually(() => {
    tries++
    assert.equal(tries, 3)
    return 'done'
  })
  assert.equal(value, 'done')
})

test('fails with the last error of the assertion when the time is up', async () => {
  await assert.rejects(
    eventually(() => assert.equal(1, 2), { timeoutMs: 30 }),
    (error: Error) => error instanceof assert.AssertionError && /^not within 30 ms: /.test(error.message),
  )
})

test('gives up on an assertion that hangs', async () => {
  await assert.rejects(
    eventually(() => new Promise(() => {}), { timeoutMs: 30 }),
    /did not come back/,
  )
})
