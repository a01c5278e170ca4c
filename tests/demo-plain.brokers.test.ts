import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startDemo } from './support/demo.ts'

test('the demo with --plain runs the services that have nothing of Throughline in them, and answers the same', {
  timeout: 170_000,
}, async () => {
  await using demo = startDemo('orders', '--plain', '--once', '--json', '--wait', '60')
  assert.equal(await demo.ended, 0, demo.stderr())
  const journeys = demo.stdout().trimEnd().split('\n')
  const found = journeys.map((line) => JSON.parse(line)).map(({ eventId, missing }) => ({ eventId, missing }))
  const order = { eventId: 'order-4711', missing: [] }
  assert.deepEqual(found, [{ ...found[0], missing: [] }, order, order])
  assert.deepEqual(demo.processes(), [])
})
